//! Backends that panic are reopened, and those that fail too often are left alone until they answer a ping.

#![forbid(unsafe_code)]

mod region_support;

use std::sync::mpsc;
use std::time::Duration;
use std::{fs, thread};

use dogpile::{ErrorKind, Host, MissReason, OnBackendError, Region, RegionConfig, Source};

use region_support::{Board, Fault, START, all_misses, builder, misses, until};

/// A host with a region `users` on the watched backend.
fn host(config: RegionConfig) -> (Host, Region) {
    let host = builder().0.region(config).build().unwrap();
    let users = host.region("users").unwrap();
    (host, users)
}

fn state(host: &Host) -> String {
    host.status().regions[0].state.clone()
}

/// Until the host has given all regions what they are to have.
fn until_open(host: &Host) {
    until(|| state(host) == "open");
    // The status may be ahead of callers, until the change is over and another can be made.
    let _configured_before = host.configure(RegionConfig::on("zero", "null"));
}

fn opened(calls: &[String]) -> usize {
    calls.iter().filter(|call| *call == "open").count()
}

/// Keeps a retired backend retired until its `open` has no fault any more.
fn retired(board: &Board, host: &Host, users: &Region) {
    board.fault("open", Some(Fault::Fail));
    board.fault("get", Some(Fault::Panic));
    assert!(users.get::<i32>("1").unwrap().is_none());
    board.fault("get", None);
    assert_eq!(state(host), "retired");
}

/// Opens the breaker, and keeps it open until `ping` has no fault any more.
fn tripped(board: &Board, host: &Host, users: &Region) {
    board.fault("ping", Some(Fault::Fail));
    board.fault("get", Some(Fault::Fail));
    for _ in 0..5 {
        assert_eq!(state(host), "open");
        assert!(users.get::<i32>("1").unwrap().is_none());
    }
    board.fault("get", None);
    assert_eq!(state(host), "breaker open");
}

#[test]
fn a_panic_in_any_method_retires_the_backend_and_a_new_one_takes_its_place() {
    for method in ["get", "get_fresh", "set", "delete", "is_locked"] {
        let board = Board::new(&format!("retired by {method}"));
        let (host, users) = host(board.objects());
        board.fault("open", Some(Fault::Fail));
        board.fault(method, Some(Fault::Panic));
        // Each of these may be the one that panics.
        users.get_or_create("1", || 1).unwrap();
        let _panics_or_not = (users.delete("1"), users.key_is_locked("1"));
        assert_eq!(state(&host), "retired", "{method}");
        board.fault(method, None);
        board.fault("open", None);
        until_open(&host);
        assert_eq!(*users.get_or_create("2", || 2).unwrap(), 2);
        assert_eq!(users.get::<i32>("2").unwrap().as_deref(), Some(&2));
    }
}

#[test]
fn a_retired_backend_is_not_called() {
    let board = Board::new("not called");
    let (host, users) = host(board.objects());
    retired(&board, &host, &users);
    board.calls();
    for key in ["1", "2"] {
        let made = users.get_or_create(key, || 7).unwrap();
        assert_eq!((*made, made.source()), (7, Source::Created));
    }
    let error = users.delete("1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Backend);
    for part in ["`users`", "`spy`", "panicked in get", "reopened"] {
        assert!(error.to_string().contains(part), "{error}: {part}");
    }
    assert!(board.calls().iter().all(|call| call == "open"));
    assert_eq!(
        all_misses(&users),
        [(MissReason::BackendError, 1), (MissReason::Bypass, 2)]
    );
}

#[test]
fn a_backend_that_does_not_open_again_is_tried_again() {
    let board = Board::new("tried again");
    let (host, users) = host(board.objects());
    retired(&board, &host, &users);
    board.calls();
    let mut attempts = 0;
    until(|| {
        attempts += opened(&board.calls());
        attempts >= 3
    });
    assert_eq!(state(&host), "retired");
    board.fault("open", None);
    until_open(&host);
    users.set("1", 1).unwrap();
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&1));
}

#[test]
fn the_old_backend_is_closed_once_its_successor_is_there() {
    let board = Board::new("closed");
    let (_host, users) = host(board.objects());
    board.fault("set", Some(Fault::Panic));
    users.set("1", 1).unwrap();
    let mut calls = board.calls();
    until(|| {
        calls.extend(board.calls());
        calls.iter().any(|call| call == "drop")
    });
    assert_eq!(calls, ["open", "set 1", "open", "close", "drop"]);
}

