//! Backends that hang: nobody else waits for them, and the rest of the host does not notice.

#![forbid(unsafe_code)]

mod region_support;

use std::thread;
use std::time::{Duration, Instant};

use dogpile::{Host, OnBackendError, Region, RegionConfig, RegionStatus, Source};

use region_support::{Board, Gate, SECOND, builder, until};

const HANG_AFTER: Duration = Duration::from_millis(100);

/// A host with a region `users` on the watched backend, and one on another.
fn host(config: RegionConfig) -> (Host, Region) {
    let other = RegionConfig::on("zero", "memory");
    let built = builder().0.region(config).region(other).build();
    let host = built.unwrap();
    let users = host.region("users").unwrap();
    (host, users)
}

fn status(host: &Host) -> RegionStatus {
    let regions = host.status().regions;
    let users = regions.into_iter().find(|region| region.name == "users");
    users.unwrap()
}

/// What a backend does, and a call of the region that leads to it.
type Case = (&'static str, &'static str, fn(&Region));

fn cases() -> Vec<Case> {
    vec![
        ("get", "get", |users| drop(users.get::<i32>("1"))),
        ("get_fresh", "get_fresh", |users| {
            drop(users.get_or_create("1", || 1));
        }),
        ("set", "set", |users| drop(users.set("1", 1))),
        ("set", "set_guarded", |users| {
            drop(users.get_or_create("1", || 1));
        }),
        ("delete", "delete", |users| drop(users.delete("1"))),
        ("clear", "clear", |users| drop(users.clear())),
        ("get_multi", "get_multi", |users| {
            drop(users.get_multi::<i32, _>(&["1", "2"]));
        }),
        ("set_multi", "set_multi", |users| {
            drop(users.set_multi([("1", 1), ("2", 2)]));
        }),
        ("delete_multi", "delete_multi", |users| {
            drop(users.delete_multi(&["1", "2"]));
        }),
        ("try_acquire", "try_acquire", |users| {
            drop(users.get_or_create("1", || 1));
        }),
        ("release", "release", |users| {
            drop(users.get_or_create("1", || 1));
        }),
        ("is_locked", "is_locked", |users| {
            drop(users.key_is_locked("1"));
        }),
        ("ping", "ping", |users| drop(users.ping())),
    ]
}

/// One call hangs in each method in turn: the others are served at once, as if the backend failed.
fn hangs_in_each(kind: &str, config: impl Fn(&Board) -> RegionConfig) {
    for (at, (call, method, make)) in cases().into_iter().enumerate() {
        let board = Board::new(&format!("{kind} hangs in {method} {at}"));
        let (host, users) = host(config(&board).hang_after(HANG_AFTER));
        let zero = host.region("zero").unwrap();
        let gate = Gate::on(&board, &[call, "ping"]);
        thread::scope(|scope| {
            scope.spawn(|| make(&users));
            until(|| !gate.held().is_empty());
            let began = Instant::now();
            until(|| {
                assert_eq!(*zero.get_or_create("1", || 1).unwrap(), 1);
                status(&host).state == "breaker open"
            });
            let took = began.elapsed();
            assert!(took < HANG_AFTER + SECOND, "{method}: {took:?}");
            let hung = status(&host);
            let reason = hung.reason.unwrap();
            let expected = format!("hang in {method} for 0.1 s");
            assert_eq!(reason, expected, "{kind}");
            // In time the ping is stuck as well.
            assert!((1..=2).contains(&hung.stuck_calls), "{method}");
            // No call of it is begun any more, but for the ping.
            let made = users.get_or_create("2", || 2).unwrap();
            assert_eq!((*made, made.source()), (2, Source::Created), "{method}");
            assert!(gate.ever_held() <= 2, "{method}: {:?}", gate.held());
            gate.open();
        });
        until(|| status(&host).state == "open" && status(&host).stuck_calls == 0);
        users.set("3", 3).unwrap();
        assert_eq!(users.get::<i32>("3").unwrap().as_deref(), Some(&3));
    }
}

#[test]
fn a_backend_that_hangs_in_any_method_is_called_by_nobody_else() {
    hangs_in_each("objects", Board::objects);
}

