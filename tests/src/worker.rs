//! A process with a region, which does what it is told.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use dogpile::{Clock, Host, HostBuilder, Invalidation, ManualClock, Region, RegionConfig};

use crate::process::{Process, created, end_with_input, say};
use crate::until::SOON;

/// Where the workers' clocks begin: later than the system's, in seconds since 1970.
pub const START: u64 = 4_000_000_000;

type Holding = Arc<Mutex<HashMap<String, mpsc::Sender<()>>>>;

/// Opens the region `users`, whose values expire after a minute and are served stale for another, and obeys:
///
/// | told | does, and says |
/// |---|---|
/// | `time SECONDS` | moves its clock; `done` |
/// | `call THREADS VALUE KEYS` | each thread wants the keys; `created COUNT got VALUES` |
/// | `hold VALUE KEY` | `creating KEY`, and creates until it is told `go KEY`; `got VALUE SOURCE` |
/// | `nest OUTER INNER` | the same, but its value is one more than that of the inner key; `got VALUE` or `error TEXT` |
/// | `delete KEYS`, `clear`, `invalidate` | it; `done` |
/// | `answers` | stores something until that succeeds; `done` |
///
/// # Panics
///
/// If anything fails that is not part of the test.
pub fn obey(host: HostBuilder, users: RegionConfig) -> ! {
    let (clock, hand) = Clock::manual(START * 1_000_000_000);
    obey_with(host.clock(clock), users, Some(&hand))
}

/// The same, but for `time`: its clock is the system's.
///
/// # Panics
///
/// As above.
pub fn obey_by_system_clock(host: HostBuilder, users: RegionConfig) -> ! {
    obey_with(host, users, None)
}

fn obey_with(host: HostBuilder, users: RegionConfig, hand: Option<&ManualClock>) -> ! {
    let config = users.expiration_time(Duration::from_mins(1));
    let host: Host = host.region(config).build().unwrap();
    let users = host.region("users").unwrap();
    let holding = Holding::default();
    end_with_input(|line| {
        let words: Vec<String> = line.split(' ').map(String::from).collect();
        do_one(&users, hand, &holding, &words);
    })
}

/// Moves every process's clock.
pub fn set_time<'p>(workers: impl IntoIterator<Item = &'p mut Process>, seconds: u64) {
    for worker in workers {
        worker.tell(&format!("time {seconds}"));
        worker.expect("done");
    }
}

/// Until the storage answers every process.
pub fn until_answered(workers: &mut [Process]) {
    for worker in workers {
        worker.tell("answers");
        worker.expect("done");
    }
}

/// Lets eight threads of each worker call for one key at each of so many expiries. The workers have a region whose values
/// expire after a minute, and are served for another.
///
/// # Panics
///
/// If not exactly one of them created it.
pub fn create_once_at_each(expiries: u64, workers: &mut [Process]) {
    let mut seconds = 0;
    for expiry in 0..expiries {
        // By turns a value that may be served meanwhile, and none.
        seconds += if expiry % 2 == 0 { 61 } else { 121 };
        set_time(&mut *workers, seconds);
        for worker in &mut *workers {
            worker.tell(&format!("call 8 {expiry} key"));
        }
        assert_eq!(created(workers), 1, "{expiry}");
    }
}

fn do_one(users: &Region, hand: Option<&ManualClock>, holding: &Holding, words: &[String]) {
    let rest = words[1..].to_vec();
    let users = users.clone();
    match &*words[0] {
        "time" => {
            let seconds: u64 = rest[0].parse().unwrap();
            hand.expect("its clock can be set")
                .set((START + seconds) * 1_000_000_000);
            say("done");
        }
        "call" => {
            let (threads, value) = (rest[0].parse().unwrap(), rest[1].parse().unwrap());
            thread::spawn(move || say(&call(&users, threads, &rest[2..], value)));
        }
        "hold" => {
            let (value, key): (u32, _) = (rest[0].parse().unwrap(), rest[1].clone());
            let may_go_on = until_told(holding, &key);
            thread::spawn(move || {
                let got = users.get_or_create(&key, || {
                    say(&format!("creating {key}"));
                    may_go_on.recv().unwrap();
                    value
                });
                let got = got.unwrap();
                say(&format!("got {} {:?}", *got, got.source()));
            });
        }
        "nest" => {
            let (outer, inner) = (rest[0].clone(), rest[1].clone());
            let may_go_on = until_told(holding, &outer);
            thread::spawn(move || {
                let got = users.try_get_or_create(&outer, || {
                    say(&format!("creating {outer}"));
                    may_go_on.recv().unwrap();
                    users
                        .get_or_create(&inner, || 1_u32)
                        .map(|inner| *inner + 1)
                });
                match got {
                    Ok(got) => say(&format!("got {}", *got)),
                    Err(error) => say(&format!("error {error}")),
                }
            });
        }
        "go" => {
            let go_on = holding.lock().unwrap().remove(&rest[0]);
            go_on.expect("it is held").send(()).unwrap();
        }
        "delete" => {
            match &rest[..] {
                [key] => users.delete(key).unwrap(),
                keys => users.delete_multi(keys).unwrap(),
            }
            say("done");
        }
        "clear" => {
            users.clear().unwrap();
            say("done");
        }
        "invalidate" => {
            users.invalidate(Invalidation::Hard).unwrap();
            say("done");
        }
        "answers" => {
            let deadline = Instant::now() + SOON;
            while let Err(error) = users.set("answered", 1_u32) {
                assert!(Instant::now() < deadline, "{error}");
                thread::yield_now();
            }
            say("done");
        }
        other => panic!("{other}"),
    }
}

fn until_told(holding: &Holding, key: &str) -> mpsc::Receiver<()> {
    let (go_on, may_go_on) = mpsc::channel();
    holding.lock().unwrap().insert(key.to_owned(), go_on);
    may_go_on
}

/// Each of so many threads wants the keys. Gives how many values they created, and what they all got.
fn call(users: &Region, threads: usize, keys: &[String], value: u32) -> String {
    let (created, together) = (AtomicU32::new(0), Barrier::new(threads));
    let got: Vec<Vec<u32>> = thread::scope(|scope| {
        let calls: Vec<_> = (0..threads)
            .map(|thread| {
                let (created, together) = (&created, &together);
                scope.spawn(move || {
                    let mut keys = keys.to_vec();
                    if thread % 2 == 1 {
                        keys.reverse();
                    }
                    together.wait();
                    let mut got = call_once(users, &keys, value, created);
                    if thread % 2 == 1 {
                        got.reverse();
                    }
                    got
                })
            })
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let alike = got.iter().all(|values| *values == got[0]);
    let values = if alike {
        format!("{:?}", got[0])
    } else {
        format!("{got:?}")
    };
    format!("created {} got {values}", created.into_inner())
}

fn call_once(users: &Region, keys: &[String], value: u32, created: &AtomicU32) -> Vec<u32> {
    let create = || {
        created.fetch_add(1, Ordering::SeqCst);
        value
    };
    if let [key] = keys {
        return vec![*users.get_or_create(key, create).unwrap()];
    }
    let got = users.get_or_create_multi(keys, |missing: &[String]| {
        let missing = missing.iter().map(|key| (key.clone(), create()));
        missing.collect::<Vec<_>>()
    });
    let got = got.unwrap().into_iter();
    got.map(|value| *value.unwrap()).collect()
}
