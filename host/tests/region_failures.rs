//! Backends that fail or panic, and what their regions do meanwhile.

#![forbid(unsafe_code)]

mod region_support;

use std::error::Error as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, mpsc};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use dogpile::{ErrorKind, Host, MissReason, OnBackendError, Region, RegionConfig, Source};
use dogpile_plugin_api::{Backend, Error, HostContext, JsonSchema, Key, Result, Value, schemars};
use futures_executor::block_on;

use region_support::{
    Board, Fault, SECOND, TICK, all_misses, builder, misses, region, until_waiting,
};

const METHODS: [&str; 3] = ["get", "get_fresh", "set"];

#[test]
fn a_backend_that_fails_is_as_if_empty() {
    let board = Board::new("bypass");
    let (users, _) = region(board.objects().bypass_hold(Duration::ZERO));
    for method in METHODS {
        board.fault(method, Some(Fault::Fail));
    }
    let made = users.get_or_create("1", || 1).unwrap();
    assert_eq!((*made, made.source()), (1, Source::Created));
    assert!(users.get::<i32>("1").unwrap().is_none());
    // Something is answered, so that the breaker stays closed.
    users.delete("2").unwrap();
    assert_eq!(*users.set("1", 2).unwrap(), 2);
    let failed = users.try_get_or_create("1", || Err::<i32, _>("no row"));
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Creator);
    assert_eq!(all_misses(&users), [(MissReason::BackendError, 3)]);

    for method in METHODS {
        board.fault(method, None);
    }
    assert_eq!(*users.get_or_create("1", || 3).unwrap(), 3);
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&3));
    assert_eq!(misses(&users, MissReason::BackendError), 3);
}

#[test]
fn what_is_created_while_a_backend_fails_is_held_for_a_time_and_no_longer() {
    let board = Board::new("held");
    let (users, hand) = region(board.objects().bypass_hold(2 * SECOND));
    for method in METHODS {
        board.fault(method, Some(Fault::Fail));
    }
    assert_eq!(*users.get_or_create("1", || 1).unwrap(), 1);
    hand.advance(SECOND.saturating_add(SECOND).saturating_sub(TICK));
    assert_eq!(*users.get_or_create("1", || 2).unwrap(), 1);
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&1));
    assert_eq!(misses(&users, MissReason::Bypass), 2);
    hand.advance(TICK);
    assert_eq!(*users.get_or_create("1", || 3).unwrap(), 3);
    users.invalidate(dogpile::Invalidation::Hard).unwrap();
    assert_eq!(*users.get_or_create("1", || 4).unwrap(), 4);
    board.fault("delete", Some(Fault::Fail));
    users.delete("1").unwrap_err();
    assert_eq!(*users.get_or_create("1", || 5).unwrap(), 5);
}

/// What is held while the backend fails is gone with what it would have stored.
#[test]
fn what_is_held_is_deleted_whichever_way_it_is_and_replaced_by_what_is_stored() {
    type Change = fn(&Region);
    let deletions: [Change; 6] = [
        |users| users.delete("1").unwrap(),
        |users| block_on(users.delete_async("1")).unwrap(),
        |users| users.delete_multi(&["0", "1"]).unwrap(),
        |users| block_on(users.delete_multi_async(&["0", "1"])).unwrap(),
        |users| users.clear().unwrap(),
        |users| block_on(users.clear_async()).unwrap(),
    ];
    let stores: [Change; 4] = [
        |users| drop(users.set("1", 3).unwrap()),
        |users| users.set_multi([("1", 3)]).unwrap(),
        |users| drop(users.refresh("1", || 3).unwrap()),
        |users| users.set_payload("1", b"3").unwrap(),
    ];
    let fail = |board: &Board, fault| {
        for method in ["get", "get_fresh", "get_multi", "set", "set_multi"] {
            board.fault(method, fault);
        }
    };
    let changes = deletions.iter().map(|change| (change, None));
    let changes = changes.chain(stores.iter().map(|change| (change, Some(3))));
    for (number, (change, stored)) in changes.enumerate() {
        let board = Board::new(&format!("held and changed {number}"));
        let (users, _) = region(board.bytes().bypass_hold(60 * SECOND));
        let held = || users.get::<i32>("1").unwrap().map(|value| *value);
        fail(&board, Some(Fault::Fail));
        users.get_or_create("1", || 2).unwrap();
        assert_eq!(held(), Some(2), "{number}");
        fail(&board, None);
        change(&users);
        assert_eq!(held(), stored, "{number}");
        fail(&board, Some(Fault::Fail));
        assert_eq!(held(), None, "{number}");
    }
}