/// Its keys are not plain, so that no call is marked in its thread's stripe.
#[test]
fn a_backend_of_bytes_that_hangs_in_any_method_is_called_by_nobody_else() {
    hangs_in_each("bytes", |board| board.bytes().key_prefix("p:"));
}

#[test]
fn a_proxy_around_what_hangs_is_called_by_nobody_else() {
    let board = Board::new("around");
    let config = board.around(board.objects(), "outer");
    let (host, users) = host(config.hang_after(HANG_AFTER));
    let gate = Gate::on(&board, &["get", "ping"]);
    thread::scope(|scope| {
        scope.spawn(|| users.get::<i32>("1").unwrap());
        until(|| status(&host).state == "breaker open");
        assert!(status(&host).reason.unwrap().starts_with("hang in get for"));
        assert_eq!(*users.get_or_create("2", || 2).unwrap(), 2);
        gate.open();
    });
    until(|| status(&host).state == "open");
}

#[test]
fn who_wants_errors_gets_one_at_once_while_a_call_hangs() {
    let board = Board::new("errors");
    let config = board.objects().on_backend_error(OnBackendError::Fail);
    let (host, users) = host(config.hang_after(HANG_AFTER));
    let gate = Gate::on(&board, &["get 1", "ping"]);
    thread::scope(|scope| {
        scope.spawn(|| users.get::<i32>("1").unwrap());
        until(|| status(&host).state == "breaker open");
        let error = users.get::<i32>("2").unwrap_err().to_string();
        for part in [
            "`users`",
            "`spy`",
            "breaker is open",
            "hang in get for 0.1 s",
            "ping",
        ] {
            assert!(error.contains(part), "{error}: {part}");
        }
        gate.open();
    });
}

#[test]
fn a_ping_that_is_answered_has_the_backend_called_again_while_a_call_hangs_in_it() {
    let board = Board::new("one key");
    let (host, users) = host(board.objects().hang_after(HANG_AFTER));
    let gate = Gate::on(&board, &["get 1"]);
    thread::scope(|scope| {
        scope.spawn(|| users.get::<i32>("1").unwrap());
        until(|| status(&host).stuck_calls == 1);
        until(|| status(&host).state == "open");
        // It is not taken for another that hangs.
        let pings = |calls: Vec<String>| calls.iter().filter(|call| *call == "ping").count();
        assert_eq!(pings(board.calls()), 1);
        users.set("2", 2).unwrap();
        assert_eq!(users.get::<i32>("2").unwrap().as_deref(), Some(&2));
        assert_eq!(status(&host).stuck_calls, 1);
        gate.open();
    });
    until(|| status(&host).stuck_calls == 0);
}

#[test]
fn no_more_than_one_ping_hangs() {
    let board = Board::new("pings");
    let (host, users) = host(board.objects().hang_after(HANG_AFTER));
    let gate = Gate::on(&board, &["get", "ping"]);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| users.get::<i32>("1").unwrap());
        }
        // The ping is noticed as well, and so was given as much time as another would need to begin.
        until(|| status(&host).stuck_calls == 4);
        let mut held = gate.held();
        held.sort();
        assert_eq!(held, ["get 1", "get 1", "get 1", "ping"]);
        gate.open();
    });
    until(|| status(&host).state == "open");
    assert_eq!(gate.ever_held(), 4);
}

#[test]
fn a_region_that_does_not_ask_is_not_watched() {
    let board = Board::new("unasked");
    let asks = Board::new("asks");
    let mut config = asks.objects();
    config.name = "asks".into();
    let built = builder().0.region(board.objects().hang_never());
    let host = built.region(config.hang_after(HANG_AFTER)).build().unwrap();
    let (users, others) = (host.region("users").unwrap(), host.region("asks").unwrap());
    let (gate, others_gate) = (
        Gate::on(&board, &["get"]),
        Gate::on(&asks, &["get", "ping"]),
    );
    thread::scope(|scope| {
        scope.spawn(|| users.get::<i32>("1").unwrap());
        until(|| gate.held().len() == 1);
        scope.spawn(|| others.get::<i32>("1").unwrap());
        // By then the first was seen for longer.
        until(|| host.status().regions[0].stuck_calls == 1);
        let unasked = status(&host);
        assert_eq!((unasked.state.as_str(), unasked.stuck_calls), ("open", 0));
        gate.open();
        others_gate.open();
    });
}

