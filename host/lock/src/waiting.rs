//! A caller's place in line for one key.

use crate::flight::Flight;
use crate::flights::Flights;
use crate::scope::Owner;
use crate::sync::Arc;
use crate::turn::Turn;
use crate::waiters::{Given, Waiter};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Held from when the waiter is on the list. Dropped before the wait is over, by a panic or otherwise, it leaves the
/// line, and hands a turn that it has been given meanwhile to the next.
pub(crate) struct Waiting<'f, V, E, L> {
    flights: &'f Flights<V, E, L>,
    flight: Arc<Flight<V, E>>,
    waiter: Arc<Waiter<L>>,
    parent: Option<Owner>,
    /// How many deletions had come when it began to wait.
    deletions: u64,
    over: bool,
}

/// How a wait came out.
pub(crate) enum Waited<'f, V, E, L> {
    /// The flight has an ending.
    Ended(Waiting<'f, V, E, L>),
    /// Its creator is gone, and this caller is the next.
    Turn(Turn<V, E, L>),
    TimedOut,
}

impl<'f, V, E, L> Waiting<'f, V, E, L> {
    /// For a waiter that has just been put on the list of `flight`.
    pub(crate) fn new(
        flights: &'f Flights<V, E, L>,
        flight: Arc<Flight<V, E>>,
        waiter: Arc<Waiter<L>>,
        parent: Option<Owner>,
    ) -> Self {
        Self {
            deletions: flight.deletions(),
            flights,
            flight,
            waiter,
            parent,
            over: false,
        }
    }

    /// How the flight has ended; and how many deletions had come when the wait began.
    pub(crate) fn ending(&self) -> (&Flight<V, E>, u64) {
        (&self.flight, self.deletions)
    }

    /// Gives an outcome once: the turn, or `None` if the flight has ended.
    fn poll(&mut self, context: &Context<'_>) -> Poll<Option<Turn<V, E, L>>> {
        if self.has_ended() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(given) = self.waiter.poll(context) {
            return Poll::Ready(Some(self.turn(given)));
        }
        // It may have ended before there was anybody to wake.
        if self.has_ended() {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    }

    /// Its caller goes and does something else: it is not given the turn until it is polled again. What it was given
    /// already, it takes along.
    pub(crate) fn rest(&mut self) -> Option<Turn<V, E, L>> {
        let given = self.waiter.rest()?;
        Some(self.turn(given))
    }

    /// Gives up. False if the waiter was off the list already: then it is over, and polling it says how.
    fn time_out(&mut self) -> bool {
        self.over = self.flights.leave(&self.flight, &self.waiter, self.parent);
        self.over
    }

    fn has_ended(&mut self) -> bool {
        self.over = self.flight.ending().is_some();
        self.over
    }

    fn turn(&mut self, given: Given<L>) -> Turn<V, E, L> {
        self.over = true;
        let (flights, flight) = (self.flights.clone(), Arc::clone(&self.flight));
        Turn::new(flights, flight, given.owner, self.parent, given.lease)
    }
}

impl<V, E, L> Drop for Waiting<'_, V, E, L> {
    fn drop(&mut self) {
        if self.over || self.flights.leave(&self.flight, &self.waiter, self.parent) {
            return;
        }
        if let Some(given) = self.waiter.rest() {
            drop(self.turn(given));
        }
    }
}

/// A caller's patience, over all its waits.
pub(crate) enum Patience<'a, S> {
    Endless,
    /// It ends with this future, which is not polled again then.
    Until(Pin<&'a mut S>),
    Over,
}

