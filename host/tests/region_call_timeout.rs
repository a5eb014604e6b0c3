//! Callers that do not wait for a backend for longer than `call_timeout`.

#![forbid(unsafe_code)]

mod region_support;

use std::error::Error as _;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use dogpile::{Error, ErrorKind, Host, OnBackendError, Region, RegionConfig, Source};
use dogpile_plugin_api::ErrorKind as PluginErrorKind;

use region_support::{Board, Gate, builder, until};

/// Short enough to wait for, and long enough for a call that does not hang.
const CALL_TIMEOUT: Duration = Duration::from_millis(500);

/// How many calls of an instance are made at once.
const THREADS: usize = 32;

fn host(config: RegionConfig) -> (Host, Region) {
    let built = builder().0.region(config).build();
    let host = built.unwrap();
    let users = host.region("users").unwrap();
    (host, users)
}

fn state(host: &Host) -> String {
    host.status().regions[0].state.clone()
}

/// What sort of failure of the backend it is.
fn backends(error: &Error) -> PluginErrorKind {
    assert_eq!(error.kind(), ErrorKind::Backend, "{error}");
    let source = error.source().expect("the backend's");
    let own = source.downcast_ref::<dogpile_plugin_api::Error>();
    own.expect("it is a plugin's").kind()
}

#[test]
fn calls_that_take_no_longer_are_as_they_were() {
    let board = Board::new("in time");
    let (_host, users) = host(board.shared().call_timeout(Duration::from_mins(1)));
    let made = users.get_or_create("1", || 1).unwrap();
    assert_eq!((*made, made.source()), (1, Source::Created));
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&1));
    users.set_multi([("2", 2), ("3", 3)]).unwrap();
    let got = users.get_multi::<i32, _>(&["1", "2", "4"]).unwrap();
    let got: Vec<_> = got.into_iter().map(|one| one.map(|one| *one)).collect();
    assert_eq!(got, [Some(1), Some(2), None]);
    users.delete_multi(&["1", "2"]).unwrap();
    users.delete("3").unwrap();
    assert!(!users.key_is_locked("1").unwrap());
    users.clear().unwrap();
    users.ping().unwrap();
    let calls = board.calls();
    for call in [
        "get 1",
        "get_fresh 1",
        "set 1",
        "set_multi 2 3",
        "get_multi 1 2 4",
        "delete 3",
        "clear",
        "ping",
    ] {
        assert_eq!(
            calls.iter().filter(|made| *made == call).count(),
            if call == "get 1" { 2 } else { 1 },
            "{call}: {calls:?}"
        );
    }
}

#[test]
fn a_caller_leaves_a_read_that_takes_longer_and_the_backend_is_called_on() {
    let board = Board::new("read");
    let config = board.objects().on_backend_error(OnBackendError::Fail);
    let (host, users) = host(config.call_timeout(CALL_TIMEOUT));
    let gate = Gate::on(&board, &["get 1"]);
    let error = users.get::<i32>("1").unwrap_err();
    assert_eq!(backends(&error), PluginErrorKind::Timeout);
    for part in ["`users`", "`spy`", "500ms", "`call_timeout`", "get"] {
        assert!(error.to_string().contains(part), "{error}: {part}");
    }
    users.set("2", 2).unwrap();
    assert_eq!(users.get::<i32>("2").unwrap().as_deref(), Some(&2));
    assert_eq!((state(&host).as_str(), gate.held().len()), ("open", 1));
    gate.open();
}

#[test]
fn reads_that_take_longer_open_the_breaker() {
    let board = Board::new("breaker");
    let config = board.objects().call_timeout(CALL_TIMEOUT).hang_never();
    let (host, users) = host(config);
    let gate = Gate::on(&board, &["get 1", "ping"]);
    for _ in 0..5 {
        assert_eq!(state(&host), "open");
        assert!(users.get::<i32>("1").unwrap().is_none());
    }
    assert_eq!(state(&host), "breaker open");
    let reason = host.status().regions[0].reason.clone().unwrap();
    assert!(reason.contains("`call_timeout`"), "{reason}");
    gate.open();
    until(|| state(&host) == "open");
}

