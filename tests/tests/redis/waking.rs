//! Who waits for a lock is woken by the server.

use std::thread;
use std::time::{Duration, Instant};

use dogpile_plugin_api::{BackendInstance, Mutex};
use dogpile_tests::redis_server::RedisServer;
use serde_json::json;

use crate::proxy::{Fault, Proxy};
use crate::support::{at, both_ways, client, key, open, until};

const LONG: Duration = Duration::from_mins(1);

/// Less than how often a waiter looks by itself, and much more than a server needs to tell.
const AT_ONCE: Duration = Duration::from_millis(700);

fn mutex(backend: &BackendInstance, name: &str) -> Box<dyn Mutex> {
    backend.mutex(&key(name).as_key()).unwrap().unwrap()
}

/// How many keys the server remembers to tell of.
fn tracked(client: &mut redis::Connection) -> u64 {
    let info: redis::InfoDict = redis::cmd("INFO").arg("stats").query(client).unwrap();
    info.get("tracking_total_keys").unwrap()
}

/// The connections, by number, that the server tells of what others asked for.
fn links(client: &mut redis::Connection) -> Vec<String> {
    let list: String = redis::cmd("CLIENT").arg("LIST").query(client).unwrap();
    let all = |field: &'static str| {
        let fields = list.split_whitespace();
        fields.filter_map(move |text| text.strip_prefix(field))
    };
    let told: Vec<&str> = all("redir=").collect();
    all("id=")
        .filter(|id| told.contains(id))
        .map(str::to_owned)
        .collect()
}

/// The shortest of some waits for the lock of `key`, which `hold` takes, and `free` gives up once the server knows that
/// it is waited for.
fn shortest<T>(
    server: &RedisServer,
    waiter: &BackendInstance,
    hold: impl Fn(&mut redis::Connection) -> T,
    free: impl Fn(&mut redis::Connection, T),
) -> Duration {
    let mut client = client(server);
    let waits = (0..5).map(|_| {
        let lock = hold(&mut client);
        until("nobody waits yet", || tracked(&mut client) == 0);
        thread::scope(|scope| {
            let wait = scope.spawn(|| {
                mutex(waiter, "key").wait(LONG).unwrap();
                Instant::now()
            });
            until("the server knows", || tracked(&mut client) > 0);
            let freed = Instant::now();
            free(&mut client, lock);
            wait.join().unwrap().duration_since(freed)
        })
    });
    waits.min().unwrap()
}

/// As Python would hold it.
fn hold(client: &mut redis::Connection) {
    let mut command = redis::cmd("SET");
    command.arg("_lockkey").arg("token").arg("PX").arg(60_000);
    command.exec(client).unwrap();
}

#[test]
fn a_waiter_is_woken_whoever_gives_the_lock_up_and_however() {
    let server = RedisServer::start(&[]);
    for arguments in both_ways(&at(&server)) {
        let waiter = open(&arguments);
        for free in [
            "return redis.call('DEL', '_lockkey')",
            "return redis.call('SET', '_lockkey', 'another')",
            "return redis.call('PEXPIRE', '_lockkey', 1)",
            "return redis.call('FLUSHDB')",
            "return redis.call('FLUSHALL')",
        ] {
            let took = shortest(&server, &waiter, hold, |client, ()| {
                redis::cmd("EVAL").arg(free).arg(0).exec(client).unwrap();
            });
            assert!(took < AT_ONCE, "{free}: {took:?}");
        }
        waiter.close().unwrap();
    }
}

#[test]
fn a_waiter_is_woken_when_another_instance_releases() {
    let server = RedisServer::start(&[]);
    for arguments in both_ways(&at(&server)) {
        let (waiter, owner) = (open(&arguments), open(&arguments));
        let mutex = mutex(&owner, "key");
        let hold = |_: &mut redis::Connection| mutex.try_acquire(LONG).unwrap().unwrap();
        let took = shortest(&server, &waiter, hold, |_, lease| {
            mutex.release(lease).unwrap();
        });
        assert!(took < AT_ONCE, "{took:?}");
    }
}