#[test]
fn a_backend_that_fails_is_still_one_creation_at_a_time() {
    let board = Board::new("bypass threads");
    let (users, _) = region(board.objects());
    for method in METHODS {
        board.fault(method, Some(Fault::Fail));
    }
    let created = AtomicU32::new(0);
    thread::scope(|scope| {
        let call = || {
            users.get_or_create("bypassed", || {
                until_waiting("bypassed", 7);
                created.fetch_add(1, Ordering::Relaxed)
            })
        };
        let callers: Vec<_> = (0..8).map(|_| scope.spawn(call)).collect();
        for caller in callers {
            assert_eq!(*caller.join().unwrap().unwrap(), 0);
        }
    });
    assert_eq!(created.load(Ordering::Relaxed), 1);
    // The breaker opens on the way.
    let bypassed = misses(&users, MissReason::BackendError) + misses(&users, MissReason::Bypass);
    assert_eq!(bypassed, 8);
    assert_eq!(users.stats().waits, 7);
}

#[test]
fn a_value_that_cannot_be_stored_goes_to_its_callers() {
    let board = Board::new("set fails");
    let (users, _) = region(board.objects().bypass_hold(Duration::ZERO));
    board.fault("set", Some(Fault::Fail));
    assert_eq!(*users.get_or_create("1", || 1).unwrap(), 1);
    assert!(board.stored("1").is_none());
    assert_eq!(*users.get_or_create("1", || 2).unwrap(), 2);
}

#[test]
fn a_region_can_want_its_backends_errors() {
    let board = Board::new("fail");
    let (users, _) = region(board.objects().on_backend_error(OnBackendError::Fail));
    for method in METHODS {
        board.fault(method, Some(Fault::Fail));
        let error = users.get_or_create("1", || 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Backend);
        let text = error.to_string();
        for part in ["`users`", "`spy`", &format!("no {method} today")] {
            assert!(text.contains(part), "{text}: {part}");
        }
        assert!(error.source().is_some());
        board.fault(method, None);
    }
    board.fault("get", Some(Fault::Fail));
    assert_eq!(
        users.get::<i32>("1").unwrap_err().kind(),
        ErrorKind::Backend
    );
    board.fault("set", Some(Fault::Fail));
    assert_eq!(users.set("1", 1).unwrap_err().kind(), ErrorKind::Backend);
    assert_eq!(users.stats().errors, 5);
    for method in METHODS {
        board.fault(method, None);
    }
    assert_eq!(*users.get_or_create("1", || 2).unwrap(), 2);
}

#[test]
fn a_read_that_fails_and_ends_its_call_is_a_miss_of_each_key() {
    let board = Board::new("fail and miss");
    let (users, _) = region(board.objects().on_backend_error(OnBackendError::Fail));
    for method in ["get", "get_fresh", "get_multi", "get_multi_fresh", "ping"] {
        board.fault(method, Some(Fault::Fail));
    }
    let keys = ["1", "2", "3"];
    let create = |_: &[&str]| -> Vec<(&str, i32)> { unreachable!() };
    users.get::<i32>("1").unwrap_err();
    block_on(users.get_async::<i32>("1")).unwrap_err();
    users.get_multi::<i32, _>(&keys).unwrap_err();
    users.get_or_create_multi(&keys, create).unwrap_err();
    assert_eq!(all_misses(&users), [(MissReason::BackendError, 8)]);
    users.get_or_create("1", || 1).unwrap_err();
    // The breaker is open.
    users.get_or_create("1", || 1).unwrap_err();
    users.get_multi::<i32, _>(&keys).unwrap_err();
    assert_eq!(misses(&users, MissReason::BackendError), 9);
    assert_eq!(misses(&users, MissReason::Bypass), 4);
    assert_eq!((users.stats().hits, users.stats().errors), (0, 7));
}

