//! The primitives of a normal build.

pub(crate) use parking_lot::Mutex;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64};
pub(crate) use std::thread::{Thread, current as current_thread};

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// A number that no other thread of this process has or had.
pub(crate) fn thread_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    // A thread whose locals are being destroyed still needs an identity of its own.
    NUMBER
        .try_with(|number| *number)
        .unwrap_or_else(|_| NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The end of one caller's patience, counted from when it begins to wait.
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// `None`, or a time too far away to be written down, is never.
    pub(crate) fn after(wait: Option<Duration>) -> Self {
        Self(wait.and_then(|wait| Instant::now().checked_add(wait)))
    }

    pub(crate) fn passed(&self) -> bool {
        self.0.is_some_and(|at| Instant::now() >= at)
    }

    /// Parks this thread until it is unparked or the deadline has come, possibly less.
    pub(crate) fn park(&self) {
        match self.0 {
            None => thread::park(),
            Some(at) => thread::park_timeout(at.saturating_duration_since(Instant::now())),
        }
    }
}

/// What [`unwinding`] never gives in this build: a panic goes its own way.
pub(crate) struct Caught(Infallible);

impl Caught {
    pub(crate) fn resume(self) -> ! {
        match self.0 {}
    }
}

/// Runs the user's code. A panic passes through, and guards act in their `Drop`.
#[expect(
    clippy::unnecessary_wraps,
    reason = "the model's twin has to catch panics"
)]
pub(crate) fn unwinding<T>(code: impl FnOnce() -> T) -> Result<T, Caught> {
    Ok(code())
}
