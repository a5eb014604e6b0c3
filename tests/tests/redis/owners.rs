//! What becomes of a key whose owner is killed or stopped, or whose value is deleted while it is created.

use std::time::{Duration, Instant};

use dogpile_tests::redis_server::RedisServer;
use dogpile_tests::worker::set_time;

use crate::processes::worker;
use crate::support::{client, until};

const LONG: Duration = Duration::from_secs(30);

/// How late the next owner may be, by the promise, and beyond that on a machine that has more to do than it can.
const LATE: Duration = Duration::from_millis(250);
const LOADED: Duration = Duration::from_secs(3);

#[test]
fn an_owner_that_is_killed_is_followed_when_its_lease_has_passed() {
    let server = RedisServer::start(&[]);
    let lease = Duration::from_millis(600);
    let mut next = worker(&server, lease);
    let (mut late, times) = (0, 10_u64);
    for round in 1..=times {
        let mut owner = worker(&server, lease);
        set_time([&mut owner, &mut next], round * 121);
        owner.tell("hold 0 key");
        owner.expect("creating key");
        next.tell(&format!("call 8 {round} key"));
        let killed = Instant::now();
        owner.kill();
        next.expect(&format!("created 1 got [{round}]"));
        let followed = killed.elapsed();
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
    let (mut owner, mut next) = (worker(&server, lease), worker(&server, lease));
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

#[test]
fn a_creator_that_takes_longer_than_its_lease_keeps_it() {
    let server = RedisServer::start(&[]);
    let lease = Duration::from_millis(600);
    let (mut owner, mut other) = (worker(&server, lease), worker(&server, lease));
    owner.tell("hold 1 key");
    owner.expect("creating key");
    other.tell("call 8 2 key");
    let mut client = client(&server);
    let token = |client: &mut redis::Connection| {
        redis::cmd("GET")
            .arg("_lockkey")
            .query::<Option<String>>(client)
            .unwrap()
    };
    let held = token(&mut client);
    let since = Instant::now();
    while since.elapsed() < lease * 3 {
        assert_eq!(token(&mut client), held);
    }
    owner.tell("go key");
    owner.expect("got 1 Created");
    other.expect("created 0 got [1]");
    until("the lock is given back", || token(&mut client).is_none());
}

#[test]
fn what_another_process_deletes_while_it_is_created_is_not_stored() {
    let server = RedisServer::start(&[]);
    let (mut owner, mut other) = (worker(&server, LONG), worker(&server, LONG));
    for delete in ["delete key", "delete key another", "clear"] {
        owner.tell("hold 1 key");
        owner.expect("creating key");
        other.tell(delete);
        other.expect("done");
        owner.tell("go key");
        owner.expect("got 1 Created");
        other.tell("call 1 2 key");
        other.expect("created 1 got [2]");
        other.tell("delete key");
        other.expect("done");
    }
}
