//! How long callers wait for each other: each for its own time, over the whole call.

#![forbid(unsafe_code)]

mod region_support;

use std::fs;
use std::future::{pending, ready};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use dogpile::{ErrorKind, Host, Invalidation, MissReason, RegionConfig, Source};

use region_support::{
    Board, SECOND, all_misses, builder, held, region, until, until_waiting, unwanted,
};

/// A host whose region is given other backends by its manifest.
fn host(folder: &tempfile::TempDir, board: &Board) -> Host {
    configure(folder, board);
    let (builder, _) = builder();
    let builder = builder.manifest(folder.path().join("dogpile.toml"));
    builder.watch(false).build().unwrap()
}

fn configure(folder: &tempfile::TempDir, board: &Board) {
    configure_with(folder.path(), "lock_wait = \"1s\"", board, false);
}

/// `keys` are those of the region; `alone`: its backend has no mutexes.
fn configure_with(folder: &Path, keys: &str, board: &Board, alone: bool) {
    let board = board.name();
    let text = format!(
        "version = 1\n[regions.users]\nbackend = \"spy\"\nexpiration_time = \"1m\"\n{keys}\n\
         [regions.users.arguments]\nboard = \"{board}\"\nalone = {alone}\n"
    );
    fs::write(folder.join("dogpile.toml"), text).unwrap();
}

#[test]
fn a_caller_whose_region_moves_meanwhile_does_not_wait_twice() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = ["moves from", "moves to"].map(Board::new);
    let host = host(&folder, &old);
    let users = host.region("users").unwrap();
    thread::scope(|scope| {
        // Who waits for this goes on if the test has failed.
        let (end, may_end) = mpsc::channel::<()>();
        let users = &users;
        let mut creator = Box::pin(users.get_or_create_async("moved", pending::<i32>));
        let mut context = Context::from_waker(Waker::noop());
        until(|| {
            assert!(creator.as_mut().poll(&mut context).is_pending());
            old.locked_keys() == ["moved"]
        });
        let began = Instant::now();
        let thread = scope.spawn(move || {
            let got = users.get_or_create("moved", || -> i32 { unreachable!() });
            (got.unwrap_err(), began.elapsed())
        });
        let task = scope.spawn(move || {
            let got =
                futures_executor::block_on(users.get_or_create_async("moved", unwanted::<i32>));
            (got.unwrap_err(), began.elapsed())
        });
        let several = scope.spawn(move || {
            let got =
                users.get_or_create_multi(&["moved"], |_| -> Vec<(&str, i32)> { unreachable!() });
            (got.unwrap_err(), began.elapsed())
        });
        until_waiting("moved", 3);
        configure(&folder, &new);
        host.reload().unwrap();
        let next = scope.spawn(move || {
            users.get_or_create("moved", || {
                let _told = may_end.recv();
                7
            })
        });
        until(|| new.locked_keys() == ["moved"]);
        // Most of their time has passed when they have to begin again.
        until(|| began.elapsed() >= Duration::from_millis(700));
        drop(creator);
        for (error, elapsed) in [thread, task, several].map(|waiter| waiter.join().unwrap()) {
            assert_eq!(error.kind(), ErrorKind::LockWait);
            assert!(error.to_string().contains("1s"), "{error}");
            assert!(elapsed >= Duration::from_secs(1), "{elapsed:?}");
            assert!(elapsed < Duration::from_millis(1_700), "{elapsed:?}");
        }
        end.send(()).unwrap();
        assert_eq!(*next.join().unwrap().unwrap(), 7);
    });
    assert!(old.stored("moved").is_none() && new.stored("moved").is_some());
    // Each call is counted once, in whichever backend it reads.
    assert_eq!(all_misses(&users), [(MissReason::Absent, 5)]);
}

