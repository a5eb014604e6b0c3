//! Slots that move from one master to another.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use dogpile_plugin_api::{BackendInstance, Guarded, Metadata, OwnedKey, Value};
use serde_json::json;

use crate::clients::Ends;
use crate::clustered::Clustered;
use crate::support::{both_ways, get, key, open_clustered, set, until};
use crate::watched::{ask, calls};

const LONG: Duration = Duration::from_mins(1);

fn value(key: &OwnedKey, bytes: &[u8]) -> Value {
    Value::copied(&Metadata::default(), key.as_key(), bytes)
}

fn get_multi(backend: &BackendInstance, keys: &[OwnedKey]) -> Vec<Option<Vec<u8>>> {
    let keys: Vec<_> = keys.iter().map(OwnedKey::as_key).collect();
    let found = backend.get_multi(&keys).unwrap().into_iter();
    found
        .map(|value| value.map(|value| value.as_bytes().unwrap().to_owned()))
        .collect()
}

/// Creates as a host does: under the lock. Whether that was free.
fn create(backend: &BackendInstance, key: &OwnedKey, bytes: &[u8]) -> bool {
    let mutex = backend.mutex(&key.as_key()).unwrap().unwrap();
    let Some(mut lease) = mutex.try_acquire(LONG).unwrap() else {
        return false;
    };
    assert!(mutex.renew(&mut lease).unwrap());
    let stored = backend
        .set_guarded(&key.as_key(), &value(key, bytes), &lease)
        .unwrap();
    assert_eq!(stored, Guarded::Stored);
    mutex.release(lease).unwrap();
    true
}

/// How often the nodes said so.
fn errors(cluster: &Clustered, code: &str) -> u64 {
    let of = |node| {
        let info: redis::InfoDict =
            redis::from_redis_value(ask(node, &["INFO", "errorstats"])).unwrap();
        let count: Option<String> = info.get(&format!("errorstat_{code}"));
        count.map_or(0, |count| {
            count.strip_prefix("count=").unwrap().parse().unwrap()
        })
    };
    cluster.nodes.iter().map(of).sum()
}

#[test]
fn while_a_slot_moves_its_keys_are_read_stored_created_and_deleted_on_both_sides() {
    let cluster = Clustered::start();
    for layout in ["dogpile", "hashtag"] {
        let mut arguments = cluster.arguments();
        arguments["cluster_lock"] = json!(layout);
        let [other, backend] = both_ways(&arguments).map(|arguments| open_clustered(&arguments));
        let keys: Vec<OwnedKey> = (0..20).map(|n| key(&format!("{{{layout}}}{n}"))).collect();
        let name = |n: usize| format!("{{{layout}}}{n}");
        let expected = |n: usize, round: u32| Some(format!("{n} {round}").into_bytes());
        let all = |round: u32| (0..20).map(|n| expected(n, round)).collect::<Vec<_>>();
        for n in 0..20 {
            set(&backend, &name(n), &expected(n, 0).unwrap()).unwrap();
        }
        let (slot, from) = (cluster.slot(&name(0)), cluster.owner(&name(0)));
        let to = (from + 1) % 3;
        let (asked, split) = (
            calls(&cluster.nodes[to], "asking"),
            errors(&cluster, "TRYAGAIN"),
        );
        cluster.move_slot(slot, from, to, || {
            assert!(get_multi(&backend, &keys) == all(0));
            for n in 0..20 {
                assert_eq!(get(&backend, &name(n)).unwrap(), expected(n, 0));
            }
            let entries: Vec<_> = keys
                .iter()
                .enumerate()
                .map(|(n, key)| (key.as_key(), value(key, &expected(n, 1).unwrap())))
                .collect();
            backend.set_multi(&entries).unwrap();
            assert!(get_multi(&other, &keys) == all(1));
            for (n, key) in keys.iter().enumerate() {
                assert!(create(&backend, key, &expected(n, 2).unwrap()));
            }
            assert!(get_multi(&other, &keys) == all(2));
            for key in &keys {
                let mutex = backend.mutex(&key.as_key()).unwrap().unwrap();
                let lease = mutex.try_acquire(LONG).unwrap().unwrap();
                assert!(!create(&other, key, b"not now"));
                // On its way it is not told of.
                mutex.wait(Duration::from_millis(20)).unwrap();
                other.delete(&key.as_key()).unwrap();
                let stored = backend
                    .set_guarded(&key.as_key(), &value(key, b"deleted"), &lease)
                    .unwrap();
                assert_eq!(stored, Guarded::Deleted);
                mutex.release(lease).unwrap();
            }
            assert!(get_multi(&backend, &keys).iter().all(Option::is_none));
            backend.set_multi(&entries).unwrap();
        });
        assert!(calls(&cluster.nodes[to], "asking") > asked);
        assert!(errors(&cluster, "TRYAGAIN") > split);
        assert!(get_multi(&backend, &keys) == all(1));
        assert!(create(&other, &keys[0], b"there"));
    }
}

