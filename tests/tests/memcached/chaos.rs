//! Servers that come and go, dawdle or break off while several threads use them: no value is ever that of another key.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dogpile_plugin_api::{BackendInstance, ErrorKind, OwnedKey};
use dogpile_tests::memcached_server::MemcachedServer;
use serde_json::json;

use crate::fake::Fake;
use crate::raw::Raw;
use crate::support::{WAYS, at, get, key, open, servers, set, until};

const THREADS: usize = 4;
const KEYS: usize = 40;

/// Beyond its time something may take so long on a machine that has more to do than it can.
const LOADED: Duration = Duration::from_secs(2);

/// What is used by several threads until it is told to end.
struct Load {
    ends: AtomicBool,
    done: AtomicU64,
    failed: AtomicU64,
    /// The longest call, in nanoseconds.
    longest: AtomicU64,
}

impl Load {
    fn new() -> Self {
        Self {
            ends: AtomicBool::new(false),
            done: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            longest: AtomicU64::new(0),
        }
    }

    /// Stores and reads keys of this thread's own: what is found is what this thread stored there last, or what it tried to
    /// store and was told that it failed, which may come about at any time.
    fn run(&self, on: &BackendInstance, thread: usize) {
        let names: Vec<String> = (0..KEYS).map(|at| format!("t{thread}:k{at}")).collect();
        // The last of each is what was stored.
        let mut maybe: Vec<Vec<String>> = vec![vec![String::new()]; KEYS];
        let mut round = 0;
        while !self.ends.load(Ordering::SeqCst) {
            round += 1;
            for (name, maybe) in names.iter().zip(&mut maybe) {
                let value = format!("{name} {round} ").repeat(20);
                if self.took(|| set(on, name, value.as_bytes())).is_some() {
                    maybe.pop();
                    maybe.push(value);
                } else {
                    maybe.insert(0, value);
                }
                if let Some(found) = self.took(|| get(on, name)) {
                    check(found, maybe);
                }
            }
            let keys: Vec<_> = names.iter().map(|name| key(name)).collect();
            let keys: Vec<_> = keys.iter().map(OwnedKey::as_key).collect();
            if let Some(found) = self.took(|| on.get_multi(&keys)) {
                for (found, maybe) in found.into_iter().zip(&maybe) {
                    let found = found.map(|value| value.as_bytes().unwrap().to_owned());
                    check(found, maybe);
                }
            }
        }
    }

    fn took<T>(&self, call: impl FnOnce() -> dogpile_plugin_api::Result<T>) -> Option<T> {
        let since = Instant::now();
        let result = call();
        let took = u64::try_from(since.elapsed().as_nanos()).unwrap();
        self.longest.fetch_max(took, Ordering::SeqCst);
        match result {
            Ok(value) => {
                self.done.fetch_add(1, Ordering::SeqCst);
                Some(value)
            }
            Err(error) => {
                // Of the only server, or of one beside others.
                let kinds = [ErrorKind::Unavailable, ErrorKind::Refused];
                assert!(kinds.contains(&error.kind()), "{error}");
                self.failed.fetch_add(1, Ordering::SeqCst);
                None
            }
        }
    }

    /// Lets several threads use it, while something happens.
    fn while_used(&self, on: &BackendInstance, happens: impl FnOnce()) {
        thread::scope(|scope| {
            for thread in 0..THREADS {
                scope.spawn(move || self.run(on, thread));
            }
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(happens));
            self.ends.store(true, Ordering::SeqCst);
            if let Err(panic) = ended {
                std::panic::resume_unwind(panic);
            }
        });
    }

    fn until_done(&self, more: u64) {
        let before = self.done.load(Ordering::SeqCst);
        until("calls are answered", || {
            self.done.load(Ordering::SeqCst) > before + more
        });
    }
}

#[track_caller]
fn check(found: Option<Vec<u8>>, maybe: &[String]) {
    if let Some(found) = found {
        let found = String::from_utf8(found).unwrap();
        assert!(maybe.contains(&found), "{found:?} is none of {maybe:?}");
    }
}

/// Each server of three goes once and comes back. (A key that moved twice may be found as it was the first time.) Just
/// before that a call may have found it dead once more. A machine that has more to do than it can may delay what is right
/// for any of them; what is wrong is late for each.
fn one_after_the_other(
    backend: &str,
    arguments: &str,
    goes: impl Fn(&mut MemcachedServer),
    comes: impl Fn(&mut MemcachedServer),
) {
    const DEAD_RETRY: Duration = Duration::from_millis(300);
    let mut servers = servers(3, &[]);
    let mut arguments = at(&servers, arguments);
    arguments["socket_timeout"] = json!("500ms");
    arguments["dead_retry"] = json!("300ms");
    let on = open(backend, &arguments);
    let load = Load::new();
    let mut took = Vec::new();
    load.while_used(&on, || {
        for server in &mut servers {
            load.until_done(500);
            goes(server);
            load.until_done(100);
            comes(server);
            let back = Instant::now();
            let mut raw = Raw::to(server);
            let stores = raw.stat("cmd_set");
            until("it is used again", || raw.stat("cmd_set") > stores + 100);
            until("all keys are answered", || {
                (0..100).all(|number| get(&on, &format!("probe{number}")).is_ok())
            });
            took.push(back.elapsed());
        }
    });
    println!("{backend}: used again after {took:?}");
    let most = DEAD_RETRY + Duration::from_secs(1);
    assert!(took.iter().any(|took| *took < most), "{took:?}");
    let longest = Duration::from_nanos(load.longest.into_inner());
    assert!(longest < Duration::from_millis(500) + LOADED, "{longest:?}");
    let (done, failed) = (load.done.into_inner(), load.failed.into_inner());
    println!(
        "{backend}: {done} calls were answered, {failed} failed, the longest took {longest:?}"
    );
}

