//! One server of a ring is down: the others are used on, also by calls with keys on all of them.

use std::collections::HashSet;
use std::time::Duration;

use dogpile::{Host, RegionConfig};
use dogpile_plugin_api::OwnedKey;
use dogpile_tests::memcached_server::MemcachedServer;
use serde_json::json;

use crate::raw::Raw;
use crate::support::{at, get, key, open, servers, set};

const WAYS: [&str; 2] = [
    r#"{ "behaviors": { "ketama": true } }"#,
    r#"{ "binary": true }"#,
];

#[test]
fn what_the_others_have_is_read_and_none_of_them_is_an_error() {
    for arguments in WAYS {
        let mut servers = servers(3, &[]);
        let on = open("memcached_ketama", &at(&servers, arguments));
        let names: Vec<_> = (0..60).map(|number| format!("key{number}")).collect();
        for name in &names {
            set(&on, name, name.as_bytes()).unwrap();
        }
        let keys: Vec<_> = names.iter().map(|name| key(name)).collect();
        let lent: Vec<_> = keys.iter().map(OwnedKey::as_key).collect();
        servers[1].kill();
        let all = on.get_multi(&lent).unwrap();
        for (name, found) in names.iter().zip(all) {
            let found = found.map(|value| value.as_bytes().unwrap().to_owned());
            assert_eq!(found, get(&on, name).unwrap_or_default(), "{name}");
            assert_ne!(found.as_deref(), Some(&b""[..]));
        }
        // Who holds the locks is told of each that cannot be read.
        assert!(on.get_multi_fresh(&lent).is_err());
        servers.iter_mut().for_each(MemcachedServer::kill);
        assert!(on.get_multi(&lent).is_err());
    }
}

#[test]
fn what_the_others_hold_is_not_created_again() {
    for arguments in WAYS {
        let mut servers = servers(3, &[]);
        let mut region = RegionConfig::on("users", "memcached_ketama")
            .expiration_time(Duration::from_mins(5))
            // What was created is held by nothing but the servers.
            .bypass_hold(Duration::ZERO);
        let mut arguments = at(&servers, arguments);
        arguments["dead_retry"] = json!("1m");
        for (argument, value) in arguments.as_object().unwrap() {
            region = region.argument(argument, value.clone());
        }
        let host = Host::builder().plugin(dogpile_plugin_memcached::plugin());
        let host = host.region(region).build().unwrap();
        let users = host.region("users").unwrap();
        servers[1].kill();
        let keys: Vec<String> = (0..60).map(|number| format!("key{number}")).collect();
        let create = || {
            let mut created = HashSet::new();
            let all = users.get_or_create_multi(&keys, |missing| {
                created.extend(missing.iter().map(|key| (*key).clone()));
                let made = missing.iter().map(|key| (key.clone(), 1_u32));
                made.collect::<Vec<_>>()
            });
            assert!(all.unwrap().iter().all(Option::is_some));
            created
        };
        assert_eq!(create().len(), 60);
        let mut raws = [&servers[0], &servers[2]].map(Raw::to);
        let mut is_stored = |key: &&String| raws.iter_mut().any(|raw| raw.text(key).is_some());
        let stored: HashSet<String> = keys.iter().filter(&mut is_stored).cloned().collect();
        // Those whose locks are on the dead server are not.
        assert!(stored.len() > 10, "{}", stored.len());
        let created = create();
        assert!(created.is_disjoint(&stored));
        assert_eq!(created.len(), 60 - stored.len());
    }
}

#[test]
fn a_deletion_is_noted_in_the_locks_that_the_others_have() {
    for arguments in WAYS {
        let mut servers = servers(3, &[]);
        let on = open("memcached_ketama", &at(&servers, arguments));
        let keys: Vec<_> = (0..30).map(|number| key(&format!("key{number}"))).collect();
        let lent: Vec<_> = keys.iter().map(OwnedKey::as_key).collect();
        for key in &lent {
            let mutex = on.mutex(key).unwrap().unwrap();
            mutex.try_acquire(Duration::from_mins(1)).unwrap().unwrap();
        }
        servers[1].kill();
        let mut raws = [&servers[0], &servers[2]].map(Raw::to);
        assert!(on.delete_multi(&lent).is_err());
        let locks = lent.iter().filter_map(|key| {
            let name = format!("_lock{}", key.as_str());
            raws.iter_mut().find_map(|raw| raw.text(&name))
        });
        let locks: Vec<_> = locks.collect();
        assert!(locks.len() > 10 && locks.len() < 30, "{}", locks.len());
        assert!(locks.iter().all(|lock| lock.ends_with('!')), "{locks:?}");
    }
}
