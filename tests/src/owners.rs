//! What becomes of a key whose owner is killed or stopped, or whose value is deleted while it is created: of workers that
//! share a storage.

use std::time::{Duration, Instant};

use crate::process::Process;
use crate::until::until;
use crate::worker::set_time;

/// The owner is killed in the middle of its creation. Gives how long it takes until another has created it, with that value.
///
/// # Panics
///
/// If the other gets something else.
pub fn killed(owner: &mut Process, next: &mut Process, value: u64) -> Duration {
    set_time([&mut *owner, &mut *next], value * 121);
    owner.tell("hold 0 key");
    owner.expect("creating key");
    next.tell(&format!("call 8 {value} key"));
    let killed = Instant::now();
    owner.kill();
    next.expect(&format!("created 1 got [{value}]"));
    killed.elapsed()
}

/// The owner is stopped past its lease. Its value is its own, and is not stored.
///
/// # Panics
///
/// If not.
pub fn stopped(owner: &mut Process, next: &mut Process) {
    owner.tell("hold 1 key");
    owner.expect("creating key");
    owner.stop();
    next.tell("call 8 2 key");
    next.expect("created 1 got [2]");
    owner.go_on();
    owner.tell("go key");
    owner.expect("got 1 Created");
    // All see what was stored.
    owner.tell("call 1 3 key");
    owner.expect("created 0 got [2]");
    next.tell("call 1 3 key");
    next.expect("created 0 got [2]");
}

/// The owner takes that long for its creation, which is longer than its lease, and keeps it: what is seen of the lock is
/// the same all the time, and nothing at the end.
///
/// # Panics
///
/// If not.
pub fn slow(
    owner: &mut Process,
    other: &mut Process,
    takes: Duration,
    mut lock: impl FnMut() -> Option<String>,
) {
    owner.tell("hold 1 key");
    owner.expect("creating key");
    other.tell("call 8 2 key");
    let held = lock();
    assert!(held.is_some());
    let since = Instant::now();
    while since.elapsed() < takes {
        assert_eq!(lock(), held);
    }
    owner.tell("go key");
    owner.expect("got 1 Created");
    other.expect("created 0 got [1]");
    until("the lock is given back", || lock().is_none());
}

/// What the other deletes, so, while it is created is not stored.
///
/// # Panics
///
/// If it is.
pub fn deleted(owner: &mut Process, other: &mut Process, delete: &str) {
    owner.tell("hold 1 key");
    owner.expect("creating key");
    other.ask(delete, "done");
    owner.tell("go key");
    owner.expect("got 1 Created");
    other.ask("call 1 2 key", "created 1 got [2]");
    owner.ask("call 1 3 key", "created 0 got [2]");
    other.ask("delete key", "done");
}