#[test]
fn an_exclusive_backend_is_closed_before_its_successor_opens() {
    let board = Board::new("exclusive");
    let (host, users) = host(board.objects().argument("exclusive", true));
    board.fault("set", Some(Fault::Panic));
    let (setting, is_setting) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let may_go_on = std::sync::Mutex::new(may_go_on);
    board.hook(move |call| {
        if call == "get 1" {
            setting.send(()).unwrap();
            may_go_on.lock().unwrap().recv().unwrap();
        }
    });
    thread::scope(|scope| {
        // A call that is under way holds it open.
        scope.spawn(|| users.get::<i32>("1").unwrap());
        is_setting.recv().unwrap();
        users.set("2", 2).unwrap();
        board.fault("set", None);
        until(|| state(&host) == "retired");
        // It is mended after 100 ms, but for the call.
        thread::sleep(Duration::from_millis(300));
        assert_eq!(board.calls(), ["open", "set 2"]);
        go_on.send(()).unwrap();
    });
    let mut calls = Vec::new();
    until(|| {
        calls.extend(board.calls());
        calls.iter().any(|call| call == "drop")
    });
    assert_eq!(calls, ["get 1", "close", "open", "drop"]);
    until_open(&host);
}

#[test]
fn regions_that_share_a_backend_share_its_successor() {
    let board = Board::new("shared successor");
    let mut users = board.objects();
    users.shares_keys = true;
    let mut people = users.clone();
    people.name = "people".into();
    let host = builder().0.region(users).region(people).build().unwrap();
    let (users, people) = (
        host.region("users").unwrap(),
        host.region("people").unwrap(),
    );
    retired(&board, &host, &users);
    assert!(people.get::<i32>("1").unwrap().is_none());
    assert_eq!(misses(&people, MissReason::Bypass), 1);
    board.fault("open", None);
    board.calls();
    until_open(&host);
    assert!(
        host.status()
            .regions
            .iter()
            .all(|region| region.state == "open")
    );
    assert_eq!(opened(&board.calls()), 1);
    users.set("1", 1).unwrap();
    assert_eq!(people.get::<i32>("1").unwrap().as_deref(), Some(&1));
}

#[test]
fn what_is_created_while_a_backend_is_reopened_is_stored_in_its_successor() {
    let board = Board::new("created meanwhile");
    let (host, users) = host(board.objects());
    let made = users.get_or_create("1", || {
        retired(&board, &host, &users);
        board.fault("open", None);
        until_open(&host);
        assert!(users.key_is_locked("1").unwrap());
        1
    });
    assert_eq!(*made.unwrap(), 1);
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&1));
}

#[test]
fn nothing_is_mended_for_a_host_that_is_gone() {
    let board = Board::new("gone");
    let (host, users) = host(board.objects());
    retired(&board, &host, &users);
    drop((host, users));
    until(|| board.calls().iter().any(|call| call == "drop"));
    // Other tests of this process have such threads, too, which end with them.
    until(|| !threads().contains(&String::from("dogpile-mend")));
    assert!(board.calls().is_empty());
}

fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.map(|name| name.trim().to_owned()).collect()
}

#[test]
fn a_backend_that_keeps_failing_is_not_called_until_it_answers_a_ping() {
    let board = Board::new("breaker");
    let (host, users) = host(board.objects());
    tripped(&board, &host, &users);
    board.calls();
    for key in ["1", "2", "3"] {
        assert_eq!(*users.get_or_create(key, || 7).unwrap(), 7);
    }
    until(|| !board.calls().is_empty());
    let mut calls = Vec::new();
    until(|| {
        calls.extend(board.calls());
        calls.len() >= 2
    });
    assert!(calls.iter().all(|call| call == "ping"), "{calls:?}");
    assert_eq!(
        all_misses(&users),
        [(MissReason::BackendError, 5), (MissReason::Bypass, 3)]
    );
    board.fault("ping", None);
    until_open(&host);
    board.calls();
    assert_eq!(*users.get_or_create("1", || 8).unwrap(), 8);
    assert_eq!(board.calls(), ["get 1", "get_fresh 1", "set 1"]);
}

#[test]
fn the_breaker_opens_whatever_is_called() {
    type Call = fn(&Region, usize);
    let calls: [(&str, Call); 5] = [
        ("distinct keys", |users, at| {
            drop(users.get_or_create(at.to_string(), || 1).unwrap());
        }),
        ("one key", |users, _| {
            drop(users.get_or_create("1", || 1).unwrap());
        }),
        ("several keys", |users, at| {
            let keys = [at.to_string(), format!("other {at}")];
            let create = |missing: &[String]| {
                missing
                    .iter()
                    .map(|key| (key.clone(), 1))
                    .collect::<Vec<_>>()
            };
            drop(users.get_or_create_multi(&keys, create).unwrap());
        }),
        ("uncached", |users, at| {
            let key = at.to_string();
            let entry = users.entry(&key).should_cache(|_: &i32| false);
            drop(entry.get_or_create(|| 1).unwrap());
        }),
        ("set", |users, _| drop(users.set("1", 1).unwrap())),
    ];
    for (alone, answers) in [(false, ""), (true, ""), (false, "try_acquire")] {
        for (name, call) in calls {
            let board = Board::new(&format!("whatever {name} {alone} {answers}"));
            let (host, users) = host(board.objects().argument("alone", alone));
            let methods = [
                "get",
                "get_fresh",
                "get_multi",
                "get_multi_fresh",
                "set",
                "set_multi",
                "set_guarded_multi",
                "try_acquire",
                "ping",
            ];
            for method in methods.into_iter().filter(|method| *method != answers) {
                board.fault(method, Some(Fault::Fail));
            }
            for at in 0..20 {
                call(&users, at);
            }
            assert_eq!(state(&host), "breaker open", "{name}");
            board.calls();
            for at in 20..40 {
                call(&users, at);
            }
            let made = board.calls();
            assert!(made.iter().all(|call| call == "ping"), "{name}: {made:?}");
            let stats = users.stats();
            let misses = stats.misses.values().sum::<u64>();
            let asked = if name == "several keys" { 80 } else { 40 };
            assert!(
                name == "set" || stats.hits + misses == asked,
                "{name}: {stats:?}"
            );
        }
    }
}

