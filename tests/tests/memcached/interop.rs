//! One cache for Python and Rust on three servers: where keys are, values, and locks. Each client of Python's by itself.

use std::thread;

use dogpile::Invalidation;
use dogpile_tests::certificates::CertificateFiles;
use serde_json::json;

use crate::peer::{
    BMEMCACHED, More, PYLIBMC, PYLIBMC_BINARY, PYLIBMC_KETAMA, PYLIBMC_OTHERS, PYLIBMC_WEIGHTED,
    PYMEMCACHE, PYTHON_MEMCACHED, PYTHON_MEMCACHED_WEIGHTED, Peers, Shared,
};
use crate::raw::Raw;
use crate::support::{tls, tls_options, until};

const KEYS: usize = 300;

/// On which servers each key is, with that value.
fn places(raws: &mut [Raw], keys: &[String], value: &str) -> Vec<Vec<usize>> {
    let mut place = |key: &String| -> Vec<usize> {
        let held = raws.iter_mut().enumerate().filter_map(|(at, raw)| {
            let text = raw.text(key)?;
            assert!(text.ends_with(value), "{key}: {text}");
            Some(at)
        });
        held.collect()
    };
    keys.iter().map(&mut place).collect()
}

fn numbers(found: Vec<Option<dogpile::Cached<u32>>>) -> Vec<Option<u32>> {
    let found = found.into_iter();
    found.map(|value| value.map(|value| *value)).collect()
}

fn same_servers(peers: Peers) {
    let is_everywhere = peers.python == BMEMCACHED.python;
    // pymemcache refuses what is not ASCII.
    let is_ascii = peers.python == PYMEMCACHE.python;
    println!("{:?}", peers.python);
    let shared = Shared::by(peers);
    let (mut python, rust) = (shared.python(&[]), shared.rust(&[]));
    let mut raws = shared.raws();
    let name = |number: usize| match number % 3 {
        0 => format!("myapp.users:load|{number}"),
        1 if !is_ascii => format!("ключ{number}"),
        _ => format!("k{number}"),
    };
    let keys: Vec<String> = (0..KEYS).map(name).collect();
    let told: Vec<String> = keys.iter().map(|key| format!("{key} 1")).collect();
    python.ask(&format!("set_multi {}", told.join(" ")), "done");
    let by_python = places(&mut raws, &keys, "|1");
    let found = numbers(rust.get_multi::<u32, _>(&keys).unwrap());
    assert!(found.iter().all(|found| *found == Some(1)));
    for key in &keys[..30] {
        assert_eq!(
            **rust.get::<u32>(key).unwrap().as_ref().unwrap(),
            1,
            "{key}"
        );
    }
    for raw in &mut raws {
        for key in &keys {
            raw.delete(key);
        }
    }
    rust.set_multi(keys[30..].iter().map(|key| (key, 2_u32)))
        .unwrap();
    for key in &keys[..30] {
        rust.set(key, 2_u32).unwrap();
    }
    assert_eq!(places(&mut raws, &keys, "|2"), by_python);
    let all = ["2"; KEYS].join(" ");
    python.ask(&format!("get {}", keys.join(" ")), &all);
    // How they spread depends on the hash and on ports that nobody chose: a server may be left with few, or none.
    let is_used = |at: &usize| by_python.iter().any(|held| held.contains(at));
    assert!((0..3).filter(is_used).count() > 1);
    let copies = if is_everywhere { 3 } else { 1 };
    assert!(by_python.iter().all(|held| held.len() == copies));
    // What one deletes is gone for the other.
    for (number, key) in keys.iter().enumerate() {
        if number % 2 == 0 {
            rust.delete(key).unwrap();
        } else {
            python.ask(&format!("delete {key}"), "done");
        }
    }
    assert!(places(&mut raws, &keys, "").iter().all(Vec::is_empty));
    assert_eq!(
        numbers(rust.get_multi::<u32, _>(&keys).unwrap()),
        [None; KEYS]
    );
}

