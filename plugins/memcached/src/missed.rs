use std::collections::HashSet;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use dogpile_plugin_api::tracing::warn;
use parking_lot::{Mutex, MutexGuard};

/// Keys that were changed or deleted while a server could not be told: what it has of them is old. They are deleted there
/// before it is asked again.
#[derive(Debug, Default)]
pub(crate) struct Missed {
    /// Whether there are any that are not known to be deleted there.
    any: AtomicBool,
    /// Whether there were more of them than are remembered.
    overflowed: AtomicBool,
    keys: Mutex<HashSet<Box<str>>>,
    turn: Mutex<()>,
}

/// The turn to delete them: others who want to ask the server wait until it is over.
#[derive(Debug)]
pub(crate) struct Turn<'m> {
    missed: &'m Missed,
    _alone: MutexGuard<'m, ()>,
}

/// So many are remembered of a server.
const MOST: usize = 100_000;

impl Missed {
    pub(crate) fn add(&self, key: &str) {
        // Once, and not for each further key.
        if !self.remember(key) && !self.overflowed.swap(true, Ordering::Relaxed) {
            warn!(
                "a server is away that missed changes of {MOST} keys: of further ones it may have old values when it \
                 is back"
            );
        }
    }

    fn remember(&self, key: &str) -> bool {
        let mut keys = self.keys.lock();
        if keys.len() >= MOST {
            return keys.contains(key);
        }
        keys.insert(key.into());
        self.any.store(true, Ordering::Release);
        true
    }

    /// Whether something is to be deleted there first.
    pub(crate) fn is_any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Blocks while another has the turn, until the deadline at most.
    pub(crate) fn turn(&self, deadline: Instant) -> Option<Turn<'_>> {
        let alone = self.turn.try_lock_until(deadline)?;
        Some(Turn {
            missed: self,
            _alone: alone,
        })
    }
}

impl Turn<'_> {
    /// All of them, which are forgotten: what could not be deleted is to be added again.
    pub(crate) fn take(&self) -> HashSet<Box<str>> {
        mem::take(&mut *self.missed.keys.lock())
    }

    /// What was taken is deleted, or was added again.
    pub(crate) fn end(self) {
        let keys = self.missed.keys.lock();
        self.missed.overflowed.store(false, Ordering::Relaxed);
        self.missed.any.store(!keys.is_empty(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use dogpile_plugin_api::tracing::span::{Attributes, Id, Record};
    use dogpile_plugin_api::tracing::{Dispatch, Event, Metadata, Subscriber, subscriber};

    use super::*;

    /// Counts what is logged.
    struct Logged(Arc<AtomicUsize>);

    impl Subscriber for Logged {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, _: &Event<'_>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    fn take(missed: &Missed) -> HashSet<Box<str>> {
        let turn = missed.turn(Instant::now()).unwrap();
        let keys = turn.take();
        turn.end();
        keys
    }

    #[test]
    fn what_was_missed_is_remembered_once_and_up_to_a_limit() {
        let missed = Missed::default();
        assert!(!missed.is_any());
        missed.add("a");
        missed.add("a");
        missed.add("b");
        assert!(missed.is_any());
        assert_eq!(take(&missed), HashSet::from(["a".into(), "b".into()]));
        assert!(!missed.is_any());
        for number in 0..=MOST {
            missed.add(&number.to_string());
        }
        assert_eq!(take(&missed).len(), MOST);
    }

    #[test]
    fn nobody_takes_it_for_done_before_the_turn_is_over() {
        let missed = Missed::default();
        missed.add("a");
        let turn = missed.turn(Instant::now()).unwrap();
        assert_eq!(turn.take().len(), 1);
        assert!(missed.is_any());
        let soon = Instant::now() + Duration::from_millis(20);
        assert!(missed.turn(soon).is_none());
        missed.add("b");
        turn.end();
        assert!(missed.is_any());
        assert_eq!(take(&missed), HashSet::from(["b".into()]));
    }

    #[test]
    fn that_there_were_too_many_is_logged_once_each_time() {
        let logged = Arc::new(AtomicUsize::new(0));
        // Were it the only one, tracing would ask the thread that first comes to an event, of whichever test, whether anybody
        // wants it, and keep the answer for all threads.
        let _another = Dispatch::new(subscriber::NoSubscriber::default());
        subscriber::with_default(Logged(Arc::clone(&logged)), || {
            let missed = Missed::default();
            for times in 1..=2 {
                for number in 0..MOST + 10 {
                    missed.add(&number.to_string());
                }
                assert_eq!(logged.load(Ordering::SeqCst), times);
                take(&missed);
            }
        });
    }
}
