//! What becomes of a key whose owner is killed or stopped, or whose value is deleted while it is created.

use std::time::{Duration, Instant};

use dogpile::ErrorKind;
use dogpile_tests::owners;
use dogpile_tests::part::Part;
use dogpile_tests::redis_server::RedisServer;
use dogpile_tests::worker::set_time;
use serde_json::json;

use crate::peer::rust_with;
use crate::processes::worker;
use crate::proxy::{Fault, Proxy};
use crate::support::{at, until};
use crate::watched::{ask, calls};

const LONG: Duration = Duration::from_secs(30);

/// How late the next owner may be, by the promise, and beyond that on a machine that has more to do than it can.
const LATE: Duration = Duration::from_millis(250);
const LOADED: Duration = Duration::from_secs(3);

/// Who has the lock of `key`.
fn token(server: &RedisServer) -> Option<String> {
    redis::from_redis_value(ask(server, &["GET", "_lockkey"])).unwrap()
}

#[test]
fn an_owner_that_is_killed_is_followed_when_its_lease_has_passed() {
    let server = RedisServer::start(&[]);
    let lease = Duration::from_millis(600);
    let mut next = worker(&server, lease);
    let (mut late, times) = (0, 10_u64);
    for round in 1..=times {
        let followed = owners::killed(&mut worker(&server, lease), &mut next, round);
        assert!(followed < lease + LATE + LOADED, "{followed:?}");
        late += u64::from(followed > lease + LATE);
    }
    assert!(
        late <= times / 5,
        "{late} of {times} dead owners were followed late"
    );
}

#[test]
fn what_an_owner_created_that_was_stopped_past_its_lease_is_its_own_and_is_not_stored() {
    let server = RedisServer::start(&[]);
    let lease = Duration::from_millis(600);
    owners::stopped(&mut worker(&server, lease), &mut worker(&server, lease));
}

#[test]
fn an_owner_that_was_stopped_does_not_free_the_lock_of_the_next() {
    let server = RedisServer::start(&[]);
    let lease = Duration::from_millis(600);
    let [mut owner, mut next, mut third] = [(); 3].map(|()| worker(&server, lease));
    owner.tell("hold 1 key");
    owner.expect("creating key");
    owner.stop();
    owner.tell("go key");
    next.tell("hold 2 key");
    next.expect("creating key");
    let held = token(&server);
    owner.go_on();
    owner.expect("got 1 Created");
    assert_eq!(token(&server), held);
    let asked = calls(&server, "set");
    third.tell("call 8 3 key");
    until("the third finds the second at work", || {
        calls(&server, "set") > asked
    });
    next.tell("go key");
    next.expect("got 2 Created");
    third.expect("created 0 got [2]");
}

#[test]
fn an_owner_whose_lock_is_deleted_stores_nothing() {
    let server = RedisServer::start(&[]);
    let (mut owner, mut next) = (worker(&server, LONG), worker(&server, LONG));
    owner.tell("hold 1 key");
    owner.expect("creating key");
    ask(&server, &["DEL", "_lockkey"]);
    owner.tell("go key");
    owner.expect("got 1 Created");
    next.tell("call 8 2 key");
    next.expect("created 1 got [2]");
    owner.tell("call 8 3 key");
    owner.expect("created 0 got [2]");
}

/// So it cannot renew.
#[test]
fn an_owner_that_the_network_cuts_off_is_followed_and_stores_nothing_late() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::to(server.port());
    let lease = Duration::from_millis(900);
    let behind = json!({ "host": "127.0.0.1", "port": proxy.port() });
    let mut owner = Part::of("redis", behind, lease).start();
    let mut next = worker(&server, lease);
    owner.tell("hold 1 key");
    owner.expect("creating key");
    proxy.set(Fault::Refuse);
    proxy.cut();
    next.tell("call 8 2 key");
    next.expect("created 1 got [2]");
    proxy.set(Fault::None);
    owner.tell("answers");
    owner.expect("done");
    owner.tell("go key");
    owner.expect("got 1 Created");
    owner.tell("call 1 3 key");
    owner.expect("created 0 got [2]");
}

