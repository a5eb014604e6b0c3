//! One cache for Python and Rust: values, and locks.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use dogpile::Region;
use dogpile_tests::python_process::PythonProcess;
use dogpile_tests::redis_server::RedisServer;

use crate::peer::{get, python_on, rust};
use crate::support::{client, until};

#[test]
fn what_one_language_stores_the_other_reads_and_deletes() {
    let server = RedisServer::start(&[]);
    let (mut python, rust) = (python_on(&server), rust(&server));
    python.ask("set a 1", "done");
    python.ask("set_multi b 2 c 3", "done");
    for (key, value) in [("a", 1), ("b", 2), ("c", 3)] {
        assert_eq!(get(&rust, key), Some(value));
    }
    let all = rust.get_multi::<u32, _>(&["c", "none", "a"]).unwrap();
    let all: Vec<Option<u32>> = all
        .into_iter()
        .map(|value| value.map(|value| *value))
        .collect();
    assert_eq!(all, [Some(3), None, Some(1)]);
    rust.set("a", 4_u32).unwrap();
    rust.set_multi([("b", 5_u32), ("d", 6)]).unwrap();
    python.ask("get a b c d e", "4 5 3 6 none");
    rust.delete("a").unwrap();
    rust.delete_multi(&["b", "c"]).unwrap();
    python.ask("get a b c d", "none none none 6");
    python.ask("delete d", "done");
    assert_eq!(get(&rust, "d"), None);
}

#[test]
fn who_waits_gets_the_value_that_the_other_language_creates() {
    let server = RedisServer::start(&[]);
    let (mut python, rust) = (python_on(&server), rust(&server));
    python.ask("hold a 1", "creating a");
    assert!(rust.key_is_locked("a").unwrap());
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let got = rust.get_or_create("a", || -> u32 { panic!("Python creates it") });
            *got.unwrap()
        });
        let mut client = client(&server);
        until("the server knows of the wait", || {
            let info: redis::InfoDict = redis::cmd("INFO").arg("stats").query(&mut client).unwrap();
            info.get::<u64>("tracking_total_keys").unwrap() > 0
        });
        python.ask("go", "got 1");
        assert_eq!(waits.join().unwrap(), 1);
    });
    let got = rust.get_or_create("b", || {
        python.ask("locked b", "true");
        python.tell("call 4 b 3");
        2_u32
    });
    assert_eq!(*got.unwrap(), 2);
    python.expect("created 0 got [2]");
    python.ask("locked b", "false");
}

#[test]
fn four_of_each_language_create_once_at_each_expiry() {
    let rounds = if std::env::var_os("DOGPILE_TEST_FULL").is_some() {
        100
    } else {
        20
    };
    let server = RedisServer::start(&[]);
    let mut pythons: Vec<PythonProcess> = (0..4).map(|_| python_on(&server)).collect();
    let rusts: Vec<Region> = (0..4).map(|_| rust(&server)).collect();
    let mut client = client(&server);
    for round in 1..=rounds {
        redis::cmd("DEL").arg("key").exec(&mut client).unwrap();
        for python in &mut pythons {
            python.tell(&format!("call 2 key {round}"));
        }
        let created = AtomicU32::new(0);
        thread::scope(|scope| {
            for region in rusts.iter().chain(&rusts) {
                scope.spawn(|| {
                    let got = region.get_or_create("key", || {
                        created.fetch_add(1, Ordering::SeqCst);
                        round
                    });
                    assert_eq!(*got.unwrap(), round);
                });
            }
        });
        let mut created = created.into_inner();
        for python in &mut pythons {
            created += python.created(round);
        }
        assert_eq!(created, 1, "{round}");
    }
}
