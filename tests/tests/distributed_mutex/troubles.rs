//! Stores that are slow, and leases that cannot be renewed.

use std::time::Duration;

use crate::processes::StoreProcess;
use crate::protocol::Gate;

#[test]
fn a_lease_is_renewed_until_a_slow_store_has_ended() {
    let lease = Duration::from_millis(600);
    let store = StoreProcess::start();
    let (mut owner, mut other) = (store.worker(lease), store.worker(lease));
    owner.tell("hold 1 key");
    owner.expect("creating key");
    store.gate("SetGuarded key", Gate::Shut);
    owner.tell("go key");
    store.until_counted("SetGuarded key", 1);
    other.tell("call 8 2 key");
    // Two lengths of the lease.
    let renewed = store.count("Renew key");
    store.until_counted("Renew key", renewed + 7);
    store.gate("SetGuarded key", Gate::Open);
    owner.expect("got 1 Created");
    other.expect("created 0 got [1]");
    assert_eq!(store.stored("key").as_deref(), Some("1"));
    assert_eq!(store.count("Refused key"), 0);
    assert!(store.late("key").is_empty(), "the lease has passed");
}

/// Renewals come to nothing: another follows, and what the owner has made is for the store to refuse.
fn unrenewed(gate: Gate) {
    let lease = Duration::from_millis(500);
    let store = StoreProcess::start();
    let (mut owner, mut next) = (store.worker(lease), store.worker(lease));
    store.gate("Renew key", gate);
    owner.tell("hold 1 key");
    owner.expect("creating key");
    // Its own is renewed as ever, whatever hangs.
    owner.tell("hold 1 another");
    owner.expect("creating another");
    next.tell("call 8 2 key");
    next.expect("created 1 got [2]");
    store.until_counted("Renew another", 4);
    for key in ["key", "another"] {
        owner.tell(&format!("go {key}"));
        owner.expect("got 1 Created");
    }
    assert_eq!(store.count("Refused key"), 1);
    assert_eq!(store.stored("key").as_deref(), Some("2"));
    assert_eq!(store.stored("another").as_deref(), Some("1"));
    store.gate("Renew key", Gate::Open);
}

#[test]
fn an_owner_whose_renewals_hang_is_followed_and_refused_by_the_store() {
    unrenewed(Gate::Shut);
}

#[test]
fn an_owner_whose_renewals_fail_is_followed_and_refused_by_the_store() {
    unrenewed(Gate::Fails);
}