#[test]
fn while_another_process_creates_those_who_are_served_the_old_value_do_not_ask_again() {
    let server = RedisServer::start(&[]);
    let (mut owner, mut other) = (worker(&server, LONG), worker(&server, LONG));
    owner.tell("call 1 1 key");
    owner.expect("created 1 got [1]");
    set_time([&mut owner, &mut other], 61);
    owner.tell("hold 2 key");
    owner.expect("creating key");
    let before = calls(&server, "set");
    for _ in 0..20 {
        other.tell("call 8 3 key");
        other.expect("created 0 got [1]");
    }
    assert_eq!(calls(&server, "set"), before + 1);
    owner.tell("go key");
    owner.expect("got 2 Created");
    // What the other process has stored is seen at once.
    other.tell("call 8 3 key");
    other.expect("created 0 got [2]");
}

#[test]
fn an_owner_that_is_killed_while_others_are_served_the_old_value_is_followed_too() {
    let server = RedisServer::start(&[]);
    let lease = Duration::from_secs(1);
    let (mut owner, mut other) = (worker(&server, lease), worker(&server, lease));
    owner.tell("call 1 1 key");
    owner.expect("created 1 got [1]");
    set_time([&mut owner, &mut other], 61);
    owner.tell("hold 2 key");
    owner.expect("creating key");
    other.tell("call 1 3 key");
    other.expect("created 0 got [1]");
    let killed = Instant::now();
    owner.kill();
    loop {
        other.tell("call 1 3 key");
        match &*other.hear() {
            "created 0 got [1]" => {}
            "created 1 got [3]" => break,
            line => panic!("{line}"),
        }
    }
    let followed = killed.elapsed();
    assert!(followed >= lease / 3, "{followed:?}");
    assert!(followed < lease + LATE + LOADED, "{followed:?}");
}

#[test]
fn who_waits_no_longer_than_it_may_gets_an_error_and_the_creation_goes_on() {
    let server = RedisServer::start(&[]);
    let mut part = Part::of("redis", at(&server), LONG);
    part.has_system_clock = true;
    let mut owner = part.start();
    let wait = Duration::from_millis(200);
    let impatient = rust_with(&server, |config| config.lock_wait(wait));
    owner.tell("hold 1 key");
    owner.expect("creating key");
    let since = Instant::now();
    let created = impatient.get_or_create("key", || -> u32 { panic!("it has no lock") });
    let took = since.elapsed();
    assert_eq!(created.unwrap_err().kind(), ErrorKind::LockWait);
    assert!(took >= wait && took < wait + LOADED, "{took:?}");
    owner.tell("go key");
    owner.expect("got 1 Created");
    assert_eq!(*impatient.get_or_create("key", || 2_u32).unwrap(), 1);
}

#[test]
fn a_creator_that_takes_longer_than_its_lease_keeps_it() {
    let server = RedisServer::start(&[]);
    let lease = Duration::from_millis(600);
    let [mut owner, mut other] = [(); 2].map(|()| worker(&server, lease));
    owners::slow(&mut owner, &mut other, lease * 3, || token(&server));
}

#[test]
fn what_another_process_deletes_while_it_is_created_is_not_stored() {
    let server = RedisServer::start(&[]);
    let (mut owner, mut other) = (worker(&server, LONG), worker(&server, LONG));
    for delete in ["delete key", "delete key another", "clear"] {
        owners::deleted(&mut owner, &mut other, delete);
    }
}

#[test]
fn what_another_process_invalidates_while_it_is_created_is_outdated_for_all() {
    let server = RedisServer::start(&[]);
    let (mut owner, mut other) = (worker(&server, LONG), worker(&server, LONG));
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
    let mut third = worker(&server, LONG);
    set_time([&mut third], 3);
    third.tell("call 8 3 key");
    third.expect("created 0 got [2]");
}
