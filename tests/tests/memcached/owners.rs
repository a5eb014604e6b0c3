//! What becomes of a key whose owner is killed or stopped, or whose value is deleted while it is created.

use std::time::{Duration, Instant};

use dogpile_tests::worker::{create_once_at_each, set_time};

use crate::raw::Raw;
use crate::support::{servers, until};
use crate::worker::worker;

const BACKENDS: [&str; 3] = ["memcached", "memcached_ketama", "memcached_binary"];

/// The shortest lease that never passes late.
const LEASE: Duration = Duration::from_secs(3);

/// How late the next owner may be, by the promise, and beyond that on a machine that has more to do than it can.
const LATE: Duration = Duration::from_millis(250);
const LOADED: Duration = Duration::from_secs(3);

#[test]
fn eight_threads_of_each_process_create_once_at_each_expiry() {
    for backend in BACKENDS {
        let servers = servers(3, &[]);
        let mut workers = [(); 3].map(|()| worker(backend, &servers, Duration::from_mins(1)));
        create_once_at_each(20, &mut workers);
    }
}

#[test]
fn an_owner_that_is_killed_is_followed_when_its_lease_has_passed() {
    for backend in BACKENDS {
        let servers = servers(3, &[]);
        let mut next = worker(backend, &servers, LEASE);
        let mut owner = worker(backend, &servers, LEASE);
        set_time([&mut owner, &mut next], 121);
        owner.tell("hold 0 key");
        owner.expect("creating key");
        next.tell("call 8 1 key");
        let killed = Instant::now();
        owner.kill();
        next.expect("created 1 got [1]");
        let followed = killed.elapsed();
        assert!(followed < LEASE + LATE + LOADED, "{backend}: {followed:?}");
    }
}

#[test]
fn what_an_owner_created_that_was_stopped_past_its_lease_is_its_own_and_is_not_stored() {
    for backend in BACKENDS {
        let servers = servers(3, &[]);
        let (mut owner, mut next) = (
            worker(backend, &servers, LEASE),
            worker(backend, &servers, LEASE),
        );
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
}

#[test]
fn a_creator_that_takes_longer_than_its_lease_keeps_it() {
    let servers = servers(1, &[]);
    let mut raw = Raw::to(&servers[0]);
    let (mut owner, mut other) = (
        worker("memcached", &servers, LEASE),
        worker("memcached", &servers, LEASE),
    );
    owner.tell("hold 1 key");
    owner.expect("creating key");
    other.tell("call 8 2 key");
    let held = raw.text("_lockkey");
    assert!(held.is_some());
    let since = Instant::now();
    while since.elapsed() < LEASE * 2 {
        assert_eq!(raw.text("_lockkey"), held);
    }
    owner.tell("go key");
    owner.expect("got 1 Created");
    other.expect("created 0 got [1]");
    until("the lock is given back", || raw.text("_lockkey").is_none());
}

#[test]
fn what_another_process_deletes_while_it_is_created_is_not_stored() {
    for backend in BACKENDS {
        let servers = servers(3, &[]);
        let lease = Duration::from_secs(30);
        let (mut owner, mut other) = (
            worker(backend, &servers, lease),
            worker(backend, &servers, lease),
        );
        owner.tell("hold 1 key");
        owner.expect("creating key");
        other.tell("delete key");
        other.expect("done");
        owner.tell("go key");
        owner.expect("got 1 Created");
        other.tell("call 1 2 key");
        other.expect("created 1 got [2]");
        owner.tell("call 1 3 key");
        owner.expect("created 0 got [2]");
    }
}
