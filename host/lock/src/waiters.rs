//! Who waits for one creation, in the order of arrival.

use crate::circle::Owner;
use crate::sync::{Arc, AtomicBool, Ordering, Thread, current_thread};
use std::collections::VecDeque;

/// One blocked caller. Its sleep ends when its flight has an ending or when it is chosen to take the turn over.
pub(crate) struct Waiter {
    owner: Owner,
    chosen: AtomicBool,
    sleeper: Sleeper,
}

/// What is asleep. A task's waker will be the other kind.
enum Sleeper {
    Thread(Thread),
}

impl Waiter {
    /// The calling thread, on behalf of `owner`.
    pub(crate) fn thread(owner: Owner) -> Self {
        Self {
            owner,
            chosen: AtomicBool::new(false),
            sleeper: Sleeper::Thread(current_thread()),
        }
    }

    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }

    /// Gives it the turn. Only under the table's lock, when it has just been taken off the list.
    pub(crate) fn choose(&self) {
        self.chosen.store(true, Ordering::Release);
    }

    pub(crate) fn is_chosen(&self) -> bool {
        self.chosen.load(Ordering::Acquire)
    }

    /// Never under an internal lock.
    pub(crate) fn wake(&self) {
        match &self.sleeper {
            Sleeper::Thread(thread) => thread.unpark(),
        }
    }
}

/// The list. A waiter is on it until it is chosen, until the flight ends, or until it leaves by itself.
#[derive(Default)]
pub(crate) struct Waiters(VecDeque<Arc<Waiter>>);

impl Waiters {
    pub(crate) fn push(&mut self, waiter: Arc<Waiter>) {
        self.0.push_back(waiter);
    }

    pub(crate) fn pop(&mut self) -> Option<Arc<Waiter>> {
        self.0.pop_front()
    }

    /// False if it was no longer on the list.
    pub(crate) fn remove(&mut self, waiter: &Arc<Waiter>) -> bool {
        let place = self.0.iter().position(|other| Arc::ptr_eq(other, waiter));
        place.and_then(|place| self.0.remove(place)).is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn owners(&self) -> impl Iterator<Item = Owner> {
        self.0.iter().map(|waiter| waiter.owner())
    }

    pub(crate) fn wake_all(self) {
        for waiter in self.0 {
            waiter.wake();
        }
    }
}
