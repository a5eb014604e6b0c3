//! Values and their types: wrong ones, two at once, objects, and what callers hold.

#![forbid(unsafe_code)]

mod region_support;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use dogpile::{Cached, ErrorKind, MissReason, RegionConfig, Source};

use region_support::{Board, after, all_misses, builder, memory, misses, region, until_waiting};

#[test]
fn a_value_of_another_type_is_a_miss() {
    let (users, _) = memory();
    users.set("1", 1_i32).unwrap();
    assert!(users.get::<String>("1").unwrap().is_none());
    assert!(users.get::<i64>("1").unwrap().is_none());
    let made = users.get_or_create("1", || String::from("one")).unwrap();
    assert_eq!(*made, "one");
    assert_eq!(all_misses(&users), [(MissReason::Type, 3)]);
    assert!(users.get::<String>("1").unwrap().is_some());
}

#[test]
fn who_waited_for_another_type_creates_its_own() {
    let (users, _) = memory();
    thread::scope(|scope| {
        let number = scope.spawn(|| {
            users.get_or_create("types", || {
                until_waiting("types", 1);
                1
            })
        });
        region_support::until(|| users.key_is_locked("types").unwrap());
        let text = users
            .get_or_create("types", || String::from("one"))
            .unwrap();
        assert_eq!((&**text, text.source()), ("one", Source::Created));
        assert_eq!(*number.join().unwrap().unwrap(), 1);
    });
}

#[test]
fn who_waited_for_another_type_reads_it_as_its_own_where_bytes_allow() {
    let board = Board::new("types as bytes");
    let (users, _) = region(board.bytes());
    for key in ["types as bytes", "several types as bytes"] {
        thread::scope(|scope| {
            let short = scope.spawn(|| {
                users.get_or_create(key, || {
                    until_waiting(key, 1);
                    1_i32
                })
            });
            region_support::until(|| users.key_is_locked(key).unwrap());
            let long = if key == "types as bytes" {
                users.get_or_create(key, || -> i64 { unreachable!() })
            } else {
                let create = |_: &[&str]| -> [(&str, i64); 0] { unreachable!() };
                let all = users.get_or_create_multi(&[key], create);
                all.map(|mut all| all.remove(0).unwrap())
            };
            assert_eq!(*long.unwrap(), 1_i64);
            assert_eq!(*short.join().unwrap().unwrap(), 1_i32);
        });
    }
    // Each call is counted once, by its first read.
    assert_eq!(all_misses(&users), [(MissReason::Absent, 4)]);
    assert_eq!(users.stats().hits, 0);
}

#[test]
fn who_waits_for_another_type_twice_gets_an_error() {
    let board = Board::new("mismatch");
    let (users, _) = region(board.objects());
    let (reading_again, is_reading_again) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let (reading_again, may_go_on) = (Mutex::new(reading_again), Mutex::new(may_go_on));
    let reads = AtomicUsize::new(0);
    board.hook(move |call| {
        // The third read is the second one of the caller that waits.
        if call == "get mismatch" && reads.fetch_add(1, Ordering::SeqCst) == 2 {
            reading_again.lock().unwrap().send(()).unwrap();
            may_go_on.lock().unwrap().recv().unwrap();
        }
    });
    let number = |waiting| {
        let entry = users.entry("mismatch").should_cache(|_: &i32| false);
        entry.get_or_create(|| {
            if waiting == 2 {
                go_on.send(()).unwrap();
            }
            until_waiting("mismatch", waiting);
            1
        })
    };
    thread::scope(|scope| {
        let (users, number) = (&users, &number);
        let first = thread::scope(|inner| {
            let text = scope.spawn(|| {
                region_support::until(|| users.key_is_locked("mismatch").unwrap());
                users.get_or_create("mismatch", || -> String { unreachable!() })
            });
            let first = number(1);
            let _ = inner;
            is_reading_again.recv().unwrap();
            assert_eq!(*number(2).unwrap(), 1);
            let error = text.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TypeMismatch);
            let told = error.to_string();
            assert!(
                told.contains("\"mismatch\"") && told.contains("String"),
                "{told}"
            );
            first
        });
        assert_eq!(*first.unwrap(), 1);
    });
    assert_eq!(users.stats().errors, 1);
}

