//! What a region does while its server is in trouble, and how soon the server is used again.

use std::time::{Duration, Instant};

use dogpile::{Host, OnBackendError, Region, Source};
use dogpile_tests::part::Part;
use dogpile_tests::redis_server::RedisServer;
use serde_json::{Value as Json, json};

use crate::certificates::Certificates;
use crate::proxy::{Fault, Proxy};
use crate::support::{SOON, client, until};

/// How long a call may take where the trouble is that it takes its time, and where it is another.
const SHORT: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(2);

/// How much longer a call may take, and whatever must be soon on a machine that has more to do than it can.
const LATE: Duration = Duration::from_millis(200);
const LOADED: Duration = Duration::from_secs(5);

/// How soon a server is to be used after its return.
const BACK: Duration = Duration::from_secs(1);

/// How often it is pinged meanwhile.
const PINGS: Duration = Duration::from_millis(400);

/// A server, and regions on it, by the way of a proxy.
struct Setup {
    fails: Region,
    bypasses: Region,
    proxy: Proxy,
    server: RedisServer,
    timeout: Duration,
}

impl Setup {
    fn start(timeout: Duration) -> Self {
        let user = ["--user", "app", "on", ">hunter2", "~*", "+@all"];
        let options = [&user[..], &["--save", "3600 1"]].concat();
        let login = json!({ "username": "app", "password": "hunter2" });
        Self::on(RedisServer::start(&options), login, timeout)
    }

    fn on(server: RedisServer, mut arguments: Json, timeout: Duration) -> Self {
        let proxy = Proxy::to(server.port());
        arguments["host"] = json!("127.0.0.1");
        arguments["port"] = json!(proxy.port());
        arguments["socket_timeout"] = json!(timeout.as_secs_f64());
        let region = |how| {
            let part = Part::of("redis", arguments.clone(), Duration::from_secs(30));
            let users = part.region().on_backend_error(how);
            // Only calls and pings connect.
            let users = users
                .expiration_time(Duration::from_mins(5))
                .invalidation_interval(Duration::from_hours(1));
            let plugin = dogpile_plugin_redis::plugin();
            let host = Host::builder().plugin(plugin).region(users);
            host.build().unwrap().region("users").unwrap()
        };
        Self {
            fails: region(OnBackendError::Fail),
            bypasses: region(OnBackendError::Bypass),
            proxy,
            server,
            timeout,
        }
    }

    /// A command of another client's.
    fn ask(&self, command: &[&str]) {
        let mut asked = redis::cmd(command[0]);
        asked.arg(&command[1..]);
        asked.exec(&mut client(&self.server)).unwrap();
    }

    /// From the beginning of a trouble to its end. Errors have these words.
    #[track_caller]
    fn goes_through(
        mut self,
        words: &str,
        begin: impl FnOnce(&mut Self),
        end: impl FnOnce(&mut Self),
    ) {
        self.fails.set("there", 1_u32).unwrap();
        begin(&mut self);
        self.fails_in_time(words);
        self.costs_nothing();
        end(&mut self);
        self.recovers();
    }

