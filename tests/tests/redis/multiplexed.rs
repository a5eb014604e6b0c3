//! One connection for all calls, which are under way on it at once.

use std::net::{TcpListener, TcpStream};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dogpile_plugin_api::BackendInstance;
use dogpile_tests::redis_server::RedisServer;
use serde_json::{Value as Json, json};

use crate::proxy::{Fault, Proxy};
use crate::support::{at, client, get, key, open, set, until};

/// How much longer a call may take, and beyond that on a machine that has more to do than it can.
const LATE: Duration = Duration::from_millis(200);
const LOADED: Duration = Duration::from_secs(2);

fn on(server: &RedisServer) -> Json {
    let mut arguments = at(server);
    arguments["multiplex"] = json!(true);
    arguments
}

fn behind(proxy: &Proxy, timeout: Duration) -> BackendInstance {
    open(&json!({
        "host": "127.0.0.1",
        "port": proxy.port(),
        "socket_timeout": timeout.as_secs_f64(),
        "multiplex": true,
    }))
}

/// How many connections were ever made, this one too.
fn connections(client: &mut redis::Connection) -> u64 {
    let info: redis::InfoDict = redis::cmd("INFO").arg("stats").query(client).unwrap();
    info.get("total_connections_received").unwrap()
}

/// How often a command was called.
fn calls(client: &mut redis::Connection, command: &str) -> u64 {
    let info: redis::InfoDict = redis::cmd("INFO")
        .arg("commandstats")
        .query(client)
        .unwrap();
    let told: Option<String> = info.get(&format!("cmdstat_{command}"));
    let told = told.unwrap_or_default();
    let count = told
        .strip_prefix("calls=")
        .and_then(|rest| rest.split(',').next());
    count.map_or(0, |count| count.parse().unwrap())
}

/// A value that tells whose it is, and is as long as it says.
fn value(key: &str, length: usize) -> Vec<u8> {
    let mut value = format!("{key} {length} ").into_bytes();
    value.resize(value.len() + length, b'x');
    value
}

/// Calls of one thread, with keys of its own. Each gets what is its own, or fails.
fn call(backend: &BackendInstance, thread: usize, round: usize) -> dogpile_plugin_api::Result<()> {
    let names = [0, 1, 2].map(|number| format!("{thread}:{number}"));
    match round % 4 {
        0 => set(backend, &names[0], &value(&names[0], round * 7 % 3000)),
        1 => {
            let keys = names.each_ref().map(|name| key(name));
            let found = backend.get_multi(&keys.each_ref().map(|key| key.as_key()))?;
            for (name, found) in names.iter().zip(&found) {
                is_of(name, found.as_ref().map(|found| found.as_bytes().unwrap()));
            }
            Ok(())
        }
        2 => backend.ping(),
        _ => {
            let found = get(backend, &names[round % 3])?;
            is_of(&names[round % 3], found.as_deref());
            Ok(())
        }
    }
}

#[track_caller]
fn is_of(name: &str, found: Option<&[u8]>) {
    let Some(found) = found else { return };
    let text = str::from_utf8(found).unwrap();
    let (whose, rest) = text.split_once(' ').unwrap();
    let (length, rest) = rest.split_once(' ').unwrap();
    assert_eq!((whose, length), (name, &*rest.len().to_string()));
}

#[test]
fn many_threads_share_one_connection_and_each_gets_what_it_asked_for() {
    let server = RedisServer::start(&[]);
    let backend = open(&on(&server));
    let mut client = client(&server);
    let before = connections(&mut client);
    thread::scope(|scope| {
        for thread in 0..32 {
            let backend = &backend;
            scope.spawn(move || {
                for round in 0..200 {
                    call(backend, thread, round).unwrap();
                }
            });
        }
    });
    assert_eq!(connections(&mut client), before + 1);
    backend.close().unwrap();
    let error = backend.ping().unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
    until("the connection is closed", || {
        let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut client).unwrap();
        list.lines().count() == 1
    });
}

#[test]
fn many_threads_get_their_replies_in_slices_and_large_ones_whole() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::to(server.port());
    let backend = behind(&proxy, Duration::from_secs(30));
    let large = |thread: usize| value(&format!("large:{thread}"), 300_000 * (thread + 1));
    thread::scope(|scope| {
        for thread in 0..8 {
            let (backend, large) = (&backend, &large);
            scope.spawn(move || {
                let name = format!("large:{thread}");
                for _ in 0..3 {
                    set(backend, &name, &large(thread)).unwrap();
                    assert!(get(backend, &name).unwrap().unwrap() == large(thread));
                }
            });
        }
    });
    proxy.set(Fault::Slices);
    thread::scope(|scope| {
        for thread in 0..8 {
            let backend = &backend;
            scope.spawn(move || (0..8).for_each(|round| call(backend, thread, round).unwrap()));
        }
    });
}

#[test]
fn a_call_whose_time_is_over_ends_no_other_that_is_under_way() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::to(server.port());
    let timeout = Duration::from_secs(3);
    let backend = behind(&proxy, timeout);
    let mut client = client(&server);
    for name in ["first", "second", "third"] {
        set(&backend, name, name.as_bytes()).unwrap();
    }
    let before = connections(&mut client);
    proxy.set(Fault::Held);
    thread::scope(|scope| {
        let backend = &backend;
        let first = scope.spawn(|| get(backend, "first"));
        until("the first is under way", || calls(&mut client, "get") == 1);
        // The others have more time.
        thread::sleep(timeout / 2);
        let later: Vec<_> = ["second", "third"]
            .map(|name| scope.spawn(move || (name, get(backend, name))))
            .into();
        until("they are under way", || calls(&mut client, "get") == 3);
        let error = first.join().unwrap().unwrap_err();
        assert!(error.to_string().contains("`socket_timeout`"), "{error}");
        // Its reply comes before theirs.
        proxy.set(Fault::None);
        for later in later {
            let (name, found) = later.join().unwrap();
            assert_eq!(found.unwrap().unwrap(), name.as_bytes());
        }
    });
    assert_eq!(connections(&mut client), before);
    // It may be dead: what comes now has another.
    assert_eq!(get(&backend, "first").unwrap().unwrap(), b"first");
    assert_eq!(connections(&mut client), before + 1);
}