impl<'a, S: Future<Output = ()>> Patience<'a, S> {
    pub(crate) fn new(timer: Option<Pin<&'a mut S>>) -> Self {
        timer.map_or(Self::Endless, Self::Until)
    }

    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        if let Self::Until(timer) = self
            && timer.as_mut().poll(context).is_ready()
        {
            *self = Self::Over;
        }
        matches!(self, Self::Over)
    }

    /// Whether it is over, after others of this thread had their turn to run: for who may come here again and again
    /// without a wait in between.
    pub(crate) async fn is_over_by_now(&mut self) -> bool {
        let mut let_others_run = true;
        poll_fn(|context| {
            if !std::mem::take(&mut let_others_run) {
                return Poll::Ready(self.is_over(context));
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }
}

/// The first outcome of any of the waits, which leaves the list, with its number there; or the end of patience, by
/// which nothing leaves it.
pub(crate) async fn first_of<'f, V, E, L, S: Future<Output = ()>>(
    waits: &mut Vec<(usize, Waiting<'f, V, E, L>)>,
    patience: &mut Patience<'_, S>,
) -> (usize, Waited<'f, V, E, L>) {
    poll_fn(|context| {
        loop {
            for (at, (number, waiting)) in waits.iter_mut().enumerate() {
                let number = *number;
                if let Poll::Ready(turn) = waiting.poll(context) {
                    let (_, waiting) = waits.swap_remove(at);
                    let waited = turn.map_or(Waited::Ended(waiting), Waited::Turn);
                    return Poll::Ready((number, waited));
                }
            }
            if !patience.is_over(context) {
                return Poll::Pending;
            }
            let mut late = waits.iter_mut();
            let late = late.find_map(|(number, waiting)| waiting.time_out().then_some(*number));
            if let Some(number) = late {
                return Poll::Ready((number, Waited::TimedOut));
            }
            // All were off their lists: each has an outcome by now.
        }
    })
    .await
}

#[cfg(all(test, not(feature = "model-check")))]
mod tests {
    use super::{Patience, Waited, first_of};
    use crate::flights::tests::Makes;
    use crate::flights::{Entered, Flights};
    use crate::{Blocking, Reading, Request, WaitGraph};
    use std::future::ready;
    use std::pin::pin;
    use std::thread;

    #[test]
    fn a_value_that_is_there_is_given_also_when_patience_is_over() {
        let flights = Flights::<u32, u32>::new(WaitGraph::new());
        let Entered::Turn(turn) = flights.enter(1, "key", true) else {
            panic!("nobody creates it");
        };
        let Entered::Waiting(waiting) = flights.enter(1, "key", true) else {
            panic!("it is being created");
        };
        turn.succeed(&7, None);
        let mut timer = pin!(ready(()));
        let mut patience = Patience::new(Some(timer.as_mut()));
        let mut waits = vec![(0, waiting)];
        let (_, waited) = Blocking::new().on(first_of(&mut waits, &mut patience));
        assert!(matches!(waited, Waited::Ended(..)));
    }

    #[test]
    fn a_place_in_line_given_up_is_left_and_a_turn_given_to_it_goes_on() {
        let flights = Flights::<u32, u32>::new(WaitGraph::new());
        let Entered::Turn(turn) = flights.enter(1, "key", true) else {
            panic!("nobody creates it");
        };
        let gone = flights.enter(1, "key", true);
        assert!(matches!(gone, Entered::Waiting(_)));
        drop(gone);
        assert_eq!(flights.waiting(1, "key"), 0);

        let chosen = flights.enter(1, "key", true);
        thread::scope(|scope| {
            let next = scope.spawn(|| {
                let request = Request::new(1, "key", Reading::Missing);
                flights.get_or_create(request, &mut Makes(7))
            });
            while flights.waiting(1, "key") < 2 {
                thread::yield_now();
            }
            // Chooses the first in line, which has not yet seen it when it gives up.
            drop(turn);
            assert_eq!(flights.waiting(1, "key"), 1);
            drop(chosen);
            assert_eq!(next.join().unwrap().unwrap().value, 7);
        });
        assert!(!flights.is_creating(1, "key"));
        assert!(format!("{flights:?}").contains("waits: 0"));
    }
}
