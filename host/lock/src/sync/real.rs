//! The primitives of a normal build.

pub(crate) use parking_lot::{Mutex, MutexGuard};
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64};
pub(crate) use std::thread::{Thread, current as current_thread, park};

use crate::scope::Owner;
use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

std::thread_local! {
    static OWNER: Cell<Option<Owner>> = const { Cell::new(None) };
}

/// The creation at work on this thread. None also while the thread's locals are being destroyed: what waits then is
/// known to nobody, and bounded by its own deadline alone.
pub(crate) fn current_owner() -> Option<Owner> {
    OWNER.try_with(Cell::get).ok().flatten()
}

/// Gives the one before.
pub(crate) fn set_current_owner(owner: Option<Owner>) -> Option<Owner> {
    OWNER.try_with(|own| own.replace(owner)).ok().flatten()
}

/// A moment that a blocked thread wakes at.
#[derive(Clone, Copy)]
pub(crate) struct Moment(Instant);

impl Moment {
    /// `None`: too far away to be written down, and so never.
    pub(crate) fn after(wait: Duration) -> Option<Self> {
        Instant::now().checked_add(wait).map(Self)
    }

    pub(crate) fn has_come(self) -> bool {
        Instant::now() >= self.0
    }

    /// Parks this thread until it is unparked or the moment has come, possibly less.
    pub(crate) fn park(self) {
        thread::park_timeout(self.0.saturating_duration_since(Instant::now()));
    }
}