#[test]
fn a_server_that_takes_nothing_costs_calls_their_time_and_no_more() {
    let server = RedisServer::start(&[]);
    let mut arguments = on(&server);
    let timeout = Duration::from_millis(500);
    arguments["socket_timeout"] = json!("500ms");
    let backend = open(&arguments);
    set(&backend, "key", b"value").unwrap();
    server.stop();
    // Together more than the kernel takes for a server.
    let large = vec![b'x'; 3 << 20];
    let late = AtomicU32::new(0);
    thread::scope(|scope| {
        for thread in 0..8 {
            let (backend, large, late) = (&backend, &large, &late);
            scope.spawn(move || {
                for _ in 0..3 {
                    let since = Instant::now();
                    set(backend, &format!("{thread}"), large).unwrap_err();
                    let took = since.elapsed();
                    assert!(took < timeout + LATE + LOADED, "{took:?}");
                    late.fetch_add(u32::from(took > timeout + LATE), Ordering::Relaxed);
                }
            });
        }
    });
    // A machine that has more to do than it can is late by itself.
    assert!(late.into_inner() <= 12);
    server.go_on();
    until("it takes calls again", || get(&backend, "key").is_ok());
    assert_eq!(get(&backend, "key").unwrap().unwrap(), b"value");
    for thread in 0..8 {
        if let Some(found) = get(&backend, &format!("{thread}")).unwrap() {
            assert!(found == large);
        }
    }
}

#[test]
fn no_thread_gets_the_value_of_another_whatever_happens_to_replies() {
    const FAULTS: [Fault; 11] = [
        Fault::Silence,
        Fault::Late(Duration::from_millis(200)),
        Fault::Late(Duration::from_millis(500)),
        Fault::LateHalf(Duration::from_millis(50)),
        Fault::Slices,
        Fault::Reset,
        Fault::HalfThenReset,
        Fault::HalfThenEnd,
        Fault::Garbage(b"garbage\r\n"),
        Fault::Garbage(b":7\r\n"),
        Fault::Garbage(b"$3\r\nfour\r\n"),
    ];
    let timeout = Duration::from_millis(300);
    let server = RedisServer::start(&[]);
    let proxy = Proxy::to(server.port());
    let backend = behind(&proxy, timeout);
    let (ended, late, all) = (AtomicBool::new(false), AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|scope| {
        for thread in 0..8 {
            let (backend, ended, late, all) = (&backend, &ended, &late, &all);
            scope.spawn(move || {
                let mut round = 0;
                while !ended.load(Ordering::Relaxed) {
                    let since = Instant::now();
                    let _failed = call(backend, thread, round);
                    let took = since.elapsed();
                    assert!(took < timeout + LATE + LOADED, "{took:?}");
                    late.fetch_add(u32::from(took > timeout + LATE), Ordering::Relaxed);
                    all.fetch_add(1, Ordering::Relaxed);
                    round += 1;
                }
            });
        }
        for fault in FAULTS.into_iter().chain(FAULTS) {
            proxy.set(fault);
            let before = all.load(Ordering::Relaxed);
            until("calls were made", || {
                all.load(Ordering::Relaxed) >= before + 20
            });
            proxy.set(Fault::None);
            let before = all.load(Ordering::Relaxed);
            until("calls were made", || {
                all.load(Ordering::Relaxed) >= before + 20
            });
        }
        ended.store(true, Ordering::Relaxed);
    });
    let (late, all) = (late.into_inner(), all.into_inner());
    assert!(late <= all / 50, "{late} of {all} calls were late");
    for round in 0..8 {
        call(&backend, 0, round).unwrap();
    }
}

/// Of a server that takes its time, and then ends what it took.
#[test]
fn callers_that_find_no_connection_share_one_attempt_to_make_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let backend = open(&json!({
        "host": "127.0.0.1", "port": port, "password": "secret", "multiplex": true,
    }));
    let (ended, begun) = (AtomicBool::new(false), Barrier::new(8));
    let (attempts, errors) = thread::scope(|scope| {
        let attempts = scope.spawn(|| {
            let taken = listener.incoming().map(Result::unwrap);
            let taken = taken.take_while(|_| !ended.load(Ordering::SeqCst));
            let slow = taken.inspect(|_| thread::sleep(Duration::from_millis(700)));
            slow.count()
        });
        let callers = [(); 8].map(|()| {
            scope.spawn(|| {
                begun.wait();
                backend.ping()
            })
        });
        let errors = callers.map(|caller| caller.join().unwrap().err());
        ended.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", port)).unwrap());
        (attempts.join().unwrap(), errors)
    });
    for error in errors {
        let error = error.expect("nobody can log in").to_string();
        assert!(error.contains("closed the connection"), "{error}");
    }
    // One that came late made another.
    assert!(attempts <= 2, "{attempts}");
}

#[test]
fn a_pool_has_no_size_where_there_is_none() {
    let server = RedisServer::start(&[]);
    let mut arguments = on(&server);
    arguments["max_connections"] = json!(8);
    let error = crate::support::try_open(&arguments).err().unwrap();
    assert_eq!(error.place(), Some("max_connections"), "{error}");
    assert!(error.to_string().contains("`multiplex`"), "{error}");
}