#[test]
fn a_server_of_three_is_killed_and_started_again_under_load() {
    for (backend, arguments) in WAYS {
        one_after_the_other(
            backend,
            arguments,
            MemcachedServer::kill,
            MemcachedServer::restart,
        );
    }
}

#[test]
fn a_server_of_three_hangs_and_goes_on_under_load() {
    for (backend, arguments) in WAYS {
        one_after_the_other(
            backend,
            arguments,
            |server| server.stop(),
            |server| server.go_on(),
        );
    }
}

/// Forwards to a server, and lets replies pass as it is told: how many of these bytes, and whether the stream goes on.
fn between(
    server: &MemcachedServer,
    pass: impl Fn(usize) -> (usize, bool) + Send + Sync + 'static,
) -> Fake {
    let (port, pass) = (server.port(), Arc::new(pass));
    Fake::start(move |mut client: TcpStream| {
        let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut replies, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let pass = Arc::clone(&pass);
        let copying = thread::spawn(move || {
            let mut chunk = vec![0; 65536];
            while let Ok(count @ 1..) = replies.read(&mut chunk) {
                let (passes, goes_on) = pass(count);
                if back.write_all(&chunk[..passes]).is_err() || !goes_on {
                    break;
                }
            }
            let _ended = back.shutdown(Shutdown::Both);
        });
        let _ended = std::io::copy(&mut client, &mut server);
        let _ended = server.shutdown(Shutdown::Both);
        copying.join().unwrap();
    })
}

#[test]
fn replies_that_are_slow_or_late_are_never_those_of_other_keys() {
    for (backend, arguments) in WAYS {
        let server = MemcachedServer::start(&[]);
        let turns = AtomicUsize::new(0);
        let slow = between(&server, move |count| {
            // Most within the timeout, and some after it.
            let turn = turns.fetch_add(1, Ordering::SeqCst);
            let millis = [0, 1, 0, 30, 0, 5, 0, 0, 1, 0, 260][turn % 11];
            thread::sleep(Duration::from_millis(millis));
            (count, true)
        });
        let mut arguments: serde_json::Value = serde_json::from_str(arguments).unwrap();
        arguments["url"] = json!(slow.url());
        arguments["socket_timeout"] = json!("200ms");
        arguments["dead_retry"] = json!("1ms");
        let on = open(backend, &arguments);
        let load = Load::new();
        load.while_used(&on, || {
            load.until_done(300);
            until("some are late", || load.failed.load(Ordering::SeqCst) > 10);
        });
        let longest = Duration::from_nanos(load.longest.into_inner());
        assert!(longest < Duration::from_millis(200) + LOADED, "{longest:?}");
    }
}

#[test]
fn a_reply_that_breaks_off_anywhere_is_an_error_and_no_value() {
    for (backend, arguments) in WAYS {
        let server = MemcachedServer::start(&[]);
        let direct = open(backend, &json!({ "url": server.url() }));
        set(&direct, "key", &[b'v'; 40]).unwrap();
        let (most, replied) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (cut, whole) = (Arc::clone(&most), Arc::clone(&replied));
        let broken = between(&server, move |count| {
            whole.store(count, Ordering::SeqCst);
            let passes = cut.load(Ordering::SeqCst).min(count);
            (passes, passes == count)
        });
        let mut arguments: serde_json::Value = serde_json::from_str(arguments).unwrap();
        arguments["url"] = json!(broken.url());
        arguments["dead_retry"] = json!("1ms");
        let on = open(backend, &arguments);
        for length in 0.. {
            most.store(length, Ordering::SeqCst);
            let mut found = get(&on, "key");
            until("it is asked", || {
                let is_left_alone =
                    matches!(&found, Err(error) if error.message().contains("is left alone"));
                if is_left_alone {
                    found = get(&on, "key");
                }
                !is_left_alone
            });
            match found {
                Ok(found) => {
                    assert_eq!(found.unwrap(), [b'v'; 40]);
                    assert_eq!(length, replied.load(Ordering::SeqCst), "{backend}");
                    break;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
            }
        }
        assert!(replied.load(Ordering::SeqCst) > 40);
    }
}
