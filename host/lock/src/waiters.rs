//! Who waits for one creation, in the order of arrival.

use crate::scope::Owner;
use crate::sync::{Arc, Mutex};
use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

/// One caller in line. Its wait ends when its flight has an ending or when it is chosen to take the turn over.
pub(crate) struct Waiter<L>(Mutex<State<L>>);

struct State<L> {
    /// None until it is first polled: then it looks for itself.
    waker: Option<Waker>,
    /// Its caller creates another key and would leave a turn lying about.
    away: bool,
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
            away: false,
            chosen: None,
        }))
    }

    /// The turn, if it was given to this waiter; else it will be woken.
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<Given<L>> {
        let mut state = self.0.lock();
        state.away = false;
        let known = state.waker.as_ref();
        if state.chosen.is_none() && !known.is_some_and(|own| own.will_wake(context.waker())) {
            // A waker is the user's code: it is cloned, and the one before is dropped, without the lock.
            drop(state);
            let waker = context.waker().clone();
            state = self.0.lock();
            let before = state.waker.replace(waker);
            let chosen = state.chosen.take();
            drop(state);
            drop(before);
            return chosen.map_or(Poll::Pending, Poll::Ready);
        }
        state.chosen.take().map_or(Poll::Pending, Poll::Ready)
    }

    /// The turn, if it was given to this waiter, which does not wait any more, or not until it is polled again.
    pub(crate) fn rest(&self) -> Option<Given<L>> {
        let mut state = self.0.lock();
        state.away = true;
        state.chosen.take()
    }

    /// Gives it the turn, unless it is away. Only under the table's lock; it is to be taken off the list then.
    fn choose(&self, given: Given<L>) -> Result<(), Given<L>> {
        let mut state = self.0.lock();
        if state.away {
            return Err(given);
        }
        state.chosen = Some(given);
        Ok(())
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

    /// Gives the turn to the first who is there, and takes that one off the list.
    pub(crate) fn choose(&mut self, mut given: Given<L>) -> Result<Arc<Waiter<L>>, Given<L>> {
        for at in 0..self.0.len() {
            match self.0[at].choose(given) {
                Ok(()) => return Ok(self.0.remove(at).expect("it is there")),
                Err(back) => given = back,
            }
        }
        Err(given)
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
