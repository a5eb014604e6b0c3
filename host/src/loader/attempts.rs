//! What is tried again and again must not leave another thread behind each time.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

/// Attempts at one thing, of which the next begins when no thread of an earlier one hangs in a plugin.
///
/// Threads that [`within`](super::within) leaves behind belong to the attempt that started them.
#[derive(Default)]
pub(crate) struct Attempts(Arc<Attempt>);

/// Held by each thread of an attempt.
#[derive(Default)]
pub(super) struct Attempt;

thread_local! {
    /// What this thread is in the middle of.
    static CURRENT: RefCell<Weak<Attempt>> = const { RefCell::new(Weak::new()) };
}

/// The attempt that this thread is in the middle of, for a thread that it starts.
pub(super) fn current() -> Option<Arc<Attempt>> {
    CURRENT.with_borrow(Weak::upgrade)
}

impl Attempts {
    /// Whether a thread that an attempt started has not ended.
    pub(crate) fn hang(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Makes an attempt.
    pub(crate) fn run<T>(&self, attempt: impl FnOnce() -> T) -> T {
        let _around = Around(CURRENT.replace(Arc::downgrade(&self.0)));
        attempt()
    }
}

/// Puts back what the thread was in the middle of before, also after a panic.
struct Around(Weak<Attempt>);

impl Drop for Around {
    fn drop(&mut self) {
        CURRENT.set(std::mem::take(&mut self.0));
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::super::within;
    use super::*;

    #[test]
    fn an_attempt_hangs_until_its_last_thread_has_ended() {
        let attempts = Attempts::default();
        let (go, gate) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel();
        let hang = move || {
            begun.send(()).unwrap();
            gate.recv().unwrap();
            Ok(())
        };
        attempts.run(|| {
            assert!(!attempts.hang(), "to be at it is not to hang");
            within(Duration::from_millis(1), "a", hang, drop).unwrap_err()
        });
        has_begun.recv().unwrap();
        assert!(attempts.hang());
        // What others leave behind is none of it.
        let other = Attempts::default();
        assert!(!other.hang());
        go.send(()).unwrap();
        while attempts.hang() {
            thread::yield_now();
        }
        attempts.run(|| within(Duration::MAX, "a", || Ok(()), drop).unwrap());
        while attempts.hang() {
            thread::yield_now();
        }
        assert!(current().is_none());
    }

    #[test]
    fn what_a_thread_was_in_the_middle_of_comes_back_after_an_attempt_and_after_its_panic() {
        let (outer, inner) = (Attempts::default(), Attempts::default());
        let is_of = |attempts: &Attempts| Arc::ptr_eq(&current().unwrap(), &attempts.0);
        outer.run(|| {
            inner.run(|| assert!(is_of(&inner)));
            assert!(is_of(&outer));
            let panics = || inner.run(|| panic!("on purpose"));
            catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
            assert!(is_of(&outer));
        });
        assert!(current().is_none());
    }
}
