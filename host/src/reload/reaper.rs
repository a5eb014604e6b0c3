//! Closes instances that no region uses any more, after their last call and off everybody's way.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::draining::{Draining, Leaving};
use crate::engine::Engine;
use crate::instance::Instance;
use crate::registry::{Past, Snapshot};
use crate::template_cache::TemplateCache;

/// How often it looks whether the last call has ended: twice as long each time, up to this.
const SLOWEST_LOOK: Duration = Duration::from_millis(50);

/// What is closed by its drop.
trait Retired: Send {
    fn holders(&self) -> usize;

    /// What it is, for people.
    fn title(&self) -> String;

    /// How many calls of it have not ended.
    fn calls(&self, past: &Past) -> usize;
}

impl Retired for Arc<Instance> {
    fn holders(&self) -> usize {
        Arc::strong_count(self)
    }

    fn title(&self) -> String {
        Instance::title(self)
    }

    fn calls(&self, past: &Past) -> usize {
        past.calls_with(|snapshot| snapshot.uses(self))
    }
}

impl Retired for Arc<TemplateCache> {
    fn holders(&self) -> usize {
        Arc::strong_count(self)
    }

    fn title(&self) -> String {
        TemplateCache::title(self)
    }

    fn calls(&self, past: &Past) -> usize {
        past.calls_with(|snapshot| snapshot.asks(self))
    }
}

/// Closes what `old` used and what is in force now does not, on a thread of its own. One that is still in use after
/// `[host] drain_timeout` is reported, and closed whenever its last call ends.
pub(crate) fn retire(engine: &Engine, old: Arc<Snapshot>) {
    let new = engine.registry.load_full();
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
    let leaving = retired.into_iter().map(|one| {
        let told = engine.draining.add(one.title());
        (one, told)
    });
    let leaving: Vec<_> = leaving.collect();
    // The host is not held, so that it can go.
    let job = Drain {
        draining: Arc::clone(&engine.draining),
        past: Arc::clone(engine.registry.past()),
        timeout: new.timeouts.drain,
        began: Instant::now(),
    };
    drop(new);
    reap(move || {
        // Readers that took the old snapshot keep it; ours goes first.
        drop(old);
        job.run(leaving);
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

struct Drain {
    draining: Arc<Draining>,
    past: Arc<Past>,
    timeout: Option<Duration>,
    began: Instant,
}

impl Drain {
    /// Drops each as soon as nobody else holds it. A call holds its whole snapshot, and so all that is replaced with it.
    fn run(&self, mut leaving: Vec<(Box<dyn Retired>, Arc<Leaving>)>) {
        let (mut look, mut reported) = (Duration::from_millis(1), false);
        loop {
            let mut left = Vec::new();
            for (retired, told) in leaving {
                if retired.holders() > 1 {
                    left.push((retired, told));
                } else {
                    told.closing();
                    drop(retired);
                    self.draining.remove(&told);
                }
            }
            leaving = left;
            if leaving.is_empty() {
                return;
            }
            let is_late = self
                .timeout
                .is_some_and(|timeout| self.began.elapsed() > timeout);
            for (retired, told) in &leaving {
                let calls = retired.calls(&self.past);
                told.called(calls, is_late);
                if is_late && !reported {
                    self.report(told, calls);
                }
            }
            reported |= is_late;
            thread::sleep(look);
            look = (look * 2).min(SLOWEST_LOOK);
        }
    }

    fn report(&self, told: &Leaving, calls: usize) {
        let since = humantime::format_rfc3339_millis(told.since);
        tracing::error!(
            target: "dogpile.reload", drain_timeout = ?self.timeout, calls, %since,
            "{} was replaced, and is held by a call that began before; it is closed when that call ends",
            told.title
        );
    }
}