#[test]
fn a_creator_does_not_run_where_the_read_has_failed() {
    let board = Board::new("fail before");
    let (users, _) = region(board.objects().on_backend_error(OnBackendError::Fail));
    for method in ["get", "get_fresh"] {
        board.fault(method, Some(Fault::Fail));
        let made = users.get_or_create("1", || -> i32 { unreachable!() });
        assert_eq!(made.unwrap_err().kind(), ErrorKind::Backend);
        board.fault(method, None);
    }
    assert!(!users.key_is_locked("1").unwrap());
}

#[test]
fn all_who_wait_share_the_error_of_a_store_that_fails() {
    let board = Board::new("fail threads");
    let (users, _) = region(board.objects().on_backend_error(OnBackendError::Fail));
    board.fault("set", Some(Fault::Fail));
    thread::scope(|scope| {
        let call = || users.get_or_create("unstored", || until_waiting("unstored", 3));
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(call)).collect();
        for caller in callers {
            let error = caller.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Backend);
        }
    });
    assert_eq!(users.stats().errors, 4);
}

#[test]
fn calls_whose_outcome_matters_fail_in_every_region() {
    let board = Board::new("matters");
    let (users, _) = region(board.objects());
    for method in ["clear", "delete", "get", "is_locked"] {
        board.fault(method, Some(Fault::Fail));
    }
    let errors = [
        users.delete("1").unwrap_err(),
        users.get_value_metadata("1").unwrap_err(),
        users.key_is_locked("1").unwrap_err(),
        users.clear().unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Backend, "{error}");
    }
}

#[test]
fn a_panic_in_a_backend_is_an_error_that_names_it() {
    for method in ["get", "get_fresh", "set", "delete"] {
        let board = Board::new(&format!("panics in {method}"));
        let fail = board.objects().on_backend_error(OnBackendError::Fail);
        let (builder, _) = builder();
        let healthy = dogpile::RegionConfig::on("healthy", "memory");
        let host = builder.region(fail).region(healthy).build().unwrap();
        let users = host.region("users").unwrap();
        board.fault(method, Some(Fault::Panic));
        let error = match method {
            "delete" => users.delete("1").unwrap_err(),
            _ => users.get_or_create("1", || 1).unwrap_err(),
        };
        let text = error.to_string();
        for part in ["`users`", "`spy`", "panicked", method, "fell over"] {
            assert!(text.contains(part), "{text}: {part}");
        }
        let healthy = host.region("healthy").unwrap();
        assert_eq!(*healthy.get_or_create("1", || 1).unwrap(), 1);
    }
}

#[test]
fn a_backend_that_does_not_open_leaves_its_region_to_be_configured_again() {
    for fault in [Fault::Fail, Fault::Panic] {
        let board = Board::new(&format!("open {fault:?}"));
        let (builder, _) = builder();
        let host = builder.build().unwrap();
        board.fault("open", Some(fault));
        let error = host.configure(board.objects()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Plugin);
        let text = error.to_string();
        assert!(text.contains("`users`") && text.contains("`spy`"), "{text}");
        assert!(text.contains("open"), "{text}");
        assert_eq!(
            host.region("users").unwrap_err().kind(),
            ErrorKind::NoSuchRegion
        );
        board.fault("open", None);
        let users = host.configure(board.objects()).unwrap();
        assert_eq!(*users.get_or_create("1", || 1).unwrap(), 1);
    }
}

#[test]
fn a_backend_that_panics_as_it_is_closed_and_dropped_harms_nobody() {
    let board = Board::new("close panics");
    let (users, _) = region(board.objects());
    users.set("1", 1).unwrap();
    board.fault("close", Some(Fault::Panic));
    board.fault("drop", Some(Fault::Panic));
    drop(users);
    assert_eq!(board.calls(), ["open", "set 1", "close", "drop"]);
}

