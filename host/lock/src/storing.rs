//! The store of a created value, which may outlive the call that made it.

use crate::flight::Flight;
use crate::flights::Flights;
use crate::scope::Owner;
use crate::sync::{Arc, Mutex, MutexGuard};
use std::fmt::{self, Debug, Formatter};

/// Keeps a store and deletions of its key apart: after a deletion nothing is stored that was created before it.
///
/// It may go to another thread, and the call that made it may be dropped. Before its store has begun, it is not run then;
/// after that, the key stays taken until it has ended.
pub struct Storing<V, E, L = ()> {
    flight: Arc<Flight<V, E>>,
    deletions: u64,
    phase: Arc<Mutex<Phase<V, E, L>>>,
}

/// How far a turn's store is.
pub(crate) enum Phase<V, E, L> {
    /// It has not begun, or has ended.
    Idle,
    Running,
    /// The turn was dropped while it runs: who ends it hands that over.
    Left(Remains<V, E, L>),
    /// The turn is gone: it is not to begin.
    Void,
}

/// What is left of a turn that was dropped.
pub(crate) struct Remains<V, E, L> {
    pub(crate) flights: Flights<V, E, L>,
    pub(crate) flight: Arc<Flight<V, E>>,
    pub(crate) parent: Option<Owner>,
    pub(crate) lease: Option<L>,
}

impl<V, E, L> Remains<V, E, L> {
    fn hand_over(self) {
        let Self {
            flights,
            flight,
            parent,
            lease,
        } = self;
        drop(flights.hand_over(&flight, parent, lease));
    }
}

/// The turn is dropped: it is handed over now, or when its store has ended.
pub(crate) fn leave<V, E, L>(phase: &Mutex<Phase<V, E, L>>, remains: Remains<V, E, L>) {
    let mut phase = phase.lock();
    if matches!(*phase, Phase::Running) {
        *phase = Phase::Left(remains);
        return;
    }
    *phase = Phase::Void;
    drop(phase);
    remains.hand_over();
}

impl<V, E, L> Storing<V, E, L> {
    pub(crate) fn new(
        flight: &Arc<Flight<V, E>>,
        deletions: u64,
        phase: &Arc<Mutex<Phase<V, E, L>>>,
    ) -> Self {
        Self {
            flight: Arc::clone(flight),
            deletions,
            phase: Arc::clone(phase),
        }
    }

    /// Runs `store`, which may block, unless the key was deleted since the creation began. A deletion that comes
    /// meanwhile waits for it, so it must not delete the key itself. Gives `None` if it was not run.
    pub fn run<T>(&self, store: impl FnOnce() -> T) -> Option<T> {
        let _undeleted = self.hold()?;
        Some(store())
    }

    /// As [`Storing::run`], for as long as the outcome is kept: for several keys that are stored together.
    pub fn hold(&self) -> Option<Undeleted<'_, V, E, L>> {
        let guard = self.flight.hold(self.deletions)?;
        let mut phase = self.phase.lock();
        if matches!(*phase, Phase::Void) {
            return None;
        }
        *phase = Phase::Running;
        drop(phase);
        Some(Undeleted {
            guard: Some(guard),
            phase: &self.phase,
        })
    }
}

/// Deletions of a key wait while this is kept. From [`Storing::hold`].
#[must_use = "dropped, it keeps nothing away"]
pub struct Undeleted<'a, V, E, L = ()> {
    guard: Option<MutexGuard<'a, ()>>,
    phase: &'a Mutex<Phase<V, E, L>>,
}

impl<V, E, L> Drop for Undeleted<'_, V, E, L> {
    fn drop(&mut self) {
        drop(self.guard.take());
        let mut phase = self.phase.lock();
        let before = std::mem::replace(&mut *phase, Phase::Idle);
        if let Phase::Left(remains) = before {
            *phase = Phase::Void;
            drop(phase);
            remains.hand_over();
        }
    }
}

impl<V, E, L> Debug for Undeleted<'_, V, E, L> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Undeleted")
    }
}

impl<V, E, L> Clone for Storing<V, E, L> {
    fn clone(&self) -> Self {
        Self::new(&self.flight, self.deletions, &self.phase)
    }
}

impl<V, E, L> Debug for Storing<V, E, L> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storing")
            .field("key", self.flight.key())
            .finish_non_exhaustive()
    }
}
