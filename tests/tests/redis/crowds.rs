//! Many threads of many processes, and one creation at each expiry.

use std::time::Duration;

use dogpile_tests::process::{Process, created};
use dogpile_tests::redis_server::RedisServer;
use dogpile_tests::worker::{create_once_at_each, set_time};

use crate::processes::worker_that;

/// So many expiries, or all of them in a soak.
fn expiries() -> u64 {
    if std::env::var_os("DOGPILE_TEST_FULL").is_some() {
        500
    } else {
        50
    }
}

/// Every other one has one connection for all calls.
fn crowd(server: &RedisServer) -> Vec<Process> {
    (0..8)
        .map(|number| worker_that(server, Duration::from_secs(30), number % 2 == 1))
        .collect()
}

#[test]
fn eight_threads_of_eight_processes_create_once_at_each_expiry() {
    let server = RedisServer::start(&[]);
    create_once_at_each(expiries(), &mut crowd(&server));
}

#[test]
fn eight_threads_of_eight_processes_create_each_of_many_keys_once() {
    let server = RedisServer::start(&[]);
    let mut workers = crowd(&server);
    for expiry in 0..expiries() / 5 {
        set_time(&mut workers, expiry * 121);
        for worker in &mut workers {
            worker.tell(&format!("call 8 {expiry} a b c d e"));
        }
        assert_eq!(created(&mut workers), 5, "{expiry}");
    }
}
