//! A caller's place in line for one key.

use crate::flight::Flight;
use crate::flights::Flights;
use crate::sync::{Arc, Deadline};
use crate::turn::Turn;
use crate::waiters::Waiter;
use std::time::Duration;
use tracing::debug;

/// Held from when the waiter is on the list. Dropped before the wait is over, by a panic or otherwise, it leaves the
/// line, and hands a turn that it has been given meanwhile to the next.
pub(crate) struct Waiting<'a, V: Clone, E: Clone> {
    flights: &'a Flights<V, E>,
    flight: Arc<Flight<V, E>>,
    waiter: Arc<Waiter>,
    over: bool,
}

/// How a wait came out.
pub(crate) enum Waited<'a, V: Clone, E: Clone> {
    /// The flight has an ending.
    Ended(Arc<Flight<V, E>>),
    /// Its creator is gone, and this caller is the next.
    Turn(Turn<'a, V, E>),
    TimedOut(Duration),
}

impl<'a, V: Clone, E: Clone> Waiting<'a, V, E> {
    /// For a waiter that has just been put on the list of `flight`.
    pub(crate) fn new(
        flights: &'a Flights<V, E>,
        flight: Arc<Flight<V, E>>,
        waiter: Arc<Waiter>,
    ) -> Self {
        Self {
            flights,
            flight,
            waiter,
            over: false,
        }
    }

    /// Blocks this thread, which must be the waiter's, for `wait` at most.
    pub(crate) fn block(mut self, wait: Option<Duration>) -> Waited<'a, V, E> {
        let key = Arc::clone(self.flight.key());
        let key = &*key;
        debug!(target: "dogpile.lock", key, "no value, waiting while another creates it");
        let deadline = Deadline::after(wait);
        let waited = loop {
            if self.flight.ending().is_some() {
                self.over = true;
                break Waited::Ended(Arc::clone(&self.flight));
            }
            if self.waiter.is_chosen() {
                self.over = true;
                break Waited::Turn(Turn::new(self.flights, Arc::clone(&self.flight)));
            }
            if !deadline.passed() {
                deadline.park();
            } else if self.flights.leave(&self.flight, &self.waiter) {
                self.over = true;
                break Waited::TimedOut(wait.unwrap_or(Duration::MAX));
            }
            // Else it was off the list already: it is chosen, or the ending is published, as is seen above.
        };
        let outcome = match &waited {
            Waited::Ended(_) => "the creation waited for has ended",
            Waited::Turn(_) => "the creator is gone, taking over",
            Waited::TimedOut(_) => "waited too long",
        };
        debug!(target: "dogpile.lock", key, "{outcome}");
        waited
    }
}

impl<V: Clone, E: Clone> Drop for Waiting<'_, V, E> {
    fn drop(&mut self) {
        if !self.over && !self.flights.leave(&self.flight, &self.waiter) && self.waiter.is_chosen()
        {
            drop(Turn::new(self.flights, Arc::clone(&self.flight)));
        }
    }
}

#[cfg(all(test, not(feature = "model-check")))]
mod tests {
    use crate::flights::{Entered, Flights};
    use crate::{Reading, WaitGraph};
    use std::sync::mpsc;
    use std::thread;

    #[test]
    fn a_place_in_line_given_up_is_left_and_a_turn_given_to_it_goes_on() {
        let flights = Flights::<u32, u32>::new(WaitGraph::new());
        let Entered::Turn(turn) = flights.enter(1, "key", true) else {
            panic!("nobody creates it");
        };
        let (in_line, lined_up) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel();
        thread::scope(|scope| {
            let flights = &flights;
            scope.spawn(move || {
                let gone = flights.enter(1, "key", true);
                assert!(matches!(gone, Entered::Waiting(_)));
                drop(gone);
                assert_eq!(flights.waiting(1, "key"), 0);

                let chosen = flights.enter(1, "key", true);
                in_line.send(()).unwrap();
                may_go_on.recv().unwrap();
                drop(chosen);
            });
            lined_up.recv().unwrap();
            let next = scope.spawn(|| {
                let mut operation = crate::flights::tests::Makes(7);
                flights.get_or_create(1, "key", Reading::Missing, &mut operation, None)
            });
            while flights.waiting(1, "key") < 2 {
                thread::yield_now();
            }
            // Chooses the first in line, which has not yet seen it when it gives up.
            drop(turn);
            assert_eq!(flights.waiting(1, "key"), 1);
            go_on.send(()).unwrap();
            assert_eq!(next.join().unwrap().unwrap().value, 7);
        });
        assert!(!flights.is_creating(1, "key"));
        assert!(format!("{flights:?}").contains("waits: 0"));
    }
}
