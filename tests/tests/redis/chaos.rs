//! What networks do to replies: errors within the time that a call may take, and never another call's value.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use dogpile_plugin_api::{BackendInstance, ErrorKind};
use dogpile_tests::redis_server::RedisServer;
use serde_json::json;

use crate::proxy::{Fault, Proxy};
use crate::support::{at, both_ways, get, key, open, open_watched, set, until};
use crate::watched::lone_sentinel;

const TIMEOUT: Duration = Duration::from_millis(300);

/// How much longer a call may take, and beyond that on a machine that has more to do than it can.
const LATE: Duration = Duration::from_millis(200);
const LOADED: Duration = Duration::from_secs(2);

/// With a connection for each call, and with one for all.
fn behind(proxy: &Proxy) -> [BackendInstance; 2] {
    let arguments = json!({ "host": "127.0.0.1", "port": proxy.port(), "socket_timeout": "300ms" });
    both_ways(&arguments).map(|arguments| open(&arguments))
}

/// What is found where nothing keeps a reply, in the time that a call may take or, on a loaded machine, the next.
fn found(backend: &BackendInstance, name: &str) -> Option<Vec<u8>> {
    let mut found = None;
    until("it answers", || {
        let answer = get(backend, name);
        let is_there = answer.is_ok();
        found = answer.ok().flatten();
        is_there
    });
    found
}

/// The faults that keep a reply from arriving whole and in time.
const FATAL: [Fault; 14] = [
    Fault::Silence,
    Fault::Late(Duration::from_millis(500)),
    Fault::Reset,
    Fault::HalfThenReset,
    Fault::HalfThenEnd,
    Fault::Garbage(b"garbage\r\n"),
    Fault::Garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    Fault::Garbage(b"$9\r\nno nine\r\n"),
    Fault::Garbage(b"*1\r\n:1\r\n"),
    Fault::Garbage(b":7\r\n"),
    Fault::Garbage(b"$9223372036854775807\r\n"),
    Fault::Garbage(b"*9223372036854775807\r\n:1\r\n"),
    Fault::Garbage(b">9223372036854775807\r\n:1\r\n"),
    Fault::Garbage(b"%9223372036854775807\r\n:1\r\n"),
];

#[test]
fn no_call_gets_the_value_of_another_whatever_happens_to_replies() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::to(server.port());
    for backend in behind(&proxy) {
        proxy.set(Fault::None);
        for number in 0..4 {
            let (name, value) = (format!("key {number}"), format!("value {number}"));
            until("it stores", || {
                set(&backend, &name, value.as_bytes()).is_ok()
            });
        }
        let mut clock = Clock::default();
        for fault in FATAL {
            for number in 0..4 {
                let name = format!("key {number}");
                proxy.set(Fault::None);
                let expected = format!("value {number}").into_bytes();
                assert_eq!(found(&backend, &name), Some(expected.clone()), "{fault:?}");
                proxy.set(fault);
                let failed = clock.times(fault, || match number {
                    0 => get(&backend, &name).unwrap_err(),
                    1 => backend.get_multi(&[key(&name).as_key()]).unwrap_err(),
                    2 => backend.ping().unwrap_err(),
                    _ => set(&backend, &name, &expected).unwrap_err(),
                });
                assert_eq!(failed.kind(), ErrorKind::Unavailable, "{fault:?}: {failed}");
            }
        }
        clock.was_kept();
    }
}

/// How many calls took longer than they may.
#[derive(Default)]
struct Clock {
    late: u32,
}

impl Clock {
    #[track_caller]
    fn times<T>(&mut self, fault: Fault, call: impl FnOnce() -> T) -> T {
        let since = Instant::now();
        let made = call();
        let took = since.elapsed();
        assert!(took < TIMEOUT + LATE + LOADED, "{fault:?}: {took:?}");
        self.late += u32::from(took > TIMEOUT + LATE);
        made
    }

    #[track_caller]
    fn was_kept(&self) {
        assert!(self.late <= 6, "{} calls were late", self.late);
    }
}

/// Where that sentinel says.
fn watched_by(port: u16) -> BackendInstance {
    open_watched(&json!({ "sentinels": [["127.0.0.1", port]], "socket_timeout": "300ms" }))
}

#[test]
fn a_master_that_sentinels_name_gives_no_call_the_value_of_another_whatever_happens_to_replies() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::to(server.port());
    let sentinel = lone_sentinel(proxy.port(), "");
    let backend = watched_by(sentinel.port());
    let mut clock = Clock::default();
    for fault in FATAL {
        for number in 0..2 {
            let name = format!("key {number}");
            let expected = format!("value {number} {fault:?}").into_bytes();
            proxy.set(Fault::None);
            until("it stores", || set(&backend, &name, &expected).is_ok());
            assert_eq!(found(&backend, &name).unwrap(), expected);
            proxy.set(fault);
            let failed = clock.times(fault, || match number {
                0 => get(&backend, &name).unwrap_err(),
                _ => set(&backend, &name, &expected).unwrap_err(),
            });
            assert_eq!(failed.kind(), ErrorKind::Unavailable, "{fault:?}: {failed}");
        }
    }
    clock.was_kept();
}

