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
    let retired: Vec<Arc<Instance>> = old
        .instances()
        .filter(|old| !new.uses(old))
        .cloned()
        .collect();
    if retired.is_empty() {
        return;
    }
    let run = move || {
        // Readers that took the old snapshot keep it; ours goes first.
        drop(old);
        for instance in retired {
            drain(&instance, drain_timeout);
            drop(instance);
        }
    };
    if let Err(error) = thread::Builder::new()
        .name("dogpile-reaper".to_owned())
        .spawn(run)
    {
        tracing::error!(target: "dogpile.reload", %error, "no thread to close old backends on: they stay open");
    }
}

fn drain(instance: &Arc<Instance>, drain_timeout: Option<Duration>) {
    let (began, mut look, mut reported) = (Instant::now(), Duration::from_millis(1), false);
    while Arc::strong_count(instance) > 1 {
        if !reported && drain_timeout.is_some_and(|timeout| began.elapsed() > timeout) {
            reported = true;
            let (backend, plugin) = (&instance.name, &instance.plugin.name);
            tracing::error!(
                target: "dogpile.reload",
                backend, plugin, ?drain_timeout,
                "a replaced backend is still being called; it is closed when the call ends"
            );
        }
        thread::sleep(look);
        look = (look * 2).min(SLOWEST_LOOK);
    }
}