/// A method of the backend, and a call of the region that leads to it.
type Case = (&'static str, fn(&Region));

#[test]
fn a_write_that_takes_longer_retires_the_backend_and_lands_in_what_is_gone() {
    let cases: [Case; 7] = [
        ("set", |users| drop(users.set("1", 1))),
        ("set", |users| drop(users.get_or_create("1", || 1))),
        ("set_multi", |users| {
            drop(users.set_multi([("1", 1), ("2", 2)]));
        }),
        ("delete", |users| drop(users.delete("1"))),
        ("delete_multi", |users| {
            drop(users.delete_multi(&["1", "2"]));
        }),
        ("clear", |users| drop(users.clear())),
        ("release", |users| drop(users.get_or_create("1", || 1))),
    ];
    for (at, (method, call)) in cases.into_iter().enumerate() {
        let board = Board::new(&format!("write {at}"));
        let (host, users) = host(board.shared().call_timeout(CALL_TIMEOUT));
        let gate = Gate::on(&board, &[method]);
        call(&users);
        // The release of a mutex is nobody's to wait for.
        let mut calls = Vec::new();
        until(|| {
            calls.extend(board.calls());
            calls.iter().filter(|call| *call == "open").count() == 2
        });
        until(|| state(&host) == "open");
        assert_eq!(gate.held().len(), 1, "{method}");
        assert!(
            calls.iter().all(|call| call != "close"),
            "{method}: {calls:?}"
        );
        gate.open();
        until(|| {
            calls.extend(board.calls());
            calls.iter().any(|call| call == "drop")
        });
        assert_eq!(calls.iter().filter(|call| *call == "close").count(), 1);
        assert_eq!(calls[calls.len() - 2..], ["close", "drop"], "{method}");
    }
}

#[test]
fn no_more_calls_are_made_than_there_are_threads_and_those_that_waited_are_never_made() {
    let board = Board::new("threads");
    let config = board.objects().on_backend_error(OnBackendError::Fail);
    let (_host, users) = host(config.call_timeout(4 * CALL_TIMEOUT));
    let gate = Gate::on(&board, &["get", "set"]);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(|| users.get::<i32>("1").unwrap_err()))
            .collect();
        until(|| gate.held().len() == THREADS);
        let writers: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| users.set("1", 1).unwrap_err()))
            .collect();
        for caller in readers {
            assert_ne!(backends(&caller.join().unwrap()), PluginErrorKind::Panic);
        }
        for caller in writers {
            let error = caller.join().unwrap();
            let text = error.to_string();
            let is_out = backends(&error) == PluginErrorKind::Suspended;
            assert!(
                is_out || text.contains("32 threads") && text.contains("not begun"),
                "{text}"
            );
        }
    });
    assert_eq!(gate.ever_held(), THREADS);
    gate.open();
    until(|| gate.held().is_empty());
    until(|| users.get::<i32>("2").is_ok());
    assert!(board.calls().iter().all(|call| !call.starts_with("set")));
}

#[test]
fn a_mutex_that_is_taken_too_late_is_given_back() {
    let board = Board::new("late lease");
    let (_host, users) = host(board.shared().call_timeout(CALL_TIMEOUT));
    let gate = Gate::on(&board, &["try_acquire 1"]);
    assert_eq!(*users.get_or_create("1", || 1).unwrap(), 1);
    assert!(board.locked_keys().is_empty());
    gate.open();
    until(|| board.mutex_calls_of("release") == 1);
    until(|| board.locked_keys().is_empty());
}

#[test]
fn the_time_is_that_of_the_backend_and_all_proxies_around_it() {
    let board = Board::new("chain");
    let config = board.around(board.around(board.objects(), "outer"), "inner");
    let config = config.on_backend_error(OnBackendError::Fail);
    let (host, users) = host(config.call_timeout(CALL_TIMEOUT));
    for slow in ["outer.get", "inner.get", "get"] {
        let gate = Gate::on(&board, &[slow]);
        let error = users.get::<i32>("1").unwrap_err();
        assert_eq!(backends(&error), PluginErrorKind::Timeout, "{slow}");
        gate.open();
    }
    // A write retires them all: whoever hangs, it lands in the backend.
    board.calls();
    let gate = Gate::on(&board, &["set"]);
    assert_eq!(
        backends(&users.set("1", 1).unwrap_err()),
        PluginErrorKind::Timeout
    );
    let mut calls = Vec::new();
    until(|| {
        calls.extend(board.calls());
        state(&host) == "open"
    });
    let opened = calls.iter().filter(|call| call.ends_with("open"));
    let mut opened: Vec<_> = opened.map(String::as_str).collect();
    opened.sort_unstable();
    assert_eq!(opened, ["inner.open", "open", "outer.open"]);
    gate.open();
}

#[test]
fn a_task_does_not_block_its_thread_for_a_backend_that_says_it_never_blocks() {
    let board = Board::new("inline");
    let config = board.objects().argument("inline", true);
    let (_host, users) = host(config.call_timeout(Duration::from_mins(1)));
    let gate = Gate::on(&board, &["get"]);
    let mut call = pin!(users.get_async::<i32>("1"));
    let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Pending));
    gate.open();
    assert!(futures_executor::block_on(call).unwrap().is_none());
}

#[test]
fn a_host_with_a_call_that_was_left_can_be_dropped_and_closes_the_backend_after_it() {
    let board = Board::new("left");
    let (host, users) = host(board.objects().call_timeout(CALL_TIMEOUT));
    let gate = Gate::on(&board, &["get"]);
    assert!(users.get::<i32>("1").unwrap().is_none());
    drop((host, users));
    assert_eq!(gate.held(), ["get 1"]);
    assert!(board.calls().iter().all(|call| call != "close"));
    gate.open();
    let mut calls = Vec::new();
    until(|| {
        calls.extend(board.calls());
        calls.iter().any(|call| call == "drop")
    });
    assert_eq!(calls, ["get 1", "close", "drop"]);
}
