//! What one process deletes while another creates it.

use std::time::Duration;

use dogpile_tests::worker::set_time;

use crate::processes::StoreProcess;

const LEASE: Duration = Duration::from_secs(30);

/// Another process gives an order while a value is created, which goes to its own caller alone.
fn deleted_by(order: &str) {
    let store = StoreProcess::start();
    let (mut owner, mut other) = (store.worker(LEASE), store.worker(LEASE));
    owner.tell("hold 1 key");
    owner.expect("creating key");
    other.tell(order);
    other.expect("done");
    owner.tell("go key");
    owner.expect("got 1 Created");
    assert_eq!(store.stored("key"), None);
    // It was neither a lost lease, nor does it stand in the way of the next.
    assert_eq!(
        (store.count("Refused key"), store.count("Deleted key")),
        (0, 1)
    );
    for worker in [&mut owner, &mut other] {
        worker.tell("call 8 2 key");
    }
    let lines = [owner.hear(), other.hear()];
    assert!(lines.contains(&"created 1 got [2]".to_owned()), "{lines:?}");
    assert!(lines.contains(&"created 0 got [2]".to_owned()), "{lines:?}");
    assert_eq!(store.stored("key").as_deref(), Some("2"));
}

#[test]
fn what_another_process_deletes_meanwhile_is_not_stored() {
    deleted_by("delete key");
}

#[test]
fn what_another_process_deletes_among_others_meanwhile_is_not_stored() {
    deleted_by("delete another key");
}

#[test]
fn what_another_process_clears_meanwhile_is_not_stored() {
    deleted_by("clear");
}

#[test]
fn what_was_deleted_before_it_is_created_is_stored() {
    let store = StoreProcess::start();
    let (mut owner, mut other) = (store.worker(LEASE), store.worker(LEASE));
    other.tell("delete key");
    other.expect("done");
    owner.tell("call 8 1 key");
    owner.expect("created 1 got [1]");
    assert_eq!(store.stored("key").as_deref(), Some("1"));
}

#[test]
fn what_another_process_invalidates_meanwhile_is_outdated_for_it_though_it_is_stored() {
    let store = StoreProcess::start();
    let (mut owner, mut other) = (store.worker(LEASE), store.worker(LEASE));
    owner.tell("hold 1 key");
    owner.expect("creating key");
    set_time([&mut owner, &mut other], 1);
    other.tell("invalidate");
    other.expect("done");
    set_time([&mut owner, &mut other], 2);
    owner.tell("go key");
    owner.expect("got 1 Created");
    other.tell("call 8 2 key");
    other.expect("created 1 got [2]");
    // And so for one that begins now.
    let mut third = store.worker(LEASE);
    set_time([&mut third], 3);
    third.tell("call 8 3 key");
    third.expect("created 0 got [2]");
}