/// What one side compresses or not, the other reads.
fn same_values(peers: Peers, python_compresses: More<'_>, python_reads: More<'_>) {
    const LONG: usize = 50_000;
    let bytes = if peers.python == BMEMCACHED.python {
        16
    } else {
        0
    };
    let shared = Shared::by(peers);
    let mut plain = shared.python(python_reads);
    let mut compressing = shared.python(python_compresses);
    let rust = [
        shared.rust(&[]),
        shared.rust(&[("min_compress_len", json!(1000))]),
    ];
    let mut raws = shared.raws();
    let mut stored = |key: &str| raws.iter_mut().find_map(|raw| raw.get(key)).unwrap();
    compressing.ask(&format!("set_long python a {LONG}"), "done");
    let there = stored("python");
    assert_eq!(there.flags, bytes | 8);
    assert!(there.bytes.len() < 1000);
    for rust in &rust {
        let found = rust.get::<String>("python").unwrap().unwrap();
        assert_eq!(*found, "a".repeat(LONG));
    }
    plain.ask("set_long plain b 20", "done");
    assert_eq!(stored("plain").flags, bytes);
    for (rust, flags) in rust.iter().zip([bytes, bytes | 8]) {
        assert_eq!(
            *rust.get::<String>("plain").unwrap().unwrap(),
            "b".repeat(20)
        );
        rust.set("rust", "c".repeat(LONG)).unwrap();
        assert_eq!(stored("rust").flags, flags);
        for python in [&mut plain, &mut compressing] {
            python.ask("get_long rust", &format!("c {LONG}"));
        }
    }
}

/// The sum of one of the servers' numbers.
fn sum(raws: &mut [Raw], name: &str) -> u64 {
    raws.iter_mut().map(|raw| raw.stat(name)).sum()
}

/// Who waits gets what the other creates, and invalidations are seen.
fn same_locks(peers: Peers) {
    let shared = Shared::by(peers);
    let (mut python, rust) = (shared.python(&[]), shared.rust(&[]));
    let mut raws = shared.raws();
    python.ask("hold a 1", "creating a");
    assert!(rust.key_is_locked("a").unwrap());
    let asked = sum(&mut raws, "get_hits");
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let got = rust.get_or_create("a", || -> u32 { panic!("Python creates it") });
            *got.unwrap()
        });
        until("it looks at the lock", || {
            sum(&mut raws, "get_hits") > asked + 2
        });
        python.ask("go", "got 1");
        assert_eq!(waits.join().unwrap(), 1);
    });
    assert!(!rust.key_is_locked("a").unwrap());
    let got = rust.get_or_create("b", || {
        python.ask("locked b", "true");
        let asked = sum(&mut raws, "cmd_set");
        python.tell("call 1 b 3");
        until("it tries to take the lock", || {
            sum(&mut raws, "cmd_set") > asked
        });
        2_u32
    });
    assert_eq!(*got.unwrap(), 2);
    python.expect("created 0 got [2]");
    python.ask("locked b", "false");

    rust.invalidate(Invalidation::Hard).unwrap();
    python.ask("get a b", "none none");
    python.ask("set a 4", "done");
    python.ask("invalidate hard", "done");
    until("Rust sees it", || rust.get::<u32>("a").unwrap().is_none());
}

#[test]
fn every_key_is_where_python_memcached_has_it() {
    same_servers(PYTHON_MEMCACHED);
    same_servers(PYTHON_MEMCACHED_WEIGHTED);
}

#[test]
fn every_key_is_where_pymemcache_has_it() {
    same_servers(PYMEMCACHE);
}

#[test]
fn every_key_is_where_pylibmc_has_it() {
    for peers in [PYLIBMC, PYLIBMC_KETAMA, PYLIBMC_BINARY, PYLIBMC_WEIGHTED] {
        same_servers(peers);
    }
    PYLIBMC_OTHERS.into_iter().for_each(same_servers);
}