#[test]
fn a_value_created_for_a_backend_that_is_gone_goes_to_who_waits_and_is_stored_nowhere() {
    for key in ["gone", "several gone"] {
        let folder = tempfile::tempdir().unwrap();
        let [old, new] = ["from", "to"].map(|board| Board::new(&format!("{key} {board}")));
        let host = host(&folder, &old);
        let users = host.region("users").unwrap();
        thread::scope(|scope| {
            let (go_on, may_go_on) = mpsc::channel::<()>();
            let (begins, has_begun) = mpsc::channel();
            let users = &users;
            let creator = scope.spawn(move || {
                let create = || {
                    begins.send(()).unwrap();
                    let _told = may_go_on.recv();
                    1
                };
                if key == "gone" {
                    return users.get_or_create(key, create).unwrap();
                }
                let made = users.get_or_create_multi(&[key], |_| [(key, create())]);
                made.unwrap().remove(0).unwrap()
            });
            has_begun.recv().unwrap();
            let waiter = scope.spawn(|| users.get_or_create(key, || -> i32 { unreachable!() }));
            until_waiting(key, 1);
            configure(&folder, &new);
            host.reload().unwrap();
            // Who comes after the change creates once more, at once.
            assert_eq!(
                users.get_or_create(key, || 2).unwrap().source(),
                Source::Created
            );
            go_on.send(()).unwrap();
            assert_eq!(*creator.join().unwrap(), 1);
            let shared = waiter.join().unwrap().unwrap();
            assert_eq!((*shared, shared.source()), (1, Source::Waited));
        });
        assert!(old.stored(key).is_none());
        assert_eq!(*users.get::<i32>(key).unwrap().unwrap(), 2);
        assert_eq!(users.stats().creations, 2);
        until(|| old.locked_keys().is_empty() && new.locked_keys().is_empty());
    }
}

#[test]
fn without_mutexes_too_a_value_created_for_what_is_gone_is_stored_nowhere() {
    let changes = [
        ("gone alone", "", ""),
        ("respelt", "key_prefix = \"a:\"", "key_prefix = \"b:\""),
    ];
    for (key, before, after) in changes {
        let folder = tempfile::tempdir().unwrap();
        let boards = ["from", "to"].map(|board| Board::new(&format!("{key} {board}")));
        let new = &boards[usize::from(before == after)];
        configure_with(folder.path(), before, &boards[0], true);
        let manifest = folder.path().join("dogpile.toml");
        let host = builder().0.manifest(manifest).watch(false);
        let host = host.build().unwrap();
        let users = host.region("users").unwrap();
        let got = users.get_or_create(key, || {
            configure_with(folder.path(), after, new, true);
            host.reload().unwrap();
            1
        });
        assert_eq!(*got.unwrap(), 1);
        for board in &boards {
            let calls = board.calls();
            let sets = calls.iter().filter(|call| call.starts_with("set"));
            assert_eq!(sets.count(), 0, "{key}: {calls:?}");
        }
    }
}

#[test]
fn a_stale_value_of_a_backend_that_is_gone_stands_in_for_no_creation_on_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = ["stale from", "stale to"].map(Board::new);
    let keys = "max_stale = 0\nstale_if_error = \"1h\"";
    configure_with(folder.path(), keys, &old, false);
    let (builder, hand) = builder();
    let builder = builder.manifest(folder.path().join("dogpile.toml"));
    let host = Arc::new(builder.watch(false).build().unwrap());
    let users = host.region("users").unwrap();
    users.set("stale", 1).unwrap();
    hand.advance(61 * SECOND);
    let (moving, to) = (Arc::downgrade(&host), Arc::clone(&new));
    let path = folder.path().to_owned();
    old.hook(move |call| {
        if call == "get stale" {
            configure_with(&path, keys, &to, false);
            moving.upgrade().unwrap().reload().unwrap();
        }
    });
    let got = users.get_or_create("stale", || 2).unwrap();
    assert_eq!((*got, got.source()), (2, Source::Created));
    assert!(new.stored("stale").is_some());
}

