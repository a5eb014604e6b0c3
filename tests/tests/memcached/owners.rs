//! What becomes of a key whose owner is killed or stopped, or whose value is deleted while it is created.

use std::time::Duration;

use dogpile_tests::memcached_server::MemcachedServer;
use dogpile_tests::owners;
use dogpile_tests::process::Process;
use dogpile_tests::worker::create_once_at_each;

use crate::raw::Raw;
use crate::support::servers;
use crate::worker::worker;

const BACKENDS: [&str; 3] = ["memcached", "memcached_ketama", "memcached_binary"];

/// The shortest lease that never passes late.
const LEASE: Duration = Duration::from_secs(3);

/// How late the next owner may be, by the promise, and beyond that on a machine that has more to do than it can.
const LATE: Duration = Duration::from_millis(250);
const LOADED: Duration = Duration::from_secs(3);

/// Two processes that share three servers.
fn two(backend: &str, lease: Duration) -> (Vec<MemcachedServer>, Process, Process) {
    let servers = servers(3, &[]);
    let [one, other] = [(); 2].map(|()| worker(backend, &servers, lease));
    (servers, one, other)
}

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
        let (_servers, mut owner, mut next) = two(backend, LEASE);
        let followed = owners::killed(&mut owner, &mut next, 1);
        assert!(followed < LEASE + LATE + LOADED, "{backend}: {followed:?}");
    }
}

#[test]
fn what_an_owner_created_that_was_stopped_past_its_lease_is_its_own_and_is_not_stored() {
    for backend in BACKENDS {
        let (_servers, mut owner, mut next) = two(backend, LEASE);
        owners::stopped(&mut owner, &mut next);
    }
}

#[test]
fn a_creator_that_takes_longer_than_its_lease_keeps_it() {
    let servers = servers(1, &[]);
    let mut raw = Raw::to(&servers[0]);
    let [mut owner, mut other] = [(); 2].map(|()| worker("memcached", &servers, LEASE));
    owners::slow(&mut owner, &mut other, LEASE * 2, || raw.text("_lockkey"));
}

#[test]
fn what_another_process_deletes_while_it_is_created_is_not_stored() {
    for backend in BACKENDS {
        let (_servers, mut owner, mut other) = two(backend, Duration::from_secs(30));
        owners::deleted(&mut owner, &mut other, "delete key");
    }
}
