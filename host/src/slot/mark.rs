//! Whether a stripe's thread is in a backend, as another thread can see it.

use super::atomics::{AtomicU64, AtomicUsize, Ordering};

/// What a thread that has its stripe alone leaves of each call in it: two stores, and the count that it keeps anyway.
///
/// The number of a call is how many ended before it. Who looks twice and finds the same number has seen the same call:
/// a call clears the mark before it counts, and so does each one before the next marks.
#[derive(Default)]
pub(crate) struct Mark {
    /// Whom the call is made to; 0: there is none.
    callee: AtomicUsize,
    /// Calls that found a fresh value.
    hits: AtomicU64,
    /// Calls that found anything else.
    others: AtomicU64,
}

impl Mark {
    /// A call begins. `callee` is not 0.
    #[inline]
    pub(crate) fn enter(&self, callee: usize) {
        self.callee.store(callee, Ordering::Release);
    }

    /// The call has ended with a hit, which is counted.
    #[inline]
    pub(crate) fn leave_with_hit(&self) {
        self.callee.store(0, Ordering::Release);
        count(&self.hits);
    }

    /// The call has ended without one.
    #[inline]
    pub(crate) fn leave(&self) {
        self.callee.store(0, Ordering::Release);
        count(&self.others);
    }

    /// How many hits there were.
    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Acquire)
    }

    /// Whom a call is made to, and the call's number; from any thread. One that begins or ends meanwhile may be missed.
    pub(crate) fn look(&self) -> Option<(usize, u64)> {
        let ended = || self.hits() + self.others.load(Ordering::Acquire);
        let number = ended();
        let callee = self.callee.load(Ordering::Acquire);
        (callee != 0 && ended() == number).then_some((callee, number))
    }
}

/// Its stripe's thread alone writes it.
#[inline]
fn count(calls: &AtomicU64) {
    calls.store(calls.load(Ordering::Relaxed) + 1, Ordering::Release);
}