    /// As often as it takes until the breaker opens.
    #[track_caller]
    fn fails_in_time(&self, words: &str) {
        let place = format!("127.0.0.1:{}", self.proxy.port());
        for failure in 0..5 {
            let since = Instant::now();
            let error = self.fails.get::<u32>("there").unwrap_err();
            let took = since.elapsed();
            assert!(took < self.timeout + LATE + LOADED, "{took:?}");
            let shown = format!("{error} {error:?}");
            // The first may be that of a connection that was cut.
            let has_words = shown.contains(words) || failure == 0;
            assert!(shown.contains(&place) && has_words, "{shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        let error = self.fails.get::<u32>("there").unwrap_err();
        assert!(error.to_string().contains("its breaker is open"), "{error}");
    }

    /// Calls take no time, and do not ask the server: it is pinged alone.
    #[track_caller]
    fn costs_nothing(&self) {
        let create = |number: u32| {
            let created = self
                .bypasses
                .get_or_create(number.to_string(), || number)
                .unwrap();
            assert_eq!((*created, created.source()), (number, Source::Created));
        };
        // Until its breaker is open too.
        (0..5).for_each(create);
        let (since, connected) = (Instant::now(), self.proxy.accepted());
        for number in 5..105 {
            create(number);
            self.fails.get::<u32>("there").unwrap_err();
        }
        let (took, connected) = (since.elapsed(), self.proxy.accepted() - connected);
        assert!(took < SHORT * 20, "{took:?}");
        // Two hosts ping it, each time on a new connection, and sooner at first.
        let pings = took.as_millis() / PINGS.as_millis();
        assert!(connected as u128 <= 2 * (pings + 3), "{connected}");
    }

    #[track_caller]
    fn recovers(&self) {
        let since = Instant::now();
        let mut found = None;
        until("the server is used again", || {
            match self.fails.get::<u32>("there") {
                Ok(got) => found = got,
                Err(_) => return false,
            }
            true
        });
        let took = since.elapsed();
        assert!(took < BACK + LOADED, "{took:?}");
        // A server that was restarted has forgotten it.
        assert!(found.is_none_or(|found| *found == 1));
        until("values are shared again", || {
            let _failed = self.bypasses.set("shared", 2_u32);
            self.fails
                .get::<u32>("shared")
                .is_ok_and(|got| got.is_some_and(|got| *got == 2))
        });
        until("one creates", || {
            let created = self.fails.get_or_create("new", || 3_u32);
            created.is_ok_and(|created| *created == 3)
        });
        until("the other sees it", || {
            *self.bypasses.get_or_create("new", || 4_u32).unwrap() == 3
        });
    }
}

#[test]
fn a_server_that_is_killed() {
    Setup::start(LONG).goes_through(
        "closed the connection",
        |setup| setup.server.kill(),
        |setup| setup.server.restart(),
    );
}

#[test]
fn a_server_that_hangs() {
    Setup::start(SHORT).goes_through(
        "`socket_timeout`",
        |setup| setup.server.stop(),
        |setup| setup.server.go_on(),
    );
}

#[test]
fn a_server_that_is_slower_than_a_call_may_take() {
    Setup::start(SHORT).goes_through(
        "`socket_timeout`",
        |setup| setup.proxy.set(Fault::Late(SHORT * 2)),
        |setup| setup.proxy.set(Fault::None),
    );
}

#[test]
fn a_connection_that_is_half_open() {
    Setup::start(SHORT).goes_through(
        "`socket_timeout`",
        |setup| setup.proxy.set(Fault::Silence),
        |setup| setup.proxy.set(Fault::None),
    );
}

#[test]
fn a_server_that_answers_nonsense() {
    Setup::start(LONG).goes_through(
        "is it a Redis or Valkey server",
        |setup| setup.proxy.set(Fault::Garbage(b"garbage\r\n")),
        |setup| setup.proxy.set(Fault::None),
    );
}

#[test]
fn a_server_that_reads_its_data() {
    Setup::start(LONG).goes_through(
        "still reading its data",
        |setup| {
            setup.ask(&["DEBUG", "POPULATE", "20000"]);
            setup.ask(&["SAVE"]);
            setup.server.kill();
            // A thousandth of a second for each key.
            setup.server.restart_with(&[
                "--key-load-delay",
                "1000",
                "--loading-process-events-interval-bytes",
                "1024",
            ]);
        },
        |setup| {
            setup.ask(&["CONFIG", "SET", "key-load-delay", "0"]);
            until("it has read all", || {
                redis::cmd("PING").exec(&mut client(&setup.server)).is_ok()
            });
        },
    );
}

#[test]
fn a_server_whose_password_was_changed() {
    Setup::start(LONG).goes_through(
        "correct `username` and `password`",
        |setup| {
            setup.ask(&["ACL", "SETUSER", "app", "resetpass", ">another"]);
            setup.ask(&["CLIENT", "KILL", "USER", "app"]);
        },
        |setup| setup.ask(&["ACL", "SETUSER", "app", ">hunter2"]),
    );
}

#[test]
fn a_user_who_may_do_nothing() {
    Setup::start(LONG).goes_through(
        "change its ACL",
        |setup| setup.ask(&["ACL", "SETUSER", "app", "-@all"]),
        |setup| setup.ask(&["ACL", "SETUSER", "app", "+@all"]),
    );
}

/// Connections lead to `other` for a time.
#[track_caller]
fn leads_astray(words: &str, other: &RedisServer, timeout: Duration) {
    let certificates = Certificates::new();
    let server = certificates.server();
    let arguments = certificates.arguments(&server);
    Setup::on(server, arguments, timeout).goes_through(
        words,
        |setup| {
            setup.proxy.lead(other.port());
            setup.proxy.cut();
        },
        |setup| {
            setup.proxy.lead(setup.server.port());
            setup.proxy.cut();
        },
    );
}

#[test]
fn a_server_that_refuses_tls() {
    leads_astray("`ssl`", &RedisServer::start(&[]), SHORT);
}

#[test]
fn a_server_whose_certificate_another_authority_signed() {
    leads_astray("ertificate", &Certificates::new().server(), LONG);
}

#[test]
fn a_server_that_became_a_replica_is_read_and_stores_as_soon_as_it_is_none() {
    let setup = Setup::start(LONG);
    setup.bypasses.set("there", 1_u32).unwrap();
    setup.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    for number in 0..20 {
        assert_eq!(*setup.fails.get::<u32>("there").unwrap().unwrap(), 1);
        let error = setup.fails.get_or_create("new", || 2_u32).unwrap_err();
        assert!(error.to_string().contains("name the primary"), "{error}");
        let created = setup.bypasses.get_or_create(number.to_string(), || 3_u32);
        assert_eq!(*created.unwrap(), 3);
    }
    setup.ask(&["REPLICAOF", "NO", "ONE"]);
    setup.recovers();
}

#[test]
fn a_server_that_was_gone_for_long_is_used_within_a_second_of_its_return() {
    let setup = Setup::start(LONG);
    setup.proxy.set(Fault::Refuse);
    setup.proxy.cut();
    until("the breaker is open", || {
        let error = setup.fails.get::<u32>("there").unwrap_err();
        error.to_string().contains("its breaker is open")
    });
    let before = setup.proxy.accepted();
    let since = Instant::now();
    until("it was asked many times", || {
        setup.proxy.accepted() >= before + 12
    });
    let took = since.elapsed();
    assert!(took < SOON / 2, "{took:?}");
    setup.proxy.set(Fault::None);
    setup.recovers();
}

/// Locks are given up, and values stored under them, by scripts.
#[test]
fn a_user_who_may_run_no_scripts_leaves_no_lock_behind() {
    let setup = Setup::start(LONG);
    setup.ask(&["ACL", "SETUSER", "app", "-@scripting"]);
    setup.fails.set("there", 1_u32).unwrap();
    for number in 0..20_u32 {
        assert_eq!(*setup.fails.get::<u32>("there").unwrap().unwrap(), 1);
        let key = number.to_string();
        let error = setup.fails.get_or_create(&key, || number).unwrap_err();
        assert!(error.to_string().contains("change its ACL"), "{error}");
        let since = Instant::now();
        for _ in 0..2 {
            let created = setup.bypasses.get_or_create(&key, || number);
            assert_eq!(*created.unwrap(), number);
        }
        assert!(since.elapsed() < LOADED, "{:?}", since.elapsed());
        assert!(!setup.bypasses.key_is_locked(&key).unwrap());
    }
    setup.ask(&["ACL", "SETUSER", "app", "+@all"]);
    setup.recovers();
}
