//! The right to create one key.

use crate::clock::Clock;
use crate::error::LockError;
use crate::failures::Retry;
use crate::flight::{Ending, Flight};
use crate::flights::{Entered, Flights};
use crate::operation::{Operation, Outcome};
use crate::passage::{Seen, Taken, take};
use crate::scope::Owner;
use crate::storing::{Phase, Remains, Storing, leave};
use crate::sync::{Arc, Mutex};
use crate::waiting::Waiting;
use std::fmt::{self, Debug, Formatter};

/// The right to create one key, held by exactly one caller. Dropped before it has ended, by a panic or otherwise, it
/// hands itself to the next waiter, with its lease; without a waiter the flight is over. If its value is being stored at
/// that moment, on another thread, that comes first. It may be sent to another thread.
pub struct Turn<V, E, L = ()> {
    flights: Flights<V, E, L>,
    flight: Arc<Flight<V, E>>,
    owner: Owner,
    /// The creation whose creator called for this one.
    parent: Option<Owner>,
    /// How many deletions had come when the creation began.
    deletions: u64,
    lease: Option<L>,
    /// Of its store.
    phase: Arc<Mutex<Phase<V, E, L>>>,
    ended: bool,
}

impl<V, E, L> Turn<V, E, L> {
    /// For who has just been noted as the owner in the table.
    pub(crate) fn new(
        flights: Flights<V, E, L>,
        flight: Arc<Flight<V, E>>,
        owner: Owner,
        parent: Option<Owner>,
        lease: Option<L>,
    ) -> Self {
        Self {
            deletions: flight.deletions(),
            flights,
            flight,
            owner,
            parent,
            lease,
            phase: Arc::new(Mutex::new(Phase::Idle)),
            ended: false,
        }
    }

    /// The creations that it is one of.
    pub fn flights(&self) -> &Flights<V, E, L> {
        &self.flights
    }

    /// The key.
    pub fn key(&self) -> &str {
        self.flight.key()
    }

    /// Whether anybody waits for the value.
    pub fn is_awaited(&self) -> bool {
        self.flights.waiting(self.flight.hash(), self.key()) > 0
    }

    /// Whether a creation of the key has failed so lately that it is to be left alone: within the [`Retry`] of who noted it.
    pub fn has_failed_lately(&self, clock: &Clock) -> bool {
        let mut failures = self.flights.failures().lock();
        failures.is_recent(self.key(), clock)
    }

    /// Puts a lease in, which goes with the turn.
    pub fn give_lease(&mut self, lease: L) {
        self.lease = Some(lease);
    }

    /// Creates and stores the value with the turn of another caller, which does not wait for it: in the background. If
    /// it turns out that another process has the right to create, [`Operation::watch`] gets the turn and the outcome is
    /// `None`. `retry` is as in the caller's request.
    ///
    /// A panic of the operation leaves the key alone as an error does, since it has no caller to go to: whoever is served a
    /// stale value meanwhile would run into it again at once. It goes on to who runs this.
    ///
    /// # Errors
    ///
    /// [`LockError::Creation`] if the creation failed, though a stale value may be served instead: there is nobody to
    /// serve it to.
    pub async fn run<O>(
        mut self,
        operation: &mut O,
        retry: Option<Retry<'_>>,
    ) -> Result<Option<Outcome<V>>, LockError<E>>
    where
        V: Clone,
        E: Clone,
        O: Operation<Value = V, Error = E, Lease = L>,
    {
        self.detach();
        match take(self, operation, &mut Seen::nothing(), retry, retry).await {
            Taken::Done(done) => done.map(Some).map_err(LockError::Creation),
            Taken::Elsewhere(turn) => {
                operation.watch(turn);
                Ok(None)
            }
        }
    }

    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }

    pub(crate) fn lease(&self) -> Option<&L> {
        self.lease.as_ref()
    }

    pub(crate) fn take_lease(&mut self) -> Option<L> {
        self.lease.take()
    }

    /// The creation begins: what is deleted from now on is not stored.
    pub(crate) fn begin(&mut self) {
        self.deletions = self.flight.deletions();
    }

    pub(crate) fn storing(&self) -> Storing<V, E, L> {
        Storing::new(&self.flight, self.deletions, &self.phase)
    }

    /// It is no longer part of the call that took it.
    fn detach(&mut self) {
        self.owner = Owner::new();
        let parent = self.parent.take();
        self.flights.change_owner(&self.flight, self.owner, parent);
    }

    /// It is one of several that `owner` creates together.
    pub(crate) fn become_part_of(&mut self, owner: Owner) {
        self.owner = owner;
        self.flights.change_owner(&self.flight, owner, None);
    }

    /// Another process creates: whoever is to have this turn meanwhile, its caller is only one of those who wait, if it
    /// does. `flights` is its own table.
    pub(crate) fn step_aside<'f>(
        &mut self,
        flights: &'f Flights<V, E, L>,
        has_a_value: bool,
    ) -> Option<Waiting<'f, V, E, L>> {
        self.detach();
        self.flights.mark_elsewhere(&self.flight);
        if has_a_value {
            return None;
        }
        match flights.enter(self.flight.hash(), self.flight.key(), true) {
            Entered::Waiting(waiting) => Some(waiting),
            _ => unreachable!("the key has a flight, whose turn is held here and waits for nobody"),
        }
    }

    /// Ends the flight with a value. `retry` is that of the request.
    pub(crate) fn succeed(self, value: &V, retry: Option<Retry<'_>>)
    where
        V: Clone,
    {
        if retry.is_some() {
            self.flights.failures().lock().forget(self.key());
        }
        self.end(|| Ending::Made(value.clone()));
    }

    /// Ends the flight with an error; the key is left alone then as `retry` says.
    pub(crate) fn fail(self, error: &E, retry: Option<Retry<'_>>)
    where
        E: Clone,
    {
        if let Some(retry) = retry {
            self.flights.failures().lock().note(self.key(), retry);
        }
        self.end(|| Ending::Failed(error.clone()));
    }

    /// The creation fell over: the turn is handed over, and the key is left alone then as `retry` says.
    pub(crate) fn fall(self, retry: Option<Retry<'_>>) {
        if let Some(retry) = retry {
            self.flights.failures().lock().note(self.key(), retry);
        }
        drop(self);
    }

    /// Ends the flight. `ending` is asked for only if somebody waits for it; if that panics, the turn is handed over.
    pub(crate) fn end(mut self, ending: impl FnOnce() -> Ending<V, E>) {
        if !self.flights.end_unawaited(&self.flight) {
            let ending = ending();
            self.flights.end(&self.flight, ending, self.deletions);
        }
        self.ended = true;
    }
}

impl<V, E, L> Drop for Turn<V, E, L> {
    fn drop(&mut self) {
        if !self.ended {
            let remains = Remains {
                flights: self.flights.clone(),
                flight: Arc::clone(&self.flight),
                parent: self.parent,
                lease: self.lease.take(),
            };
            leave(&self.phase, remains);
        }
    }
}

impl<V, E, L> Debug for Turn<V, E, L> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("key", &self.key())
            .finish_non_exhaustive()
    }
}