/// Stores numbers that rise under keys of its own, in each way, and reads them.
fn run(
    backend: &BackendInstance,
    client: usize,
    tags: &[String],
    ends: &AtomicBool,
    rounds: &AtomicU64,
) {
    let keys: Vec<OwnedKey> = tags
        .iter()
        .flat_map(|tag| (0..4).map(move |n| key(&format!("{{{tag}}}{client}:{n}"))))
        .collect();
    let mut number = 0_u64;
    while !ends.load(Ordering::SeqCst) {
        let bytes = format!("{client} {number}").into_bytes();
        match number % 3 {
            0 => {
                let entries: Vec<_> = keys
                    .iter()
                    .map(|key| (key.as_key(), value(key, &bytes)))
                    .collect();
                backend.set_multi(&entries).unwrap();
            }
            1 => {
                for key in &keys {
                    backend.set(&key.as_key(), &value(key, &bytes)).unwrap();
                }
            }
            _ => {
                for key in &keys {
                    assert!(create(backend, key, &bytes));
                }
            }
        }
        for found in get_multi(backend, &keys) {
            assert_eq!(found.unwrap(), bytes);
        }
        for key in &keys {
            let found = backend.get_fresh(&key.as_key()).unwrap().unwrap();
            assert_eq!(found.as_bytes().unwrap(), bytes);
        }
        if number % 7 == 6 {
            let gone: Vec<_> = keys.iter().map(OwnedKey::as_key).collect();
            backend.delete_multi(&gone).unwrap();
            assert!(get_multi(backend, &keys).iter().all(Option::is_none));
        }
        number += 1;
        rounds.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn slots_that_move_under_load_cost_no_value_and_no_error() {
    let cluster = Clustered::start();
    let tags: Vec<String> = (0..6).map(|tag| format!("tag {tag}")).collect();
    let ends = AtomicBool::new(false);
    // Two have the same connections where one is for all calls: among those that ask for a key on its way are others.
    let rounds = [const { AtomicU64::new(0) }; 8];
    let backends = ["dogpile", "hashtag"].map(|layout| {
        let mut arguments = cluster.arguments();
        arguments["cluster_lock"] = json!(layout);
        both_ways(&arguments).map(|arguments| open_clustered(&arguments))
    });
    let backends = backends.as_flattened();
    thread::scope(|scope| {
        let clients: Vec<_> = rounds
            .iter()
            .enumerate()
            .map(|(client, rounds)| {
                let (backend, tags, ends) = (&backends[client % 4], &tags, &ends);
                scope.spawn(move || run(backend, client, tags, ends, rounds))
            })
            .collect();
        let _ends = Ends(&ends);
        let go_on = || {
            let before = rounds
                .each_ref()
                .map(|rounds| rounds.load(Ordering::SeqCst));
            until("all clients store and read", || {
                let mut now = rounds.iter().zip(before);
                now.all(|(now, before)| now.load(Ordering::SeqCst) > before)
                    || clients.iter().any(thread::ScopedJoinHandle::is_finished)
            });
        };
        let mut owners: Vec<usize> = tags
            .iter()
            .map(|tag| cluster.owner(&format!("{{{tag}}}")))
            .collect();
        for round in 0..3 {
            for (tag, owner) in tags.iter().zip(&mut owners) {
                let to = (*owner + 1 + round % 2) % 3;
                cluster.move_slot(cluster.slot(&format!("{{{tag}}}")), *owner, to, go_on);
                *owner = to;
            }
        }
        go_on();
    });
    assert!(errors(&cluster, "ASK") > 0 && errors(&cluster, "MOVED") > 0);
}
