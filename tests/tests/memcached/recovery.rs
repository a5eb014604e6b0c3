//! How soon a server that went is used again: within a second after `dead_retry`, or after its return where that is later.

use std::thread;
use std::time::{Duration, Instant};

use dogpile_plugin_api::{BackendInstance, ErrorKind};
use dogpile_tests::memcached_server::MemcachedServer;
use serde_json::json;

use crate::support::{SOON, WAYS, at, get, open, servers};

/// Not less than the second: a call that fails after the return, after which the server is left alone once more, is late.
const DEAD_RETRY: Duration = Duration::from_secs(1);

const PROMISED: Duration = Duration::from_secs(1);

/// A machine that has more to do than it can may delay what is right in any of them. What is wrong is late in each.
const ROUNDS: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Returns {
    WhileLeftAlone,
    AfterDeadRetry,
}

/// The server goes, a call finds that out, and the server returns. Gives how long after both its return and `dead_retry`,
/// which is counted from that call on, the first call is answered.
fn answers_after(
    on: &BackendInstance,
    server: &mut MemcachedServer,
    goes: impl Fn(&mut MemcachedServer),
    comes: impl Fn(&mut MemcachedServer),
    returns: Returns,
) -> Duration {
    get(on, "key").unwrap();
    goes(server);
    let asked = Instant::now();
    get(on, "key").unwrap_err();
    let retried = Instant::now() + DEAD_RETRY;
    if let Returns::AfterDeadRetry = returns {
        thread::sleep(DEAD_RETRY);
    }
    comes(server);
    let due = retried.max(Instant::now());
    loop {
        let found = get(on, "key");
        let now = Instant::now();
        match found {
            Ok(_) => {
                assert!(now >= asked + DEAD_RETRY, "it was to be left alone");
                return now.saturating_duration_since(due);
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                assert!(now < due + SOON, "{error}");
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn is_used_again_in_time(
    goes: impl Fn(&mut MemcachedServer) + Copy + Sync,
    comes: impl Fn(&mut MemcachedServer) + Copy + Sync,
) {
    let each = |backend: &str, arguments: &str| {
        let mut servers = servers(1, &[]);
        let mut arguments = at(&servers, arguments);
        arguments["dead_retry"] = json!(DEAD_RETRY.as_secs());
        arguments["socket_timeout"] = json!("300ms");
        let on = open(backend, &arguments);
        for returns in [Returns::WhileLeftAlone, Returns::AfterDeadRetry] {
            let mut took = Vec::new();
            while took.last().is_none_or(|last| *last >= PROMISED) {
                assert!(took.len() < ROUNDS, "{backend} {returns:?}: {took:?}");
                took.push(answers_after(&on, &mut servers[0], goes, comes, returns));
            }
            println!("{backend} {returns:?}: used again after {took:?}");
        }
    };
    let each = &each;
    thread::scope(|scope| {
        for (backend, arguments) in WAYS {
            scope.spawn(move || each(backend, arguments));
        }
    });
}

#[test]
fn a_server_that_was_killed_is_used_again_within_a_second_of_dead_retry_and_its_return() {
    is_used_again_in_time(MemcachedServer::kill, MemcachedServer::restart);
}

#[test]
fn a_server_that_hung_is_used_again_within_a_second_of_dead_retry_and_its_return() {
    is_used_again_in_time(|server| server.stop(), |server| server.go_on());
}