#[test]
fn callers_of_many_types_at_once_all_end() {
    let bytes = RegionConfig::on("users", "memory").argument("storage", "bytes");
    for config in [RegionConfig::on("users", "memory"), bytes] {
        let (users, _) = region(config);
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for at in 0..8 {
                let (users, start) = (&users, &start);
                scope.spawn(move || {
                    for key in 0..200 {
                        start.wait();
                        let key = key.to_string();
                        let error = if at % 2 == 0 {
                            let got = users.get_or_create(&key, || 7_u32);
                            got.map(|got| assert_eq!(*got, 7)).err()
                        } else {
                            let got = users.get_or_create(&key, || String::from("seven"));
                            got.map(|got| assert_eq!(*got, "seven")).err()
                        };
                        assert!(error.is_none_or(|error| error.kind() == ErrorKind::TypeMismatch));
                    }
                });
            }
        });
    }
}

/// Not a serde type.
#[derive(Debug)]
struct Connection(Mutex<u32>);

#[test]
fn objects_need_not_be_serialisable_and_are_never_copied() {
    let (users, hand) = memory();
    let objects = users.objects().unwrap();
    let connect = || Connection(Mutex::new(1));
    let made = objects.get_or_create("1", connect).unwrap();
    let got = objects.get::<Connection>("1").unwrap().unwrap();
    assert!(std::ptr::eq(&raw const *made, &raw const *got));
    assert_eq!(
        (made.source(), got.source()),
        (Source::Created, Source::Fresh)
    );
    *made.0.lock().unwrap() += 1;
    assert_eq!(*got.0.lock().unwrap(), 2);
    objects.set("2", connect()).unwrap();
    let failed = objects.try_get_or_create("3", || Err::<Connection, _>("refused"));
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Creator);
    assert!(objects.get::<Mutex<u32>>("2").unwrap().is_none());
    hand.advance(61 * region_support::SECOND);
    assert!(objects.get::<Connection>("1").unwrap().is_none());
}

#[test]
fn objects_are_refused_by_a_backend_of_bytes() {
    let board = Board::new("objects refused");
    let (users, _) = region(board.bytes());
    let refused = users.objects().err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::NotObjects);
    let text = refused.to_string();
    assert!(
        text.contains("`users`") && text.contains("`memory`"),
        "{text}"
    );
}

#[test]
fn a_declared_region_that_is_configured_on_bytes_has_no_objects() {
    let board = Board::new("objects declared");
    let (builder, _) = builder();
    let host = builder.build().unwrap();
    let users = host.declare("users");
    let error = users.objects().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::RegionNotConfigured);
    host.configure(board.bytes()).unwrap();
    assert_eq!(users.objects().err().unwrap().kind(), ErrorKind::NotObjects);
}

