//! Closes instances that no region uses any more, after their last call and off everybody's way.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::instance::Instance;
use crate::registry::Snapshot;

/// How often it looks whether the last call has ended: twice as long each time, up to this.
const SLOWEST_LOOK: Duration = Duration::from_millis(50);

/// Closes what `old` used and `new` does not, on a thread of its own. One that is still in use after `drain_timeout`
/// is reported, and closed whenever its last call ends.
pub(crate) fn retire(old: Arc<Snapshot>, new: &Snapshot, drain_timeout: Option<Duration>) {
    let mut retired: Vec<Arc<Instance>> = Vec::new();
    for instance in old.instances().filter(|old| !new.uses(old)) {
        // Regions that share their keys share one.
        if !retired.iter().any(|known| Arc::ptr_eq(known, instance)) {
            retired.push(Arc::clone(instance));
        }
    }
    if retired.is_empty() {
        return;
    }
    reap(move || {
        // Readers that took the old snapshot keep it; ours goes first.
        drop(old);
        drain(retired, drain_timeout);
    });
}

/// Closes what was opened for a manifest that is refused, on a thread of its own.
pub(super) fn discard<T: Send + 'static>(opened: T) {
    reap(move || drop(opened));
}

fn reap(run: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new()
        .name("dogpile-reaper".to_owned())
        .spawn(run)
    {
        tracing::error!(target: "dogpile.reload", %error, "no thread to close backends on: who holds them last closes them");
    }
}

/// Drops each as soon as nobody else holds it. A call holds its whole snapshot, and so all that is replaced with it.
fn drain(mut retired: Vec<Arc<Instance>>, drain_timeout: Option<Duration>) {
    let (began, mut look, mut reported) = (Instant::now(), Duration::from_millis(1), false);
    loop {
        retired.retain(|instance| Arc::strong_count(instance) > 1);
        if retired.is_empty() {
            return;
        }
        if !reported && drain_timeout.is_some_and(|timeout| began.elapsed() > timeout) {
            reported = true;
            for instance in &retired {
                let (backend, plugin) = (&instance.name, &instance.plugin.name);
                tracing::error!(
                    target: "dogpile.reload",
                    backend, plugin, ?drain_timeout,
                    "a replaced backend is held by a call that began before; it is closed when that call ends"
                );
            }
        }
        thread::sleep(look);
        look = (look * 2).min(SLOWEST_LOOK);
    }
}