#[test]
fn a_backend_is_given_the_time_that_it_says_its_calls_may_take_and_a_second() {
    let board = Board::new("patient");
    let asks = Board::new("impatient");
    let mut config = asks.objects();
    config.name = "asks".into();
    let built = builder().0.region(
        board
            .objects()
            .argument("longest_call", 60)
            .hang_after(HANG_AFTER),
    );
    let host = built
        .region(config.hang_after(2 * HANG_AFTER))
        .build()
        .unwrap();
    let (users, others) = (host.region("users").unwrap(), host.region("asks").unwrap());
    let (gate, others_gate) = (
        Gate::on(&board, &["get"]),
        Gate::on(&asks, &["get", "ping"]),
    );
    thread::scope(|scope| {
        scope.spawn(|| users.get::<i32>("1").unwrap());
        until(|| gate.held().len() == 1);
        scope.spawn(|| others.get::<i32>("1").unwrap());
        until(|| host.status().regions[0].stuck_calls == 1);
        assert_eq!(status(&host).stuck_calls, 0);
        gate.open();
        others_gate.open();
    });
}

/// The regions are looked at in the order of their names.
#[test]
fn of_regions_that_share_a_backend_the_least_patient_counts() {
    let hour = Duration::from_hours(1);
    for (at, limits) in [[HANG_AFTER, hour], [hour, HANG_AFTER]].iter().enumerate() {
        let board = Board::new(&format!("least patient {at}"));
        let [one, other] = [("users", limits[0]), ("zzz", limits[1])].map(|(name, limit)| {
            let mut config = board.objects().shares_keys().hang_after(limit);
            config.name = name.into();
            config
        });
        let host = builder().0.region(one).region(other).build().unwrap();
        let users = host.region("users").unwrap();
        let gate = Gate::on(&board, &["get"]);
        thread::scope(|scope| {
            scope.spawn(|| users.get::<i32>("1").unwrap());
            until(|| {
                host.status()
                    .regions
                    .iter()
                    .all(|region| region.stuck_calls == 1)
            });
            gate.open();
        });
    }
}

#[test]
fn a_wait_for_a_mutex_is_no_hang() {
    let board = Board::new("waits");
    let (host, users) = host(board.shared().hang_after(HANG_AFTER));
    board.lock_key("1");
    let gate = Gate::on(&board, &["get 2", "ping"]);
    thread::scope(|scope| {
        let waits = scope.spawn(|| *users.get_or_create("1", || 1).unwrap());
        until(|| board.mutex_calls_of("try_acquire") > 0);
        scope.spawn(|| users.get::<i32>("2").unwrap());
        // By then the wait has taken longer.
        until(|| status(&host).stuck_calls > 0);
        assert_eq!(status(&host).stuck_calls, 1);
        gate.open();
        board.unlock_key("1");
        assert_eq!(waits.join().unwrap(), 1);
    });
}

#[test]
fn a_host_can_be_dropped_while_a_call_hangs_in_it() {
    let board = Board::new("dropped");
    let (host, users) = host(board.objects().hang_after(HANG_AFTER));
    let gate = Gate::on(&board, &["get", "ping"]);
    let caller = thread::spawn(move || users.get::<i32>("1").unwrap());
    until(|| status(&host).state == "breaker open" && gate.held().len() == 2);
    drop(host);
    assert!(board.calls().iter().all(|call| call != "close"));
    gate.open();
    assert!(caller.join().unwrap().is_none());
    let mut calls = Vec::new();
    until(|| {
        calls.extend(board.calls());
        calls.iter().any(|call| call == "drop")
    });
    assert_eq!(calls.iter().filter(|call| *call == "close").count(), 1);
    assert_eq!(calls[calls.len() - 2..], ["close", "drop"]);
}
