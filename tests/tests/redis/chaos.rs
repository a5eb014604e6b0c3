//! What networks do to replies: errors within the time that a call may take, and never another call's value.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use dogpile_plugin_api::{BackendInstance, ErrorKind};
use dogpile_tests::redis_server::RedisServer;
use serde_json::json;

use crate::proxy::{Fault, Proxy};
use crate::support::{both_ways, get, key, open, set, until};

const TIMEOUT: Duration = Duration::from_millis(300);

/// How much longer a call may take, and beyond that on a machine that has more to do than it can.
const LATE: Duration = Duration::from_millis(200);
const LOADED: Duration = Duration::from_secs(2);

/// With a connection for each call, and with one for all.
fn behind(proxy: &Proxy) -> [BackendInstance; 2] {
    let arguments = json!({ "host": "127.0.0.1", "port": proxy.port(), "socket_timeout": "300ms" });
    both_ways(&arguments).map(|arguments| open(&arguments))
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
        for number in 0..8 {
            set(
                &backend,
                &format!("key {number}"),
                format!("value {number}").as_bytes(),
            )
            .unwrap();
        }
        let mut late = 0;
        for fault in FATAL {
            for number in 0..4 {
                let name = format!("key {number}");
                proxy.set(Fault::None);
                let expected = format!("value {number}").into_bytes();
                assert_eq!(
                    get(&backend, &name).unwrap(),
                    Some(expected.clone()),
                    "{fault:?}"
                );
                proxy.set(fault);
                let since = Instant::now();
                let failed = match number {
                    0 => get(&backend, &name).unwrap_err(),
                    1 => backend.get_multi(&[key(&name).as_key()]).unwrap_err(),
                    2 => backend.ping().unwrap_err(),
                    _ => set(&backend, &name, &expected).unwrap_err(),
                };
                assert_eq!(failed.kind(), ErrorKind::Unavailable, "{fault:?}: {failed}");
                let took = since.elapsed();
                assert!(took < TIMEOUT + LATE + LOADED, "{fault:?}: {took:?}");
                late += u32::from(took > TIMEOUT + LATE);
            }
        }
        assert!(late <= 6, "{late} calls were late");
    }
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
