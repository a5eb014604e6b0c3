//! The right to create one key.

use crate::flight::{Ending, Flight};
use crate::flights::Flights;
use crate::sync::Arc;

/// Held by exactly one caller per flight. Dropped before it has ended, by a panic or otherwise, it hands the turn to
/// the next waiter; without one, the flight is gone.
pub(crate) struct Turn<'a, V: Clone, E: Clone> {
    flights: &'a Flights<V, E>,
    flight: Arc<Flight<V, E>>,
    ended: bool,
}

impl<'a, V: Clone, E: Clone> Turn<'a, V, E> {
    /// For who has just been noted as the owner in the table.
    pub(crate) fn new(flights: &'a Flights<V, E>, flight: Arc<Flight<V, E>>) -> Self {
        Self {
            flights,
            flight,
            ended: false,
        }
    }

    pub(crate) fn key(&self) -> &str {
        self.flight.key()
    }

    /// Ends the flight. `ending` is asked for only if somebody waits for it; if that panics, the turn is handed over.
    pub(crate) fn end(mut self, ending: impl FnOnce() -> Ending<V, E>) {
        if !self.flights.end_unawaited(&self.flight) {
            self.flight.publish(ending());
            self.flights.end(&self.flight);
        }
        self.ended = true;
    }
}

impl<V: Clone, E: Clone> Drop for Turn<'_, V, E> {
    fn drop(&mut self) {
        if !self.ended {
            self.flights.hand_over(&self.flight);
        }
    }
}
