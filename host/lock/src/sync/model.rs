//! The primitives under shuttle, which chooses every interleaving. It does not model time, weak memory or unwinding:
//! whether a deadline has passed is a free choice, and a panic is caught before guards act, because shuttle does not
//! schedule while a thread panics.

pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64};
pub(crate) use shuttle::thread::{Thread, current as current_thread};

use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::MutexGuard;
use shuttle::thread;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::PoisonError;
use std::time::Duration;

/// A mutex with the face of `parking_lot`'s.
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self(shuttle::sync::Mutex::new(inner))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn thread_number() -> u64 {
    usize::from(thread::current().id()) as u64
}

pub(crate) struct Deadline {
    comes: bool,
}

impl Deadline {
    pub(crate) fn after(wait: Option<Duration>) -> Self {
        Self {
            comes: wait.is_some(),
        }
    }

    pub(crate) fn passed(&self) -> bool {
        self.comes && thread_rng().gen_ratio(1, 4)
    }

    /// With a deadline it may return at any time, so that no interleaving of time-out and wake-up is left out.
    pub(crate) fn park(&self) {
        if self.comes {
            thread::yield_now();
        } else {
            thread::park();
        }
    }
}

pub(crate) struct Caught(Box<dyn Any + Send>);

impl Caught {
    pub(crate) fn resume(self) -> ! {
        resume_unwind(self.0)
    }
}

pub(crate) fn unwinding<T>(code: impl FnOnce() -> T) -> Result<T, Caught> {
    catch_unwind(AssertUnwindSafe(code)).map_err(Caught)
}