#[test]
fn what_another_process_creates_is_waited_for_no_longer_than_lock_wait() {
    let board = Board::new("elsewhere too long");
    let (users, _) = region(board.objects().lock_wait(Duration::from_millis(50)));
    board.lock_key("elsewhere");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    board.hook(move |call| {
        // Who waits for the other process looks now and then.
        let waits = thread::current().name() == Some("dogpile-wait");
        if call == "try_acquire elsewhere" && !waits {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    for _ in 0..2 {
        let error = users.get_or_create("elsewhere", || -> i32 { unreachable!() });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::LockWait);
    }
    let task = users.get_or_create_async("elsewhere", unwanted::<i32>);
    let error = futures_executor::block_on(task).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockWait);
    // One of them has asked; the others knew.
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    board.unlock_key("elsewhere");
    until(|| !users.key_is_locked("elsewhere").unwrap());
    assert_eq!(*users.get_or_create("elsewhere", || 7).unwrap(), 7);
}

/// What it waited for is outdated, and is being created anew when the call begins again.
#[test]
fn a_call_of_several_keys_does_not_wait_while_it_creates() {
    let board = Board::new("waits after its own");
    let wait = SECOND;
    let (users, _) = region(board.objects().argument("alone", true).lock_wait(wait));
    let [own, others] = ["waits after:own", "waits after:others"];
    thread::scope(|scope| {
        let outdated = held(scope, |hold| {
            users.get_or_create(others, || {
                hold.wait();
                1
            })
        });
        users.invalidate(Invalidation::Hard).unwrap();
        let (read_again, next) = (format!("get_multi {others}"), users.clone());
        board.hook(move |call| {
            if call != read_again {
                return;
            }
            let (users, (begun, has_begun)) = (next.clone(), mpsc::channel());
            thread::spawn(move || {
                users.get_or_create(others, || {
                    begun.send(()).unwrap();
                    until_waiting(others, 2);
                    let lined_up = Instant::now();
                    until(|| lined_up.elapsed() >= wait / 10);
                    3
                })
            });
            has_begun.recv().unwrap();
        });
        let call = scope.spawn(|| {
            users.get_or_create_multi(&[own, others], |missing| {
                assert_eq!(missing, [own]);
                let began = Instant::now();
                until(|| began.elapsed() > wait);
                [(own, 2)]
            })
        });
        until_waiting(others, 1);
        outdated.end().unwrap();
        let got = call.join().unwrap().unwrap();
        let got = got.into_iter().map(Option::unwrap);
        let got: Vec<_> = got.map(|got| (*got, got.source())).collect();
        assert_eq!(got, [(2, Source::Created), (3, Source::Waited)]);
    });
}

#[test]
fn outside_of_creators_a_wait_without_lock_wait_has_no_end() {
    let board = Board::new("endless");
    let lease = Duration::from_millis(100);
    let (users, _) = region(board.shared().lock_timeout(lease));
    thread::scope(|scope| {
        let creator = held(scope, |hold| {
            users.get_or_create("endless", || {
                hold.wait();
                1
            })
        });
        let waiter = scope.spawn(|| users.get_or_create("endless", || -> i32 { unreachable!() }));
        until_waiting("endless", 1);
        let began = Instant::now();
        until(|| began.elapsed() >= 3 * lease);
        assert_eq!(*creator.end().unwrap(), 1);
        assert_eq!(waiter.join().unwrap().unwrap().source(), Source::Waited);
    });
}

#[test]
fn each_caller_waits_for_its_own_time() {
    let config = RegionConfig::on("users", "memory").lock_wait(Duration::from_secs(1));
    let (users, _) = region(config);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let creator = scope.spawn(|| {
            users.get_or_create("own time", || {
                until(|| done.load(Ordering::SeqCst));
                1
            })
        });
        until(|| users.key_is_locked("own time").unwrap());
        let call = || {
            let began = Instant::now();
            (
                users.get_or_create("own time", || -> i32 { unreachable!() }),
                began.elapsed(),
            )
        };
        let early = scope.spawn(call);
        until_waiting("own time", 1);
        until(|| early.is_finished());
        // The first has given up; one that begins now has all its time.
        let late = scope.spawn(call);
        until_waiting("own time", 2);
        let (error, elapsed) = early.join().unwrap();
        assert_eq!(error.unwrap_err().kind(), ErrorKind::LockWait);
        assert!(elapsed >= Duration::from_secs(1));
        done.store(true, Ordering::SeqCst);
        let got = late.join().unwrap().0.unwrap();
        assert_eq!((*got, got.source()), (1, Source::Waited));
        assert_eq!(creator.join().unwrap().unwrap().source(), Source::Created);
    });
}

#[test]
fn a_tasks_patience_is_for_its_waits_and_not_for_its_own_creator() {
    let config = RegionConfig::on("users", "memory").lock_wait(Duration::from_millis(400));
    let (users, _) = region(config);
    thread::scope(|scope| {
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let users = &users;
        let other = scope.spawn(move || {
            users.get_or_create("elsewhere made", || {
                let _told = may_go_on.recv();
                1
            })
        });
        until(|| users.key_is_locked("elsewhere made").unwrap());
        let keys = ["elsewhere made", "own"];
        let call = users.get_or_create_multi_async(&keys, |missing: Vec<&str>| {
            assert_eq!(missing, ["own"]);
            // Longer than its patience.
            thread::sleep(Duration::from_millis(500));
            ready([("own", 2)])
        });
        let waits = scope.spawn(move || {
            until_waiting("elsewhere made", 1);
            go_on.send(()).unwrap();
        });
        let got = futures_executor::block_on(call).unwrap();
        assert!(got.iter().all(Option::is_some));
        waits.join().unwrap();
        assert_eq!(*other.join().unwrap().unwrap(), 1);
    });
}
