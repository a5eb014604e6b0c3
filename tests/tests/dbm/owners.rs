//! What becomes of a key whose owner is killed or stopped, or waits for a key of who waits for its own.

use std::fs;
use std::time::{Duration, SystemTime};

use dogpile_tests::locks::until_one_waits;
use dogpile_tests::worker::set_time;

use crate::processes::Shared;

/// How late the next owner may be, by the promise, and in one of ten cases on a machine that has more to do than it can.
const LATE: Duration = Duration::from_millis(250);
const LOADED: Duration = Duration::from_secs(1);

/// By the time that the kernel gives the file when the next owner stores into it, so that it does not matter when this
/// process gets to look.
#[test]
fn an_owner_that_is_killed_is_followed_at_once() {
    let shared = Shared::new();
    let mut next = shared.worker();
    let mut late = Vec::new();
    for round in 1..=100_u64 {
        let mut owner = shared.worker();
        set_time([&mut owner, &mut next], round * 121);
        owner.tell("hold 0 key");
        owner.expect("creating key");
        next.tell(&format!("call 8 {round} key"));
        until_one_waits(&shared.lock_file());
        let before = stored_at(&shared);
        let killed = SystemTime::now();
        owner.kill();
        next.expect(&format!("created 1 got [{round}]"));
        let stored = stored_at(&shared);
        assert_ne!(stored, before);
        // The kernel's time for files may be a tick behind.
        late.push(stored.duration_since(killed).unwrap_or_default());
    }
    late.sort_unstable();
    eprintln!(
        "dead owners were followed after {:?} to {:?}",
        late[0], late[99]
    );
    assert!(late[99] < LOADED && late[89] <= LATE, "{late:?}");
}

fn stored_at(shared: &Shared) -> SystemTime {
    let file = fs::metadata(shared.file()).unwrap();
    file.modified().unwrap()
}

#[test]
fn an_owner_that_is_stopped_keeps_its_key_and_others_go_on() {
    let shared = Shared::new();
    let (mut owner, mut other) = (shared.worker(), shared.worker());
    owner.tell("hold 1 key");
    owner.expect("creating key");
    owner.stop();
    other.tell("call 8 2 key");
    // Nothing but that key waits.
    other.tell("call 8 3 another");
    other.expect("created 1 got [3]");
    owner.go_on();
    owner.tell("go key");
    owner.expect("got 1 Created");
    other.expect("created 0 got [1]");
}

#[test]
fn two_processes_that_create_two_keys_within_each_other_end_with_an_error_and_a_value() {
    let shared = Shared::new();
    let patience = Duration::from_millis(500);
    let mut one = shared.worker_with(patience);
    let mut other = shared.worker_with(patience * 4);
    one.tell("nest a b");
    one.expect("creating a");
    other.tell("nest b a");
    other.expect("creating b");
    one.tell("go a");
    other.tell("go b");
    let line = one.hear();
    assert!(
        line.starts_with("error ") && line.contains("after waiting"),
        "{line}"
    );
    // The other creates what the first gave up.
    other.expect("got 2");
    one.tell("nest a b");
    // Both keys have values now.
    one.expect("got 1");
}

#[test]
fn two_processes_that_create_two_keys_within_each_other_in_one_order_both_end_with_values() {
    let shared = Shared::new();
    let (mut one, mut other) = (shared.worker(), shared.worker());
    one.tell("nest a b");
    one.expect("creating a");
    other.tell("nest a b");
    one.tell("go a");
    one.expect("got 2");
    other.expect("got 2");
}
