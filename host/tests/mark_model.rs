//! Every interleaving of a thread that marks its calls with one that looks, by the model checker. The source is the
//! host's own, over the checker's atomics.

#![forbid(unsafe_code)]
#![allow(dead_code, reason = "hits are counted elsewhere")]

use std::sync::Arc;

use shuttle::sync::atomic::{AtomicBool, AtomicU64 as Current};
use shuttle::thread;

mod atomics {
    pub(super) use shuttle::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
}

#[path = "../src/slot/mark.rs"]
mod mark;

use atomics::Ordering;
use mark::Mark;

const CALLEE: usize = 7;

/// The calls of a thread, and which of them it is in: what an observer of everything would know.
#[derive(Default)]
struct Caller {
    mark: Mark,
    /// How many were begun.
    begun: Current,
    /// How many have ended.
    ended: Current,
}

impl Caller {
    fn call(&self, hit: bool) {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.mark.enter(CALLEE);
        if hit {
            self.mark.leave_with_hit();
        } else {
            self.mark.leave();
        }
        self.ended.fetch_add(1, Ordering::SeqCst);
    }
}

/// Whoever sees the same call twice has seen one that was under way all the time in between.
#[test]
fn no_two_calls_are_taken_for_one_that_hangs() {
    shuttle::check_random(
        || {
            let caller = Arc::new(Caller::default());
            let theirs = Arc::clone(&caller);
            let calls = thread::spawn(move || {
                for call in 0..4 {
                    theirs.call(call % 2 == 0);
                }
            });
            let first = caller.mark.look();
            // The first look is over: what begins from here on was not seen by it.
            let begun = caller.begun.load(Ordering::SeqCst);
            let ended = caller.ended.load(Ordering::SeqCst);
            let second = caller.mark.look();
            if let (Some(one), Some(other)) = (first, second)
                && one == other
            {
                assert!(
                    begun > ended,
                    "none was under way between the looks: {one:?}"
                );
                // Numbers begin at 0: it is this call, which was begun by then, and whose end was not counted.
                assert!(
                    one.1 < begun && one.1 >= ended,
                    "{one:?} of {begun}, {ended}"
                );
            }
            calls.join().unwrap();
        },
        3_000,
    );
}

/// A call that does not end is seen by every look that begins after it did.
#[test]
fn no_call_that_hangs_is_missed() {
    shuttle::check_random(
        || {
            let caller = Arc::new(Caller::default());
            let hangs = Arc::new(AtomicBool::new(false));
            let (theirs, told) = (Arc::clone(&caller), Arc::clone(&hangs));
            let calls = thread::spawn(move || {
                theirs.call(true);
                theirs.call(false);
                theirs.mark.enter(CALLEE);
                told.store(true, Ordering::SeqCst);
            });
            let hung = hangs.load(Ordering::SeqCst);
            let seen = caller.mark.look();
            if hung {
                assert_eq!(seen, Some((CALLEE, 2)));
            }
            calls.join().unwrap();
            assert_eq!(caller.mark.look(), Some((CALLEE, 2)));
        },
        3_000,
    );
}
