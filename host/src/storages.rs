//! What the backends of regions hold, as they say when they are asked.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use dogpile_plugin_api::{BackendInstance, BackendStats};
use parking_lot::{Condvar, Mutex};

use crate::engine::Engine;
use crate::events::EvictedEvent;
use crate::health::State;
use crate::instance::Instance;
use crate::registry::Configured;

/// How long all backends together may take to say how much they hold.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of the storage of each region, by the number of its slot.
#[derive(Default)]
pub(crate) struct Storages(Mutex<HashMap<usize, Arc<Storage>>>);

/// What a region's backend holds. `None`: it does not say, or not now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holds {
    pub(crate) entries: Option<u64>,
    pub(crate) bytes: Option<u64>,
    /// Over all its instances.
    pub(crate) evictions: Option<u64>,
    pub(crate) expirations: Option<u64>,
}

#[derive(Default)]
struct Storage {
    asked: Mutex<Asked>,
    answered: Condvar,
}

#[derive(Default)]
struct Asked {
    /// Who has not answered yet: it is not asked again.
    asking: Option<Weak<Instance>>,
    /// What it last answered; nothing while it has not.
    entries: Option<u64>,
    bytes: Option<u64>,
    /// Whose counters were last read.
    read: Weak<Instance>,
    evictions: Total,
    expirations: Total,
    /// Evictions of which the program was not told yet.
    untold: u64,
}

/// A counter of instances that succeed each other, each of which begins at 0.
#[derive(Default)]
struct Total {
    is_told: bool,
    /// Of those before.
    before: u64,
    last: u64,
}

impl Total {
    /// Takes in what an instance says, and gives how many there are more.
    fn take(&mut self, count: Option<u64>, is_same: bool) -> u64 {
        let Some(count) = count else {
            return 0;
        };
        self.is_told = true;
        if !is_same || count < self.last {
            self.before += self.last;
            self.last = 0;
        }
        let more = count - self.last;
        self.last = count;
        more
    }

    fn sum(&self) -> Option<u64> {
        self.is_told.then_some(self.before + self.last)
    }
}

impl Storages {
    /// Asks the backends of these regions, all at once, and waits for their answers; in the same order. Those that are
    /// out, or have not answered an earlier question, are not asked.
    pub(crate) fn ask(&self, engine: &Engine, regions: &[&Configured]) -> Vec<Holds> {
        let begin = |region: &&Configured| self.begin(engine, region);
        let storages: Vec<_> = regions.iter().map(begin).collect();
        let deadline = Instant::now() + PATIENCE;
        let asked = regions.iter().zip(storages);
        asked
            .map(|(region, storage)| {
                let (holds, evicted) = storage.wait(region.instance.base(), deadline);
                if evicted > 0 {
                    let (region, entries) = (&*region.config.name, evicted);
                    tracing::debug!(target: "dogpile.cache", region, entries, "evicted");
                    engine.events.evicted(&EvictedEvent { region, entries });
                }
                holds
            })
            .collect()
    }

    fn begin(&self, engine: &Engine, region: &Configured) -> Arc<Storage> {
        let mut storages = self.0.lock();
        let storage = Arc::clone(storages.entry(region.slot.number).or_default());
        drop(storages);
        let instance = Arc::clone(region.instance.base());
        let is_well = region.instance.state() == State::Open;
        if !storage.may_ask(&instance, is_well) {
            return storage;
        }
        let (theirs, asked) = (Arc::clone(&storage), Arc::downgrade(&instance));
        let ask = move || {
            // As a proxy calls it: what comes of it is none of the breaker's business.
            let told = instance.backend.inside("stats", BackendInstance::stats);
            // Who waits for the answer may wait for the instance's last holder next.
            drop(instance);
            theirs.answer(&asked, &told.unwrap_or_default());
        };
        if engine.calls.submit(Box::new(ask)).is_err() {
            storage.asked.lock().asking = None;
        }
        storage
    }
}

impl Storage {
    /// Whether that instance is to be asked now: nobody has asked it already.
    fn may_ask(&self, instance: &Arc<Instance>, is_well: bool) -> bool {
        let mut asked = self.asked.lock();
        let asking = asked.asking.as_ref();
        if asking.is_some_and(|asking| asking.as_ptr() == Arc::as_ptr(instance)) {
            return false;
        }
        (asked.entries, asked.bytes) = (None, None);
        asked.asking = is_well.then(|| Arc::downgrade(instance));
        is_well
    }

    fn answer(&self, instance: &Weak<Instance>, told: &BackendStats) {
        let mut asked = self.asked.lock();
        let asking = asked.asking.as_ref();
        // The region may have another one by now.
        if asking.is_none_or(|asking| !asking.ptr_eq(instance)) {
            return;
        }
        asked.asking = None;
        (asked.entries, asked.bytes) = (told.entries, told.bytes);
        let is_same = asked.read.ptr_eq(instance);
        asked.read = instance.clone();
        asked.untold += asked.evictions.take(told.evictions, is_same);
        asked.expirations.take(told.expirations, is_same);
        drop(asked);
        self.answered.notify_all();
    }

    /// What it holds, as it has answered by then; and how many were evicted that nobody was told of.
    fn wait(&self, instance: &Arc<Instance>, deadline: Instant) -> (Holds, u64) {
        let mut asked = self.asked.lock();
        let is_asked = |asked: &Asked| {
            let asking = asked.asking.as_ref();
            asking.is_some_and(|asking| asking.as_ptr() == Arc::as_ptr(instance))
        };
        while is_asked(&asked) {
            if self.answered.wait_until(&mut asked, deadline).timed_out() {
                break;
            }
        }
        let holds = Holds {
            entries: asked.entries,
            bytes: asked.bytes,
            evictions: asked.evictions.sum(),
            expirations: asked.expirations.sum(),
        };
        (holds, std::mem::take(&mut asked.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_goes_on_over_instances_that_begin_at_zero() {
        let mut total = Total::default();
        assert_eq!((total.take(None, false), total.sum()), (0, None));
        assert_eq!((total.take(Some(3), false), total.sum()), (3, Some(3)));
        assert_eq!((total.take(Some(5), true), total.sum()), (2, Some(5)));
        // Another instance, which has evicted more already.
        assert_eq!((total.take(Some(7), false), total.sum()), (7, Some(12)));
        // It was cleared.
        assert_eq!((total.take(Some(1), true), total.sum()), (1, Some(13)));
        assert_eq!((total.take(None, true), total.sum()), (0, Some(13)));
    }
}