#[test]
fn every_call_that_fails_is_counted_and_so_is_a_value_that_is_not_stored() {
    let board = Board::new("counted");
    let (users, _) = region(board.objects());
    for method in ["clear", "get", "set", "delete"] {
        board.fault(method, Some(Fault::Fail));
    }
    users.get_payload("1").unwrap_err();
    users.get_value_metadata("1").unwrap_err();
    users.delete("1").unwrap_err();
    users.clear().unwrap_err();
    assert_eq!((users.stats().errors, users.stats().store_errors), (4, 0));
    users.set_payload("1", b"1").unwrap_err();
    assert_eq!((users.stats().errors, users.stats().store_errors), (5, 1));
    users.set("1", 1).unwrap();
    users.get_or_create("2", || 2).unwrap();
    assert_eq!((users.stats().errors, users.stats().store_errors), (5, 3));
}

/// Fails with all that it was given.
struct Telling(TellingArguments);

#[derive(serde::Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct TellingArguments {
    url: String,
    password: String,
    opens: bool,
}

impl TellingArguments {
    fn error(&self) -> Error {
        Error::unavailable(format!("{} refuses {}", self.url, self.password))
    }
}

impl Backend for Telling {
    type Arguments = TellingArguments;

    fn open(arguments: TellingArguments, _: &HostContext) -> Result<Self> {
        if arguments.opens {
            Ok(Self(arguments))
        } else {
            Err(arguments.error())
        }
    }

    fn get(&self, _: &Key) -> Result<Option<Value>> {
        Err(self.0.error())
    }

    fn set(&self, _: &Key, _: &Value) -> Result<()> {
        Err(self.0.error())
    }

    fn delete(&self, _: &Key) -> Result<()> {
        Err(self.0.error())
    }
}

#[test]
fn an_error_of_a_backend_shows_no_secret() {
    let region = |opens: bool| {
        let config = RegionConfig::on("users", "telling")
            .on_backend_error(OnBackendError::Fail)
            .argument("url", "redis://:canary@host/0")
            .argument("password", "hunter2")
            .argument("opens", opens);
        let host = Host::builder().backend::<Telling>("telling").region(config);
        host.build()?.region("users")
    };
    let users = region(true).unwrap();
    for error in [
        users.get::<i32>("1").unwrap_err(),
        users.get_payload("1").unwrap_err(),
        region(false).unwrap_err(),
    ] {
        let told = format!("{error} {error:?}");
        assert!(told.contains("redis://***@host/0 refuses"), "{told}");
        assert!(
            !told.contains("canary") && !told.contains("hunter2"),
            "{told}"
        );
    }
}

/// The store of a task has ended before the task goes on, and a deletion may come between.
#[test]
fn what_was_deleted_after_its_store_had_failed_is_not_held() {
    for several in [false, true] {
        let board = Board::new(&format!("deleted after its store {several}"));
        let config = board.objects().argument("alone", true);
        let (users, _) = region(config.bypass_hold(60 * SECOND));
        let store = if several { "set_multi 1 2" } else { "set 1" };
        board.fault("set", Some(Fault::Fail));
        board.fault("set_multi", Some(Fault::Fail));
        let (storing, stores) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let ends = Mutex::new((storing, may_go_on));
        board.hook(move |call| {
            if call == store {
                let ends = ends.lock().unwrap();
                ends.0.send(()).unwrap();
                ends.1.recv().unwrap();
            }
        });
        let mut call: Pin<Box<dyn Future<Output = _>>> = if several {
            Box::pin(async {
                let create = async |_| [("1", 1), ("2", 2)];
                let created = users.get_or_create_multi_async(&["1", "2"], create);
                created.await.map(|_| ())
            })
        } else {
            Box::pin(async { users.get_or_create_async("1", async || 1).await.map(|_| ()) })
        };
        let mut context = Context::from_waker(Waker::noop());
        while stores.try_recv().is_err() {
            assert!(call.as_mut().poll(&mut context).is_pending());
            thread::yield_now();
        }
        go_on.send(()).unwrap();
        // It waits for the end of the store.
        users.delete("1").unwrap();
        futures_executor::block_on(call).unwrap();
        board.fault("get", Some(Fault::Fail));
        assert!(users.get::<i32>("1").unwrap().is_none(), "it was deleted");
    }
}