#[test]
fn every_key_is_on_all_servers_as_bmemcached_has_it() {
    same_servers(BMEMCACHED);
}

#[test]
fn python_memcacheds_values_are_read_by_both_whoever_compressed_them() {
    for peers in [PYTHON_MEMCACHED, PYTHON_MEMCACHED_WEIGHTED] {
        same_values(peers, &[("min_compress_len", json!(1000))], &[]);
    }
}

#[test]
fn pylibmcs_values_are_read_by_both_whoever_compressed_them() {
    for peers in [PYLIBMC, PYLIBMC_KETAMA, PYLIBMC_BINARY, PYLIBMC_WEIGHTED] {
        same_values(peers, &[("min_compress_len", json!(1000))], &[]);
    }
}

#[test]
fn bmemcacheds_values_are_read_by_both_whoever_compressed_them() {
    // It compresses what has more than 128 bytes, and cannot be told otherwise.
    same_values(BMEMCACHED, &[], &[]);
}

#[test]
fn pymemcaches_values_are_read_by_both_if_python_can_inflate_them() {
    let inflates = [("compressed", json!(1000))];
    let only_inflates = [("compressed", json!(1_000_000))];
    same_values(PYMEMCACHE, &inflates, &only_inflates);
    // By default it cannot, and dogpile.cache raises.
    let shared = Shared::by(PYMEMCACHE);
    let rust = shared.rust(&[("min_compress_len", json!(1000))]);
    rust.set("key", "c".repeat(50_000)).unwrap();
    let mut python = shared.python(&[]);
    python.ask("get_long key", "UnicodeDecodeError");
}

/// What one side stores and locks the other sees, on servers that want a login.
fn same_with_a_login(options: &[&str], more: More<'_>) {
    let shared = Shared::with_sasl(BMEMCACHED, ["scott", "tiger"], options);
    let login = [("username", json!("scott")), ("password", json!("tiger"))];
    let all = [&login, more].concat();
    let (mut python, rust) = (shared.python(&all), shared.rust(&all));
    python.ask("set a 1", "done");
    assert_eq!(*rust.get::<u32>("a").unwrap().unwrap(), 1);
    rust.set("b", 2_u32).unwrap();
    rust.set("long", "c".repeat(50_000)).unwrap();
    python.ask("get a b", "1 2");
    python.ask("get_long long", "c 50000");
    python.ask("hold c 3", "creating c");
    assert!(rust.key_is_locked("c").unwrap());
    python.ask("go", "got 3");
    assert_eq!(*rust.get_or_create("c", || 4_u32).unwrap(), 3);
    let got = rust.get_or_create("d", || {
        python.ask("locked d", "true");
        5_u32
    });
    assert_eq!(*got.unwrap(), 5);
    python.ask("locked d", "false");
    python.ask("get d", "5");
    // Who says the wrong password gets nothing, on either side.
    let wrong = [&[login[0].clone(), ("password", json!("lion"))], more].concat();
    assert!(shared.rust(&wrong).get::<u32>("a").is_err());
    shared.python(&wrong).ask("get a", "MemcachedException");
}

#[test]
fn bmemcached_and_rust_share_servers_that_want_a_login() {
    same_with_a_login(&[], &[]);
}

#[test]
fn bmemcached_and_rust_share_servers_that_want_a_login_over_tls() {
    let certificates = CertificateFiles::new();
    let options = tls_options(&certificates);
    let options = options.each_ref().map(String::as_str);
    same_with_a_login(&options, &[("tls", tls(&certificates))]);
}

#[test]
fn who_waits_gets_the_value_that_the_other_language_creates() {
    for peers in [
        PYTHON_MEMCACHED,
        PYTHON_MEMCACHED_WEIGHTED,
        PYMEMCACHE,
        PYLIBMC,
        PYLIBMC_KETAMA,
        PYLIBMC_BINARY,
        PYLIBMC_WEIGHTED,
        BMEMCACHED,
    ] {
        println!("{:?}", peers.python);
        same_locks(peers);
    }
}
