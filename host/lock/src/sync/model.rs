//! The primitives under shuttle, which chooses every interleaving. It does not model time, weak memory or unwinding:
//! whether a moment has come is a free choice. It does not schedule while a thread panics, either: a panic is caught before
//! guards act.

pub(crate) use shuttle::sync::MutexGuard;
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64};
pub(crate) use shuttle::thread::{Thread, current as current_thread, park};

use crate::scope::Owner;
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;
use std::cell::Cell;
use std::sync::PoisonError;
use std::time::Duration;

shuttle::thread_local! {
    static OWNER: Cell<Option<Owner>> = Cell::new(None);
}

pub(crate) fn current_owner() -> Option<Owner> {
    OWNER.try_with(Cell::get).ok().flatten()
}

pub(crate) fn set_current_owner(owner: Option<Owner>) -> Option<Owner> {
    OWNER.try_with(|own| own.replace(owner)).ok().flatten()
}

/// A mutex with the face of `parking_lot`'s.
#[derive(Default)]
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self(shuttle::sync::Mutex::new(inner))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Moment;

#[expect(
    clippy::unnecessary_wraps,
    clippy::unused_self,
    reason = "as the real one's"
)]
impl Moment {
    pub(crate) fn after(_: Duration) -> Option<Self> {
        Some(Self)
    }

    pub(crate) fn has_come(self) -> bool {
        thread_rng().gen_ratio(1, 4)
    }

    /// It may return at any time, so that no interleaving of time-out and wake-up is left out.
    pub(crate) fn park(self) {
        thread::yield_now();
    }
}
