//! Who waits for one creation, in the order of arrival.

use crate::scope::Owner;
use crate::sync::{Arc, Mutex};
use std::collections::VecDeque;
use std::task::{Context, Waker};

/// One caller in line. Its wait ends when its flight has an ending or when it is chosen to take the turn over.
pub(crate) struct Waiter<L>(Mutex<State<L>>);

struct State<L> {
    /// None until it is first polled: then it looks for itself.
    waker: Option<Waker>,
    chosen: Option<Given<L>>,
}

/// A turn as it is handed over.
pub(crate) struct Given<L> {
    pub(crate) owner: Owner,
    pub(crate) lease: Option<L>,
}

impl<L> Waiter<L> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            waker: None,
            chosen: None,
        }))
    }

    /// The turn, if it was given to this waiter; else it will be woken.
    pub(crate) fn take_turn(&self, context: &Context<'_>) -> Option<Given<L>> {
        let mut state = self.0.lock();
        let chosen = state.chosen.take();
        if chosen.is_none() {
            match &mut state.waker {
                Some(waker) => waker.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
        }
        chosen
    }

    /// The turn, if it was given to this waiter, which does not wait any more.
    pub(crate) fn take_turn_unpolled(&self) -> Option<Given<L>> {
        self.0.lock().chosen.take()
    }

    /// Gives it the turn. Only under the table's lock, when it has just been taken off the list.
    pub(crate) fn choose(&self, given: Given<L>) {
        self.0.lock().chosen = Some(given);
    }

    /// Never under the table's lock.
    pub(crate) fn wake(&self) {
        let waker = self.0.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The list. A waiter is on it until it is chosen, until the flight ends, or until it leaves by itself.
pub(crate) struct Waiters<L>(VecDeque<Arc<Waiter<L>>>);

impl<L> Waiters<L> {
    pub(crate) fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(crate) fn push(&mut self, waiter: Arc<Waiter<L>>) {
        self.0.push_back(waiter);
    }

    pub(crate) fn pop(&mut self) -> Option<Arc<Waiter<L>>> {
        self.0.pop_front()
    }

    /// False if it was no longer on the list.
    pub(crate) fn remove(&mut self, waiter: &Arc<Waiter<L>>) -> bool {
        let place = self.0.iter().position(|other| Arc::ptr_eq(other, waiter));
        place.and_then(|place| self.0.remove(place)).is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn wake_all(self) {
        for waiter in self.0 {
            waiter.wake();
        }
    }
}
