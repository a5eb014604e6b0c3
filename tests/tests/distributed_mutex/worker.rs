//! A process with a host, which does what it is told.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use dogpile::{Clock, Host, ManualClock, Region, RegionConfig};

use crate::backend::Remote;
use crate::processes::{end_with_input, lease, part, tell};

/// Later than the system's clock, in seconds since 1970.
const START: u64 = 4_000_000_000;

/// Values expire after a minute, and are served stale for another.
fn users(socket: &str) -> (Region, ManualClock) {
    let (clock, hand) = Clock::manual(START * 1_000_000_000);
    let config = RegionConfig::on("users", "remote")
        .argument("socket", socket)
        .expiration_time(Duration::from_mins(1))
        .lock_timeout(lease());
    let builder = Host::builder().backend::<Remote>("remote").clock(clock);
    let host = builder.region(config).build().unwrap();
    (host.region("users").unwrap(), hand)
}

/// Gives for each of so many threads the value of each key, and how many values they created.
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
                    let mut got = match &keys[..] {
                        [key] => {
                            let create = || {
                                created.fetch_add(1, Ordering::SeqCst);
                                value
                            };
                            vec![*users.get_or_create(key, create).unwrap()]
                        }
                        keys => {
                            let create = |missing: &[String]| {
                                let missing = missing.iter().map(|key| {
                                    created.fetch_add(1, Ordering::SeqCst);
                                    (key.clone(), value)
                                });
                                missing.collect::<Vec<_>>()
                            };
                            let got = users.get_or_create_multi(keys, create).unwrap();
                            got.into_iter().map(|value| *value.unwrap()).collect()
                        }
                    };
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

#[test]
fn a_worker() {
    let Some(socket) = part("worker") else {
        return;
    };
    let (users, hand) = users(socket.to_str().unwrap());
    let holding: Arc<Mutex<HashMap<String, mpsc::Sender<()>>>> = Arc::default();
    tell("ready");
    end_with_input(|line| {
        let words: Vec<String> = line.split(' ').map(String::from).collect();
        let users = users.clone();
        match &*words[0] {
            // time SECONDS
            "time" => {
                let seconds: u64 = words[1].parse().unwrap();
                hand.set((START + seconds) * 1_000_000_000);
                tell("done");
            }
            // call THREADS VALUE KEYS
            "call" => {
                let (threads, value) = (words[1].parse().unwrap(), words[2].parse().unwrap());
                thread::spawn(move || tell(&call(&users, threads, &words[3..], value)));
            }
            // hold VALUE KEY: creates until it is told to go on
            "hold" => {
                let (value, key): (u32, _) = (words[1].parse().unwrap(), words[2].clone());
                let (go_on, may_go_on) = mpsc::channel();
                holding.lock().unwrap().insert(key.clone(), go_on);
                thread::spawn(move || {
                    let got = users.get_or_create(&key, || {
                        tell(&format!("creating {key}"));
                        may_go_on.recv().unwrap();
                        value
                    });
                    let got = got.unwrap();
                    tell(&format!("got {} {:?}", *got, got.source()));
                });
            }
            // go KEY
            "go" => {
                let go_on = holding.lock().unwrap().remove(&words[1]);
                go_on.expect("it is held").send(()).unwrap();
            }
            other => panic!("{other}"),
        }
    });
}