#[test]
fn a_cached_value_is_the_value_and_more() {
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    let (users, hand) = memory();
    hand.advance(region_support::SECOND);
    let name = users.set("1", String::from("Ada")).unwrap();
    shared(&name);
    let clone = name.clone();
    assert!(std::ptr::eq(&raw const *name, &raw const *clone));
    assert_eq!(
        (&**name, name.len(), name.as_ref()),
        ("Ada", 3, &String::from("Ada"))
    );
    assert_eq!(clone.source(), Source::Created);
    assert_eq!(name.cached_time(), after(1));
    let mut text = format!("{name} {name:?} ");
    write!(text, "{}", serde_json::to_string(&name).unwrap()).unwrap();
    assert_eq!(text, r#"Ada "Ada" "Ada""#);
    users.delete("1").unwrap();
    drop(clone);
    let owned: Arc<String> = name.into_arc();
    assert_eq!(*owned, "Ada");
}

#[test]
fn the_age_of_a_value_is_by_the_clock_of_its_host() {
    let (users, clock) = memory();
    let made = [
        users.set("1", 1).unwrap(),
        users.get_or_create("2", || 2).unwrap(),
    ];
    clock.advance(Duration::from_secs(5));
    let one = users.get::<i32>("1").unwrap().unwrap();
    let found = users.get_or_create("2", || 0).unwrap();
    let several = users.get_multi::<i32, _>(&["1", "2"]).unwrap();
    let read = several.into_iter().map(Option::unwrap);
    let old = one.clone();
    for value in read.chain(made).chain([one, found]) {
        assert_eq!(value.age(), Duration::from_secs(5));
    }
    let (others, their_clock) = memory();
    let theirs = others.set("1", 1).unwrap();
    their_clock.advance(Duration::from_secs(7));
    assert_eq!(theirs.age(), Duration::from_secs(7));
    assert_eq!(old.age(), Duration::from_secs(5));
    clock.set(0);
    assert_eq!(old.age(), Duration::ZERO);
}

#[test]
fn the_age_of_a_value_is_that_of_the_systems_clock() {
    let host = dogpile::Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .region(RegionConfig::on("users", "memory"))
        .build()
        .unwrap();
    let before = std::time::SystemTime::now();
    let made = host.region("users").unwrap().set("1", 1).unwrap();
    assert!(made.age() <= before.elapsed().unwrap());
    assert!(made.cached_time() >= before);
}

#[test]
fn a_weigher_weighs_its_type_and_others_weigh_what_they_take() {
    let board = Board::new("weigher");
    for config in [board.objects(), board.bytes()] {
        let (users, _) = region(config);
        let weight = |key| board.stored(key).unwrap().weight();
        users.set_weigher(|text: &String| u32::try_from(text.len()).unwrap());
        users.set("text", "x".repeat(1000)).unwrap();
        users.get_or_create("made", || "x".repeat(2000)).unwrap();
        users.set("empty", String::new()).unwrap();
        assert_eq!(
            (weight("text"), weight("made"), weight("empty")),
            (1000, 2000, 1)
        );
        users.set("number", 1_u64).unwrap();
        assert!((8..200).contains(&weight("number")), "{}", weight("number"));
    }
}

#[test]
fn bytes_weigh_what_they_take() {
    let board = Board::new("weight of bytes");
    let (users, _) = region(board.bytes());
    users.set("text", "x".repeat(100_000)).unwrap();
    assert!(board.stored("text").unwrap().weight() > 100_000);
}

#[test]
fn a_weigher_may_use_its_region() {
    let (users, _) = memory();
    let inner = users.clone();
    users.set_weigher(move |text: &String| {
        inner.set_weigher(|_: &String| 3);
        let length = inner.get_or_create("length", || text.len()).unwrap();
        u32::try_from(*length).unwrap()
    });
    users.set("text", String::from("seven..")).unwrap();
    assert_eq!(users.get::<usize>("length").unwrap().as_deref(), Some(&7));
    users.set_weigher(|_: &String| 1);
}

#[test]
fn values_are_dropped_once_nobody_holds_them() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let count = || dropped.load(Ordering::SeqCst);
    let (users, _) = memory();
    let objects = users.objects().unwrap();
    let held: Cached<Counted> = objects
        .get_or_create("1", || Counted(Arc::clone(&dropped)))
        .unwrap();
    users.delete("1").unwrap();
    assert_eq!(count(), 0);
    drop(held);
    assert_eq!(count(), 1);
    drop(objects.set("1", Counted(Arc::clone(&dropped))));
    assert_eq!(count(), 1);
    users.clear().unwrap();
    assert_eq!(count(), 2);
}

#[test]
fn a_serde_type_of_any_shape_can_be_cached() {
    let (users, _) = memory();
    let pairs = || HashMap::from([((1, 2), "three")]);
    let copy = pairs()
        .into_iter()
        .map(|(key, value)| (key, value.to_owned()));
    let map: HashMap<(i32, i32), String> = copy.collect();
    assert_eq!(*users.set("map", map.clone()).unwrap(), map);
    users.set("none", None::<i32>).unwrap();
    assert_eq!(
        users.get::<Option<i32>>("none").unwrap().as_deref(),
        Some(&None)
    );
    users.set("unit", ()).unwrap();
    assert_eq!(misses(&users, MissReason::Absent), 0);
}