#[test]
fn a_region_that_wants_errors_gets_one_that_names_the_breaker() {
    let board = Board::new("breaker fails");
    let (_host, users) = host(board.objects().on_backend_error(OnBackendError::Fail));
    board.fault("ping", Some(Fault::Fail));
    board.fault("get", Some(Fault::Fail));
    for _ in 0..5 {
        users.get::<i32>("1").unwrap_err();
    }
    board.calls();
    let error = users.get_or_create("1", || 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Backend);
    for part in [
        "`users`",
        "`spy`",
        "breaker is open",
        "no get today",
        "ping",
    ] {
        assert!(error.to_string().contains(part), "{error}: {part}");
    }
    assert!(board.calls().iter().all(|call| call == "ping"));
}

#[test]
fn calls_that_are_refused_for_their_own_fault_do_not_open_the_breaker() {
    let board = Board::new("refused");
    let (host, users) = host(board.objects());
    for fault in [Fault::Refuse, Fault::NotSupport] {
        board.fault("set", Some(fault));
        for _ in 0..20 {
            users.set("a key with blanks", 1).unwrap();
        }
        assert_eq!(state(&host), "open", "{fault:?}");
    }
}

#[test]
fn answers_in_between_keep_the_breaker_closed() {
    let board = Board::new("hits");
    let (host, users) = host(board.objects());
    users.set("1", 1).unwrap();
    board.fault("set", Some(Fault::Fail));
    for key in ["1", "nothing"] {
        for _ in 0..20 {
            users.set("2", 2).unwrap();
            let got = users.get::<i32>(key).unwrap();
            assert_eq!(got.is_some(), key == "1");
        }
    }
    assert_eq!(state(&host), "open");
    for _ in 0..5 {
        users.set("2", 2).unwrap();
    }
    assert_eq!(state(&host), "breaker open");
}

#[test]
fn failures_of_long_ago_do_not_count() {
    let board = Board::new("long ago");
    let (builder, hand) = builder();
    let host = builder.region(board.objects()).build().unwrap();
    let users = host.region("users").unwrap();
    board.fault("get", Some(Fault::Fail));
    for _ in 0..20 {
        users.get::<i32>("1").unwrap();
        hand.advance(Duration::from_secs(8));
    }
    assert_eq!(state(&host), "open");
}

#[test]
fn a_clock_that_is_set_makes_failures_neither_older_nor_younger() {
    const HOUR: u64 = 3_600;
    let set_by = |board: &str, pause, way: fn(u64, u64) -> u64| {
        let board = Board::new(board);
        let (builder, hand) = builder();
        let host = builder.region(board.objects()).build().unwrap();
        let users = host.region("users").unwrap();
        board.fault("ping", Some(Fault::Fail));
        board.fault("get", Some(Fault::Fail));
        for at in 0..5 {
            users.get::<i32>("1").unwrap();
            hand.advance(pause);
            hand.set(way(START, at * HOUR) * 1_000_000_000);
        }
        state(&host)
    };
    let (soon, late) = (Duration::from_secs(5), Duration::from_secs(8));
    let (back, forward) = (u64::saturating_sub, u64::saturating_add);
    assert_eq!(set_by("set back", late, back), "open");
    assert_eq!(set_by("set forward", soon, forward), "breaker open");
}

#[test]
fn a_ping_that_panics_retires_the_backend_whose_breaker_is_open() {
    let board = Board::new("ping panics");
    let (host, users) = host(board.objects());
    tripped(&board, &host, &users);
    board.fault("open", Some(Fault::Fail));
    board.fault("ping", Some(Fault::Panic));
    until(|| state(&host) == "retired");
    board.fault("open", None);
    until_open(&host);
    assert_eq!(*users.get_or_create("1", || 1).unwrap(), 1);
}