#[test]
fn whatever_happens_to_what_a_sentinel_says_calls_fail_in_time_or_go_to_the_master() {
    let server = RedisServer::start(&[]);
    let sentinel = lone_sentinel(server.port(), "");
    let proxy = Proxy::to(sentinel.port());
    let place = format!("the sentinel 127.0.0.1:{}", proxy.port());
    set(&open(&at(&server)), "key", b"value").unwrap();
    let mut clock = Clock::default();
    for fault in FATAL {
        let backend = watched_by(proxy.port());
        proxy.set(fault);
        let failed = clock.times(fault, || get(&backend, "key").unwrap_err());
        let shown = failed.to_string();
        assert!(shown.contains(&place), "{fault:?}: {shown}");
        assert_eq!(failed.kind(), ErrorKind::Unavailable, "{fault:?}: {failed}");
        proxy.set(Fault::Slices);
        until("the master is found", || get(&backend, "key").is_ok());
        if !matches!(
            fault,
            Fault::Silence | Fault::HalfThenEnd | Fault::Garbage(b":7\r\n")
        ) {
            continue;
        }
        proxy.set(fault);
        let before = proxy.accepted();
        until("it is asked again", || {
            // On a machine that has more to do than it can, the master may be late too.
            if let Ok(found) = clock.times(fault, || get(&backend, "key")) {
                assert_eq!(found.unwrap(), b"value");
            }
            proxy.accepted() > before
        });
    }
    clock.was_kept();
}

#[test]
fn replies_that_arrive_byte_by_byte_are_whole() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::to(server.port());
    for backend in behind(&proxy) {
        proxy.set(Fault::None);
        proxy.set(Fault::Slices);
        let keys = ["a", "b"].map(key);
        for length in [0, 1, 100, 1000] {
            set(&backend, "a", &vec![b'a'; length]).unwrap();
            set(&backend, "b", b"\r\n").unwrap();
            assert_eq!(get(&backend, "a").unwrap().unwrap(), vec![b'a'; length]);
            let found = backend
                .get_multi(&keys.each_ref().map(|key| key.as_key()))
                .unwrap();
            let found: Vec<_> = found
                .iter()
                .map(|value| value.as_ref().unwrap().as_bytes().unwrap())
                .collect();
            assert_eq!(found, [&vec![b'a'; length][..], b"\r\n"]);
        }
    }
}

/// A reply whose parts come each in time, and all of which never do.
#[test]
fn a_reply_that_trickles_or_ends_in_the_middle_costs_a_call_its_time_and_no_more() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::to(server.port());
    for backend in behind(&proxy) {
        proxy.set(Fault::None);
        set(&backend, "key", &[b'a'; 1000]).unwrap();
        for fault in [
            Fault::Trickle(Duration::from_millis(20)),
            Fault::LateHalf(Duration::from_millis(250)),
        ] {
            let took = (0..5).map(|_| {
                proxy.set(fault);
                let since = Instant::now();
                let error = get(&backend, "key").unwrap_err();
                assert!(error.to_string().contains("`socket_timeout`"), "{error}");
                since.elapsed()
            });
            let shortest = took.min().unwrap();
            assert!(shortest < TIMEOUT + LATE, "{fault:?}: {shortest:?}");
        }
    }
}

#[test]
fn a_lock_that_was_taken_without_the_reply_is_not_left_behind() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::to(server.port());
    for backend in behind(&proxy) {
        proxy.set(Fault::None);
        let mutex = backend.mutex(&key("key").as_key()).unwrap().unwrap();
        // The first call asks more.
        let lease = mutex.try_acquire(Duration::from_mins(1)).unwrap();
        mutex.release(lease.expect("nobody has it")).unwrap();
        for fault in [Fault::Reset, Fault::HalfThenEnd, Fault::Silence] {
            proxy.set(fault);
            mutex.try_acquire(Duration::from_mins(1)).unwrap_err();
            proxy.set(Fault::None);
            assert!(mutex.is_locked().unwrap());
            let lease = mutex.try_acquire(Duration::from_mins(1)).unwrap();
            mutex.release(lease.expect("nobody has it")).unwrap();
            assert!(!mutex.is_locked().unwrap());
        }
    }
}

#[test]
fn a_lock_that_could_not_be_given_up_is_given_up_by_the_next_call_for_it() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::to(server.port());
    for backend in behind(&proxy) {
        let mutex = backend.mutex(&key("key").as_key()).unwrap().unwrap();
        for _ in 0..3 {
            let lease = mutex.try_acquire(Duration::from_mins(1)).unwrap();
            proxy.set(Fault::Refuse);
            proxy.cut();
            mutex.release(lease.expect("nobody has it")).unwrap_err();
            proxy.set(Fault::None);
            assert!(mutex.is_locked().unwrap());
        }
        // The next is to find it free.
        let lease = mutex.try_acquire(Duration::from_mins(1)).unwrap();
        mutex.release(lease.expect("nobody has it")).unwrap();
    }
}

#[test]
fn connections_that_the_server_ended_together_cost_one_call_at_most() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::to(server.port());
    let [backend, _] = behind(&proxy);
    for _ in 0..5 {
        // None is done before all have begun.
        proxy.set(Fault::Late(Duration::from_millis(100)));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| get(&backend, "key").unwrap());
            }
        });
        proxy.set(Fault::None);
        proxy.cut();
        let failed = (0..8).filter(|_| get(&backend, "key").is_err()).count();
        assert!(failed <= 1, "{failed}");
    }
}

#[test]
fn nothing_is_left_open_after_failures() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::to(server.port());
    let open = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open();
    for backend in behind(&proxy) {
        proxy.set(Fault::None);
        for fault in FATAL {
            proxy.set(fault);
            for _ in 0..3 {
                get(&backend, "key").unwrap_err();
            }
        }
        proxy.set(Fault::None);
        get(&backend, "key").unwrap();
        let mutex = backend.mutex(&key("key").as_key()).unwrap().unwrap();
        let lease = mutex.try_acquire(Duration::from_mins(1)).unwrap().unwrap();
        mutex.wait(Duration::from_millis(10)).unwrap();
        mutex.release(lease).unwrap();
        backend.close().unwrap();
        proxy.cut();
        until("all is closed", || open() <= before);
    }
}