#[test]
fn a_lock_that_passes_by_itself_ends_the_wait_when_it_does() {
    let server = RedisServer::start(&[]);
    let waiter = open(&at(&server));
    let mut client = client(&server);
    // The server itself notices when it is asked alone.
    redis::cmd("DEBUG")
        .arg("SET-ACTIVE-EXPIRE")
        .arg(0)
        .exec(&mut client)
        .unwrap();
    let waits = (0..5).map(|number| {
        let mut command = redis::cmd("SET");
        command.arg(format!("_lock{number}")).arg("token");
        command.arg("PX").arg(200).exec(&mut client).unwrap();
        let since = Instant::now();
        mutex(&waiter, &number.to_string()).wait(LONG).unwrap();
        since.elapsed()
    });
    let shortest = waits.min().unwrap();
    assert!(shortest < AT_ONCE, "{shortest:?}");
}

#[test]
fn a_free_lock_is_not_waited_for() {
    let server = RedisServer::start(&[]);
    let waiter = open(&at(&server));
    let shortest = (0..5).map(|_| {
        let since = Instant::now();
        mutex(&waiter, "key").wait(LONG).unwrap();
        since.elapsed()
    });
    assert!(shortest.min().unwrap() < AT_ONCE);
}

#[test]
fn waiters_are_woken_when_the_connection_that_tells_is_lost_and_the_next_wait_has_a_new_one() {
    let server = RedisServer::start(&[]);
    for arguments in both_ways(&at(&server)) {
        let waiter = open(&arguments);
        for _ in 0..2 {
            let took = shortest(&server, &waiter, hold, |client, ()| {
                let [link] = &links(client)[..] else {
                    panic!("there is one: {:?}", links(client));
                };
                redis::cmd("CLIENT")
                    .arg("KILL")
                    .arg("ID")
                    .arg(link)
                    .exec(client)
                    .unwrap();
                // The server forgets whom to tell, so that the next round can see that it is asked again.
                redis::cmd("DEL").arg("_lockkey").exec(client).unwrap();
            });
            assert!(took < AT_ONCE, "{took:?}");
        }
        let mut client = client(&server);
        hold(&mut client);
        mutex(&waiter, "key")
            .wait(Duration::from_millis(10))
            .unwrap();
        assert_eq!(links(&mut client).len(), 1);
        waiter.close().unwrap();
        until("no other client is left after close", || {
            let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut client).unwrap();
            list.lines().count() == 1
        });
    }
}

#[test]
fn a_connection_is_kept_while_it_is_answered_and_given_up_when_it_is_not() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::to(server.port());
    let mut arguments = at(&server);
    arguments["port"] = json!(proxy.port());
    arguments["socket_timeout"] = json!("300ms");
    let waiter = open(&arguments);
    let mut client = client(&server);
    hold(&mut client);
    mutex(&waiter, "key")
        .wait(Duration::from_millis(20))
        .unwrap();
    let before = links(&mut client);
    assert_eq!(before.len(), 1);
    until("the server was asked a few times", || {
        let info: redis::InfoDict = redis::cmd("INFO")
            .arg("commandstats")
            .query(&mut client)
            .unwrap();
        let pings: Option<String> = info.get("cmdstat_ping");
        pings.is_some_and(|pings| !pings.starts_with("calls=1,") && !pings.starts_with("calls=2,"))
    });
    assert_eq!(links(&mut client), before);
    proxy.set(Fault::Silence);
    until("it is given up", || links(&mut client).is_empty());
}

#[test]
fn waiters_look_for_themselves_where_the_server_may_not_tell() {
    let server = RedisServer::start(&[]);
    let mut client = client(&server);
    redis::cmd("ACL")
        .arg(&[
            "SETUSER",
            "app",
            "on",
            ">pw",
            "~*",
            "+@all",
            "-client|tracking",
        ])
        .exec(&mut client)
        .unwrap();
    let mut arguments = at(&server);
    arguments["username"] = json!("app");
    arguments["password"] = json!("pw");
    arguments["lock_sleep"] = json!("10ms");
    let waiter = open(&arguments);
    redis::cmd("SET")
        .arg("_lockkey")
        .arg("token")
        .exec(&mut client)
        .unwrap();
    // The first finds out.
    mutex(&waiter, "key").wait(LONG).unwrap();
    let shortest = (0..5).map(|_| {
        let since = Instant::now();
        mutex(&waiter, "key").wait(LONG).unwrap();
        since.elapsed()
    });
    let shortest = shortest.min().unwrap();
    assert!(
        shortest < AT_ONCE && shortest >= Duration::from_millis(5),
        "{shortest:?}"
    );
    assert_eq!(tracked(&mut client), 0);
}
