//! Closes instances that no region uses any more, after their last call and off everybody's way.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::instance::Instance;
use crate::registry::Snapshot;
use crate::template_cache::TemplateCache;

/// How often it looks whether the last call has ended: twice as long each time, up to this.
const SLOWEST_LOOK: Duration = Duration::from_millis(50);

/// What is closed by its drop.
trait Retired: Send {
    fn holders(&self) -> usize;

    /// What it is, for people.
    fn title(&self) -> String;
}

impl Retired for Arc<Instance> {
    fn holders(&self) -> usize {
        Arc::strong_count(self)
    }

    fn title(&self) -> String {
        Instance::title(self)
    }
}

impl Retired for Arc<TemplateCache> {
    fn holders(&self) -> usize {
        Arc::strong_count(self)
    }

    fn title(&self) -> String {
        TemplateCache::title(self)
    }
}

/// Closes what `old` used and `new` does not, on a thread of its own. One that is still in use after `drain_timeout`
/// is reported, and closed whenever its last call ends.
pub(crate) fn retire(old: Arc<Snapshot>, new: &Snapshot, drain_timeout: Option<Duration>) {
    let mut instances: Vec<&Arc<Instance>> = Vec::new();
    for instance in old.instances().filter(|old| !new.uses(old)) {
        // Regions that share their keys share one.
        if !instances.iter().any(|known| Arc::ptr_eq(known, instance)) {
            instances.push(instance);
        }
    }
    let templates = old.templates.as_ref().map(|templates| &templates.cache);
    let templates = templates.filter(|cache| !new.asks(cache));
    let mut retired: Vec<Box<dyn Retired>> = Vec::new();
    for instance in instances {
        retired.push(Box::new(Arc::clone(instance)));
    }
    if let Some(cache) = templates {
        retired.push(Box::new(Arc::clone(cache)));
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
fn drain(mut retired: Vec<Box<dyn Retired>>, drain_timeout: Option<Duration>) {
    let (began, mut look, mut reported) = (Instant::now(), Duration::from_millis(1), false);
    loop {
        retired.retain(|one| one.holders() > 1);
        if retired.is_empty() {
            return;
        }
        if !reported && drain_timeout.is_some_and(|timeout| began.elapsed() > timeout) {
            reported = true;
            for one in &retired {
                tracing::error!(
                    target: "dogpile.reload", ?drain_timeout,
                    "{} was replaced, and is held by a call that began before; it is closed when that call ends",
                    one.title()
                );
            }
        }
        thread::sleep(look);
        look = (look * 2).min(SLOWEST_LOOK);
    }
}
