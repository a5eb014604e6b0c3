//! A process with a host, which does what it is told.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use dogpile::{Clock, Host, ManualClock, Region, RegionConfig};

use crate::processes::{part, tell};

/// Later than the system's clock, in seconds since 1970.
const START: u64 = 4_000_000_000;

/// Values expire after a minute, and are served stale for another.
pub(crate) fn users(file: &Path, patience: Duration) -> (Region, ManualClock) {
    let (clock, hand) = Clock::manual(START * 1_000_000_000);
    let config = RegionConfig::on("users", "dbm")
        .argument("filename", file.to_str().unwrap())
        .expiration_time(Duration::from_mins(1))
        .lock_timeout(patience);
    let builder = Host::builder()
        .plugin(dogpile_plugin_dbm::plugin())
        .clock(clock);
    let host = builder.region(config).build().unwrap();
    (host.region("users").unwrap(), hand)
}

/// Each of so many threads wants the key. Gives how many created it, and what they all got.
fn call(users: &Region, threads: usize, key: &str, value: u32) -> String {
    let (created, together) = (AtomicU32::new(0), Barrier::new(threads));
    let got: Vec<u32> = thread::scope(|scope| {
        let calls: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    together.wait();
                    let create = || {
                        created.fetch_add(1, Ordering::SeqCst);
                        value
                    };
                    *users.get_or_create(key, create).unwrap()
                })
            })
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let created = created.into_inner();
    if got.iter().all(|value| *value == got[0]) {
        format!("created {created} got {}", got[0])
    } else {
        format!("created {created} got {got:?}")
    }
}

#[test]
fn a_worker() {
    let Some((file, patience)) = part() else {
        return;
    };
    let (users, hand) = users(Path::new(&file), patience);
    let holding: Arc<Mutex<HashMap<String, mpsc::Sender<()>>>> = Arc::default();
    tell("ready");
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<String> = line.split(' ').map(String::from).collect();
        let users = users.clone();
        match &*words[0] {
            // time SECONDS
            "time" => {
                let seconds: u64 = words[1].parse().unwrap();
                hand.set((START + seconds) * 1_000_000_000);
                tell("done");
            }
            // call THREADS VALUE KEY
            "call" => {
                let (threads, value) = (words[1].parse().unwrap(), words[2].parse().unwrap());
                thread::spawn(move || tell(&call(&users, threads, &words[3], value)));
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
                    tell(&format!("got {}", *got.unwrap()));
                });
            }
            // nest OUTER INNER: creates the one, and in its creator, when it is told to go on, the other
            "nest" => {
                let (outer, inner) = (words[1].clone(), words[2].clone());
                let (go_on, may_go_on) = mpsc::channel();
                holding.lock().unwrap().insert(outer.clone(), go_on);
                thread::spawn(move || {
                    let got = users.try_get_or_create(&outer, || {
                        tell(&format!("creating {outer}"));
                        may_go_on.recv().unwrap();
                        users
                            .get_or_create(&inner, || 1_u32)
                            .map(|inner| *inner + 1)
                    });
                    match got {
                        Ok(got) => tell(&format!("got {}", *got)),
                        Err(error) => tell(&format!("error {error}")),
                    }
                });
            }
            // go KEY
            "go" => {
                let go_on = holding.lock().unwrap().remove(&words[1]);
                go_on.expect("it is held").send(()).unwrap();
            }
            other => panic!("{other}"),
        }
    }
    // Creators may be at work, and are not waited for.
    std::process::exit(0);
}
