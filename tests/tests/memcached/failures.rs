//! Servers that are down, hang, restart, talk nonsense or refuse.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use dogpile::{Host, OnBackendError, RegionConfig};
use dogpile_plugin_api::{BackendInstance, Error, ErrorKind, OwnedKey};
use dogpile_tests::certificates::CertificateFiles;
use dogpile_tests::memcached_server::MemcachedServer;
use serde_json::{Value as Json, json};

use crate::fake::Fake;
use crate::raw::Raw;
use crate::support::{SOON, WAYS, at, get, key, open, servers, set, tls, tls_options, until};

/// Beyond its timeout a call may take so long on a machine that has more to do than it can.
const LOADED: Duration = Duration::from_secs(2);

#[track_caller]
fn says(error: &Error, words: &[&str]) {
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    has(error, words);
}

#[track_caller]
fn has(error: &Error, words: &[&str]) {
    for word in words {
        assert!(error.message().contains(word), "no {word:?} in: {error}");
    }
}

/// What is there, once a call is answered in its short time.
fn found(on: &BackendInstance, name: &str) -> Option<Vec<u8>> {
    let deadline = Instant::now() + SOON;
    loop {
        match get(on, name) {
            Ok(found) => return found,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    }
}

/// Each way to one server, with a short timeout.
fn each_way(url: &str) -> impl Iterator<Item = (&'static str, Json)> {
    WAYS.into_iter().map(move |(backend, arguments)| {
        let mut arguments: Json = serde_json::from_str(arguments).unwrap();
        arguments["url"] = json!(url);
        arguments["socket_timeout"] = json!("300ms");
        arguments["dead_retry"] = json!("10ms");
        (backend, arguments)
    })
}

#[test]
fn a_server_that_is_down_is_named_and_used_again_when_it_is_back() {
    let mut server = MemcachedServer::start(&[]);
    server.kill();
    for (backend, arguments) in each_way(&server.url()) {
        let on = open(backend, &arguments);
        let error = get(&on, "key").unwrap_err();
        says(&error, &[&server.url(), "is it running there?"]);
        assert!(on.ping().is_err());
        server.restart();
        let since = Instant::now();
        while set(&on, "key", b"value").is_err() {
            assert!(since.elapsed() < SOON);
        }
        assert_eq!(get(&on, "key").unwrap().unwrap(), b"value");
        on.ping().unwrap();
        server.kill();
    }
}

#[test]
fn a_region_goes_on_without_its_servers_or_gives_the_error_as_it_is_told() {
    for (backend, arguments) in WAYS {
        let mut servers = servers(3, &[]);
        let mut region = RegionConfig::on("users", backend);
        let arguments = at(&servers, arguments);
        for (argument, value) in arguments.as_object().unwrap() {
            region = region.argument(argument, value.clone());
        }
        let open = |region| {
            let host = Host::builder().plugin(dogpile_plugin_memcached::plugin());
            let host = host.region(region).build().unwrap();
            host.region("users").unwrap()
        };
        let bypasses = open(region.clone().on_backend_error(OnBackendError::Bypass));
        let fails = open(region.on_backend_error(OnBackendError::Fail));
        fails.set("key", 1_u32).unwrap();
        assert_eq!(*bypasses.get_or_create("key", || 2_u32).unwrap(), 1);
        servers.iter_mut().for_each(MemcachedServer::kill);
        assert_eq!(*bypasses.get_or_create("key", || 2_u32).unwrap(), 2);
        let error = fails.get_or_create("key", || 2_u32).unwrap_err();
        assert!(error.to_string().contains("127.0.0.1:"), "{error}");
    }
}

#[test]
fn a_restart_fails_no_call_that_may_be_made_again() {
    for (backend, arguments) in WAYS {
        let mut servers = servers(1, &[]);
        let on = open(backend, &at(&servers, arguments));
        for _ in 0..5 {
            set(&on, "key", b"value").unwrap();
            servers[0].kill();
            servers[0].restart();
            assert_eq!(get(&on, "key").unwrap(), None, "{backend}");
            servers[0].kill();
            servers[0].restart();
            let mutex = on.mutex(&key("key").as_key()).unwrap().unwrap();
            mutex
                .release(mutex.try_acquire(SOON).unwrap().unwrap())
                .unwrap();
        }
    }
}

#[test]
fn a_server_that_hangs_costs_the_timeout_and_its_late_replies_are_nobodys() {
    let server = MemcachedServer::start(&[]);
    for (backend, arguments) in each_way(&server.url()) {
        let on = open(backend, &arguments);
        for name in ["a", "b"] {
            set(&on, name, name.as_bytes()).unwrap();
        }
        server.stop();
        let since = Instant::now();
        let error = get(&on, "a").unwrap_err();
        let took = since.elapsed();
        assert!(
            took < Duration::from_millis(300) + LOADED,
            "{backend}: {took:?}"
        );
        says(&error, &["socket_timeout"]);
        server.go_on();
        for _ in 0..50 {
            assert_eq!(found(&on, "b").unwrap(), b"b", "{backend}");
            assert_eq!(found(&on, "c"), None, "{backend}");
        }
    }
}

#[test]
fn while_a_server_hangs_its_keys_are_read_elsewhere_in_the_same_call() {
    for backend in ["memcached_binary", "memcached"] {
        let servers = servers(3, &[]);
        let on = open(backend, &at(&servers, r#"{ "socket_timeout": "6s" }"#));
        let keys: Vec<_> = (0..50).map(|number| key(&format!("k{number}"))).collect();
        for key in &keys {
            set(&on, key.as_key().as_str(), b"value").unwrap();
        }
        servers[0].stop();
        let lent: Vec<_> = keys.iter().map(OwnedKey::as_key).collect();
        // It has a part of the time; then another is asked.
        let all = on.get_multi(&lent).unwrap();
        let missing = all.iter().filter(|value| value.is_none()).count();
        // Every server has them all, or a third of them each.
        assert_eq!(missing == 0, backend == "memcached_binary", "{missing}");
        assert!(missing < 40, "{missing}");
        servers[0].go_on();
    }
}

#[test]
fn the_keys_of_a_dead_server_are_on_others_until_dead_retry_has_passed() {
    for distribution in ["python-memcached", "pymemcache"] {
        let mut servers = servers(3, &[]);
        let mut arguments = at(&servers, "{}");
        arguments["distribution"] = json!(distribution);
        arguments["dead_retry"] = json!("1s");
        let on = open("memcached", &arguments);
        let names: Vec<_> = (0..60).map(|number| format!("key{number}")).collect();
        for name in &names {
            set(&on, name, b"before").unwrap();
        }
        servers[1].kill();
        let mut moved = Vec::new();
        for name in &names {
            if get(&on, name).unwrap().is_none() {
                moved.push(name);
                set(&on, name, b"meanwhile").unwrap();
                assert_eq!(get(&on, name).unwrap().unwrap(), b"meanwhile");
            }
        }
        assert!(moved.len() > 5, "{distribution}: {}", moved.len());
        on.ping().unwrap();
        servers[1].restart();
        let mut raw = Raw::to(&servers[1]);
        let since = Instant::now();
        until("the server is used again", || {
            set(&on, moved[0], b"after").unwrap();
            raw.text(moved[0]).is_some()
        });
        let took = since.elapsed();
        assert!(took < Duration::from_secs(2) + LOADED, "{took:?}");
    }
}

#[test]
fn what_a_server_missed_is_not_read_from_it_when_it_is_back() {
    for (backend, others) in [
        ("memcached_binary", "{}"),
        ("memcached", "{}"),
        ("memcached_ketama", "{}"),
    ] {
        let servers = servers(3, &[]);
        let mut arguments = at(&servers, others);
        arguments["socket_timeout"] = json!("300ms");
        arguments["dead_retry"] = json!("300ms");
        let on = open(backend, &arguments);
        let names: Vec<_> = (0..30).map(|number| format!("key{number}")).collect();
        for name in &names {
            set(&on, name, b"old").unwrap();
        }
        servers[0].stop();
        let (deleted, changed) = names.split_at(15);
        for name in deleted {
            // Where keys do not move this is an error; it is made up for all the same.
            let _told = on.delete(&key(name).as_key());
        }
        for name in changed {
            let _told = set(&on, name, b"new");
        }
        servers[0].go_on();
        for name in deleted {
            assert_eq!(found(&on, name), None, "{backend}, {name}");
        }
        for name in changed {
            assert_ne!(
                found(&on, name).as_deref(),
                Some(&b"old"[..]),
                "{backend}, {name}"
            );
        }
    }
}

#[test]
fn a_server_that_had_no_time_is_not_blamed_for_one_that_hangs() {
    let servers = servers(3, &[]);
    let arguments = r#"{ "socket_timeout": "2s", "dead_retry": "5m" }"#;
    let on = open("memcached_ketama", &at(&servers, arguments));
    let names: Vec<_> = (0..30).map(|number| format!("key{number}")).collect();
    for name in &names {
        set(&on, name, b"value").unwrap();
    }
    let mut raw = Raw::to(&servers[0]);
    let (on_it, elsewhere): (Vec<_>, Vec<_>) =
        names.iter().partition(|name| raw.text(name).is_some());
    assert!(on_it.len() > 3 && elsewhere.len() > 10);
    servers[0].stop();
    // The locks of some are on the server that hangs, for which the first of these calls waits.
    let deleted = elsewhere.iter().map(|name| on.delete(&key(name).as_key()));
    assert!(deleted.filter(Result::is_err).count() > 1);
    for name in elsewhere {
        assert_eq!(get(&on, name).unwrap(), None, "{name}");
    }
    servers[0].go_on();
}

#[test]
fn a_dead_server_of_a_ring_fails_its_own_keys_alone_and_at_once() {
    let mut servers = servers(3, &[]);
    let arguments = at(
        &servers,
        r#"{ "behaviors": { "ketama": true }, "dead_retry": "1m" }"#,
    );
    let on = open("memcached_ketama", &arguments);
    let names: Vec<_> = (0..60).map(|number| format!("key{number}")).collect();
    for name in &names {
        set(&on, name, b"value").unwrap();
    }
    servers[1].kill();
    let url = servers[1].url();
    let since = Instant::now();
    let mut failed = 0;
    for name in &names {
        match get(&on, name) {
            Ok(found) => assert_eq!(found.unwrap(), b"value"),
            Err(error) => {
                // The host is to go on with the others.
                assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
                has(&error, &[&url]);
                failed += 1;
                if failed > 1 {
                    has(
                        &error,
                        &["is left alone", "dead_retry", "is it running there?"],
                    );
                }
            }
        }
    }
    assert!((5..55).contains(&failed), "{failed}");
    assert!(since.elapsed() < SOON);
    on.ping().unwrap();
}

#[test]
fn nonsense_is_never_a_value_and_is_told() {
    const NONSENSE: [&[u8]; 12] = [
        b"hello\r\n",
        b"VA 5 f0 c1 O0\r\nhell",
        b"VA 5 f0 c1 O99\r\nhello\r\n",
        b"VA 5 f0 c1 O0\r\nhello!!",
        b"VA x f0 c1 O0\r\n",
        b"VA 99999999999 f0 c1 O0\r\n",
        b"HD O0\r\n",
        b"\r\n\r\n\r\n",
        b"\x81\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\x81\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x09\x00\x00\x00\x63\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00hello",
        b"\x81\x01\x00\x00\x04\x00\x00\x00\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00hello",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    ];
    for nonsense in NONSENSE {
        let fake = Fake::start(move |mut stream: TcpStream| {
            let mut read = [0; 1000];
            while matches!(stream.read(&mut read), Ok(count) if count > 0) {
                if stream.write_all(nonsense).is_err() {
                    return;
                }
            }
        });
        for (backend, arguments) in each_way(&fake.url()) {
            let on = open(backend, &arguments);
            let error = get(&on, "key").unwrap_err();
            assert_eq!(
                error.kind(),
                ErrorKind::Unavailable,
                "{nonsense:?}: {error}"
            );
            assert!(
                set(&on, "key", b"value").is_err(),
                "{backend}, {nonsense:?}"
            );
            assert!(on.ping().is_err(), "{backend}, {nonsense:?}");
        }
    }
}

#[test]
fn a_stream_without_an_end_of_line_is_not_read_for_ever() {
    let fake =
        Fake::start(|mut stream: TcpStream| while stream.write_all(&[b'x'; 10_000]).is_ok() {});
    for (backend, arguments) in each_way(&fake.url()) {
        let on = open(backend, &arguments);
        let error = get(&on, "key").unwrap_err();
        says(&error, &["is it memcached"]);
    }
}

#[test]
fn a_server_that_closes_or_says_nothing_is_told_within_the_timeout() {
    let closing = Fake::start(|stream: TcpStream| stream.shutdown(Shutdown::Both).unwrap());
    for (backend, arguments) in each_way(&closing.url()) {
        says(
            &get(&open(backend, &arguments), "key").unwrap_err(),
            &["it closed the connection", "`tls`"],
        );
    }
    let silent = Fake::start(|mut stream: TcpStream| {
        let _ended = stream.read_to_end(&mut Vec::new());
    });
    for (backend, arguments) in each_way(&silent.url()) {
        let on = open(backend, &arguments);
        let since = Instant::now();
        says(&get(&on, "key").unwrap_err(), &["socket_timeout"]);
        let took = since.elapsed();
        assert!(
            took < Duration::from_millis(300) + LOADED,
            "{backend}: {took:?}"
        );
        assert!(took >= Duration::from_millis(300), "{backend}: {took:?}");
    }
}

#[test]
fn a_wrong_login_is_told_without_the_password() {
    let sasl = MemcachedServer::start_with_sasl("scott", "tiger", &[]);
    let text = MemcachedServer::start_with_login("scott", "tiger", &[]);
    for (backend, mut arguments) in each_way("") {
        let is_binary = backend == "memcached_binary" || arguments["binary"] == json!(true);
        arguments["url"] = json!(if is_binary { sasl.url() } else { text.url() });
        let error = get(&open(backend, &arguments), "key").unwrap_err();
        assert!(
            error.message().contains("`username` and `password`"),
            "{backend}: {error}"
        );
        arguments["username"] = json!("scott");
        arguments["password"] = json!("hunter2");
        let error = get(&open(backend, &arguments), "key").unwrap_err();
        says(&error, &["`username` and `password`"]);
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        arguments["password"] = json!("tiger");
        get(&open(backend, &arguments), "key").unwrap();
    }
}

#[test]
fn a_server_without_logins_is_told_and_gets_no_password() {
    let server = MemcachedServer::start(&[]);
    for (backend, mut arguments) in each_way(&server.url()) {
        arguments["username"] = json!("scott");
        arguments["password"] = json!("hunter2");
        let error = get(&open(backend, &arguments), "key").unwrap_err();
        says(&error, &["has no logins", "`username` and `password`"]);
        assert!(!error.message().contains("hunter2"), "{error}");
    }
    assert_eq!(Raw::to(&server).stat("curr_items"), 0);
}

#[test]
fn the_wrong_authority_or_no_tls_at_one_end_is_told() {
    let certificates = CertificateFiles::new();
    let options = tls_options(&certificates);
    let secure = MemcachedServer::start(&options.each_ref().map(String::as_str));
    let plain = MemcachedServer::start(&[]);
    for (backend, mut arguments) in each_way(&secure.url()) {
        arguments["socket_timeout"] = json!("3s");
        let error = get(&open(backend, &arguments), "key").unwrap_err();
        assert!(error.message().contains("`tls`"), "{backend}: {error}");
        arguments["tls"] = tls(&certificates);
        get(&open(backend, &arguments), "key").unwrap();
        arguments["tls"]["ca"] = json!(CertificateFiles::new().into_file("ca.pem"));
        let error = get(&open(backend, &arguments), "key").unwrap_err();
        assert!(
            error.message().contains("invalid peer certificate"),
            "{backend}: {error}"
        );
        arguments["tls"] = tls(&certificates);
        arguments["url"] = json!(plain.url());
        arguments["socket_timeout"] = json!("500ms");
        let error = get(&open(backend, &arguments), "key").unwrap_err();
        assert!(
            error.message().contains("tls") || error.message().contains("TLS"),
            "{backend}: {error}"
        );
    }
}

#[test]
fn a_server_of_the_other_protocol_is_told() {
    let sasl = MemcachedServer::start_with_sasl("scott", "tiger", &[]);
    let only = ["ascii", "binary"].map(|protocol| MemcachedServer::start(&["-B", protocol]));
    let wrong = |server: &MemcachedServer, wants_binary: bool| {
        for (backend, arguments) in each_way(&server.url()) {
            let is_binary = backend == "memcached_binary" || arguments["binary"] == json!(true);
            if is_binary != wants_binary {
                let error = get(&open(backend, &arguments), "key").unwrap_err();
                says(&error, &["see that it speaks that protocol"]);
            }
        }
    };
    wrong(&sasl, true);
    wrong(&only[0], false);
    wrong(&only[1], true);
}
