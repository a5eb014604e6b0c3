//! Connections of which there are too few, or that say more than they were asked for.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use dogpile_plugin_api::OwnedKey;
use dogpile_tests::certificates::CertificateFiles;
use dogpile_tests::memcached_server::MemcachedServer;
use serde_json::json;

use crate::fake::Fake;
use crate::support::{WAYS, at, get, key, open, set, tls, tls_options, until};

/// Answers one call that nothing is there, and closes the connection at the next one.
fn answers_once(mut stream: TcpStream) {
    let mut is_first = true;
    loop {
        let mut head = [0; 24];
        if stream.read_exact(&mut head).is_err() {
            return;
        }
        let key = usize::from(u16::from_be_bytes([head[2], head[3]]));
        stream.read_exact(&mut vec![0; key]).unwrap();
        // What ends reads that are quiet.
        if head[1] == 0x0a {
            head[0] = 0x81;
            let answered = is_first && stream.write_all(&head).is_ok();
            if !answered {
                let _ended = stream.shutdown(Shutdown::Both);
                return;
            }
            is_first = false;
        }
    }
}

#[test]
fn callers_who_begin_again_do_not_wait_for_each_others_connections() {
    let fakes = [(); 2].map(|()| Fake::start(answers_once));
    let url: Vec<_> = fakes.iter().map(Fake::url).collect();
    let on = open(
        "memcached_ketama",
        &json!({ "url": url, "binary": true, "max_connections": 1, "retry_attempts": 100, "socket_timeout": "10s" }),
    );
    let keys: Vec<_> = (0..20).map(|number| key(&format!("k{number}"))).collect();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let lent: Vec<_> = keys.iter().map(OwnedKey::as_key).collect();
                for _ in 0..50 {
                    // All servers' are wanted: else an error of one of them is a miss.
                    on.get_multi_fresh(&lent).unwrap();
                }
            });
        }
    });
}

#[test]
fn a_server_that_has_no_room_for_a_connection_is_told_with_what_to_raise() {
    let server = MemcachedServer::start(&["-c", "40"]);
    let mut others = Vec::new();
    until("it is full", || {
        let mut other = BufReader::new(TcpStream::connect(server.url()).unwrap());
        let mut line = String::new();
        other.get_mut().write_all(b"mn\r\n").unwrap();
        other.read_line(&mut line).unwrap();
        others.push(other);
        line.starts_with("ERROR")
    });
    for (backend, arguments) in WAYS {
        let mut arguments = at(std::slice::from_ref(&server), arguments);
        arguments["dead_retry"] = json!("1ms");
        let on = open(backend, &arguments);
        let error = get(&on, "key").unwrap_err();
        assert!(error.message().contains("raise its `-c`"), "{error}");
    }
    drop(others);
    for (backend, arguments) in WAYS {
        let mut arguments = at(std::slice::from_ref(&server), arguments);
        // It may learn of their end after the first call, which it refuses then.
        arguments["dead_retry"] = json!("1ms");
        let on = open(backend, &arguments);
        until("there is room", || set(&on, "key", b"value").is_ok());
    }
}

#[test]
fn what_nobody_asked_for_is_no_answer_to_the_next() {
    let fake = Fake::start(|stream: TcpStream| {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while matches!(stream.read_line(&mut line), Ok(1..)) {
            let opaque = line.split_whitespace().next_back().unwrap();
            let answers = format!("EN {opaque}\r\nSERVER_ERROR nobody asked\r\n");
            if stream.get_mut().write_all(answers.as_bytes()).is_err() {
                return;
            }
            line.clear();
        }
    });
    let on = open("memcached", &json!({ "url": fake.url() }));
    for _ in 0..10 {
        assert_eq!(get(&on, "key").unwrap(), None);
    }
}

#[test]
fn a_server_whose_reply_is_long_is_not_blamed_for_one_that_hangs() {
    let hangs = Fake::start(|mut stream: TcpStream| {
        let _ended = stream.read_to_end(&mut Vec::new());
    });
    let is_first = AtomicBool::new(true);
    let answers = Fake::start(move |stream: TcpStream| {
        let is_long = is_first.swap(false, Ordering::SeqCst);
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while matches!(stream.read_line(&mut line), Ok(1..)) {
            let opaque = line.split_whitespace().next_back().unwrap();
            let answer = if is_long {
                // There is more of it than is sent before somebody reads.
                format!("VA 1000000 f0 c1 {opaque}\r\nxxx")
            } else {
                format!("EN {opaque}\r\n")
            };
            if stream.get_mut().write_all(answer.as_bytes()).is_err() {
                return;
            }
            line.clear();
        }
    });
    let on = open(
        "memcached_ketama",
        &json!({ "url": [hangs.url(), answers.url()], "socket_timeout": "1s", "dead_retry": "1m" }),
    );
    let names: Vec<_> = (0..20).map(|number| format!("k{number}")).collect();
    let keys: Vec<_> = names.iter().map(|name| key(name)).collect();
    let lent: Vec<_> = keys.iter().map(OwnedKey::as_key).collect();
    on.get_multi(&lent).unwrap_err();
    let answered = names.iter().filter(|name| get(&on, name).is_ok()).count();
    assert!(answered > 0 && answered < names.len(), "{answered}");
}

/// How many connections to that port there are which the server has closed, and this end has not.
fn closed_by(server: &MemcachedServer) -> usize {
    const CLOSE_WAIT: &str = "08";
    let there = format!(":{:04X}", server.port());
    let all = fs::read_to_string("/proc/net/tcp").unwrap();
    let words = all.lines().map(|line| line.split_whitespace().collect());
    words
        .filter(|words: &Vec<_>| words[2].ends_with(&there) && words[3] == CLOSE_WAIT)
        .count()
}

#[test]
fn a_connection_over_tls_that_its_server_closed_is_replaced_before_it_is_used() {
    let certificates = CertificateFiles::new();
    let tls_options = tls_options(&certificates);
    let mut options: Vec<&str> = tls_options.iter().map(String::as_str).collect();
    options.extend(["-o", "idle_timeout=1"]);
    thread::scope(|scope| {
        for (backend, arguments) in WAYS {
            let server = MemcachedServer::start(&options);
            let mut arguments = at(std::slice::from_ref(&server), arguments);
            arguments["tls"] = tls(&certificates);
            arguments["dead_retry"] = json!("1m");
            scope.spawn(move || {
                let on = open(backend, &arguments);
                let mutex = on.mutex(&key("key").as_key()).unwrap().unwrap();
                for _ in 0..2 {
                    let lease = mutex.try_acquire(Duration::from_mins(1)).unwrap();
                    mutex.release(lease.unwrap()).unwrap();
                    until("it is closed", || closed_by(&server) > 0);
                }
                // Nor is the server taken for a dead one.
                assert_eq!(get(&on, "key").unwrap(), None);
            });
        }
    });
}
