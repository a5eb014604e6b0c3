//! On which server a key is, as Python's clients have it.

use dogpile_net::endpoint::Place;

use crate::address::{Address, PORT};
use crate::arguments::{Behaviors, Hash, PythonClient};
use crate::hashes::{crc, md5, murmur3};

/// How keys are placed on servers, which are known by their numbers in the list.
#[derive(Debug)]
pub(crate) enum Placement {
    /// As python-memcached: servers repeated by weight. While one is down its keys are on others.
    Buckets(Vec<usize>),
    /// As pymemcache: of each server's name, and the key, the highest hash. While one is down its keys are on others.
    Highest(Vec<String>),
    /// As libmemcached: the hash modulo the number of servers.
    Modulo(Hash, usize),
    /// As libmemcached: points of servers on a ring, by number; the key is with the next one.
    Ring(Hash, Vec<(u32, usize)>),
    /// As bmemcached: each key is on all of so many.
    All(usize),
}

/// python-memcached looks so often for a server that is not down.
const ROUNDS: usize = 10;

impl Placement {
    pub(crate) fn of_python(client: PythonClient, servers: &[Address]) -> Self {
        match client {
            PythonClient::PythonMemcached => Self::Buckets(
                servers
                    .iter()
                    .enumerate()
                    .flat_map(|(at, server)| (0..server.weight).map(move |_| at))
                    .collect(),
            ),
            PythonClient::Pymemcache => Self::Highest(
                servers
                    .iter()
                    .map(|server| match &server.place {
                        Place::Tcp(host, port) => format!("{host}:{port}"),
                        Place::Unix(path) => path.display().to_string(),
                    })
                    .collect(),
            ),
        }
    }

    pub(crate) fn of_libmemcached(behaviors: &Behaviors, servers: &[Address]) -> Self {
        // It hashes by MD5 whatever else is said.
        let hash = if behaviors.ketama_weighted {
            Hash::Md5
        } else {
            behaviors.hash.unwrap_or_default()
        };
        let has_weights = servers.iter().any(|server| server.weight > 1);
        if behaviors.ketama_weighted || (behaviors.ketama && has_weights) {
            Self::Ring(hash, weighted_ring(servers))
        } else if behaviors.ketama {
            Self::Ring(hash, ring(hash, servers))
        } else {
            Self::Modulo(hash, servers.len())
        }
    }

    /// Where a key is while the servers that are not `alive` are down; `None` where Python's client finds no server. The
    /// first that is said to be alive is the one.
    pub(crate) fn of(&self, key: &str, alive: impl Fn(usize) -> bool) -> Option<usize> {
        match self {
            Self::Buckets(buckets) => {
                let mut hash = crc(key.as_bytes());
                for round in 0..ROUNDS {
                    let server = *buckets.get(hash as usize % buckets.len().max(1))?;
                    if alive(server) {
                        return Some(server);
                    }
                    hash = crc(format!("{hash}{round}").as_bytes());
                }
                None
            }
            Self::Highest(names) => {
                let mut units = Vec::new();
                let mut ranked: Vec<_> = names
                    .iter()
                    .enumerate()
                    .map(|(at, name)| {
                        units.clear();
                        units.extend(name.chars().chain(['-']).chain(key.chars()).map(u32::from));
                        (murmur3(&units), name, at)
                    })
                    .collect();
                ranked.sort_unstable_by(|one, other| other.cmp(one));
                let mut ranked = ranked.into_iter().map(|(_, _, at)| at);
                ranked.find(|at| alive(*at))
            }
            Self::Modulo(hash, servers) => (hash.of(key.as_bytes()) as usize).checked_rem(*servers),
            Self::Ring(hash, points) => {
                let hash = hash.of(key.as_bytes());
                let next = points.partition_point(|(point, _)| *point < hash);
                points
                    .get(next)
                    .or(points.first())
                    .map(|(_, server)| *server)
            }
            Self::All(servers) => (0..*servers).find(|at| alive(*at)),
        }
    }

    /// Whether the keys of a server that is down are on another.
    pub(crate) fn moves(&self) -> bool {
        match self {
            Self::Buckets(_) | Self::Highest(_) | Self::All(_) => true,
            Self::Modulo(..) | Self::Ring(..) => false,
        }
    }
}

/// 100 points of each server.
fn ring(hash: Hash, servers: &[Address]) -> Vec<(u32, usize)> {
    let points = servers.iter().enumerate().flat_map(|(at, server)| {
        (0..100).map(move |number| (hash.of(name(server, number).as_bytes()), at))
    });
    sorted(points.collect())
}

/// Four points of each MD5, of which a server has as many as its share of the weights says.
fn weighted_ring(servers: &[Address]) -> Vec<(u32, usize)> {
    let total: u32 = servers.iter().map(|server| server.weight).sum();
    let mut points = Vec::new();
    for (at, server) in servers.iter().enumerate() {
        for number in 0..digests(server.weight, total, servers.len()) {
            let digest = md5(name(server, number).as_bytes());
            points.extend(digest.chunks_exact(4).map(|four| {
                let point = u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
                (point, at)
            }));
        }
    }
    sorted(points)
}

/// In the precision of libmemcached, which decides about the last one.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the numbers are small, and what is lost is lost there too"
)]
fn digests(weight: u32, total: u32, servers: usize) -> u32 {
    let share = weight as f32 / total as f32;
    let exact = share * 160.0 / 4.0 * servers as f32;
    (f64::from(exact) + 0.000_000_000_1) as f32 as u32
}

/// What is hashed for a point.
fn name(server: &Address, number: u32) -> String {
    match &server.place {
        Place::Tcp(host, PORT) => format!("{host}-{number}"),
        Place::Tcp(host, port) => format!("{host}:{port}-{number}"),
        Place::Unix(path) => format!("{}:0-{number}", path.display()),
    }
}

fn sorted(mut points: Vec<(u32, usize)>) -> Vec<(u32, usize)> {
    points.sort_by_key(|(point, _)| *point);
    points
}

#[cfg(test)]
mod tests {
    use dogpile_plugin_api::serde::Deserialize;
    use serde_json::Value;

    use super::*;
    use crate::address::Addresses;

    const FILES: [&str; 2] = [
        include_str!("../tests/vectors/routing.json"),
        include_str!("../tests/vectors/routing_more.json"),
    ];

    fn placement(mode: &str, behaviors: &Value, servers: &Value) -> Placement {
        let Addresses(servers) = Addresses::deserialize(servers).unwrap();
        match mode {
            "python_memcached" => Placement::of_python(PythonClient::PythonMemcached, &servers),
            "pymemcache" => Placement::of_python(PythonClient::Pymemcache, &servers),
            mode => {
                let behaviors = Behaviors::deserialize(&behaviors[mode]).unwrap();
                Placement::of_libmemcached(&behaviors, &servers)
            }
        }
    }

    /// Where they are; what Python's client refuses is nowhere.
    fn expected(vector: &Value) -> Vec<Option<i64>> {
        let servers = vector.as_array().unwrap().iter();
        servers.map(Value::as_i64).collect()
    }

    fn placed(placement: &Placement, keys: &Value, alive: impl Fn(usize) -> bool) -> Vec<i64> {
        let keys = keys.as_array().unwrap().iter();
        keys.map(|key| match placement.of(key.as_str().unwrap(), &alive) {
            Some(server) => i64::try_from(server).unwrap(),
            None => -1,
        })
        .collect()
    }

    #[track_caller]
    fn agree(what: &str, keys: &Value, ours: &[i64], expected: &[Option<i64>]) {
        assert_eq!(ours.len(), expected.len());
        for (at, (ours, expected)) in ours.iter().zip(expected).enumerate() {
            if let Some(expected) = expected {
                assert_eq!(ours, expected, "{what}: {}", keys[at]);
            }
        }
    }

    #[test]
    fn every_key_is_where_pythons_clients_put_it() {
        let mut compared = 0;
        for file in FILES {
            let file: Value = serde_json::from_str(file).unwrap();
            for (mode, by_servers) in file["expected"].as_object().unwrap() {
                for (servers, vector) in by_servers.as_object().unwrap() {
                    let placement = placement(mode, &file["behaviors"], &file["servers"][servers]);
                    let ours = placed(&placement, &file["keys"], |_| true);
                    let what = format!("{mode}, {servers}");
                    agree(&what, &file["keys"], &ours, &expected(vector));
                    compared += ours.len();
                }
            }
        }
        assert!(compared > 9000, "{compared}");
    }

    #[test]
    fn the_keys_of_a_dead_server_are_where_pythons_clients_put_them() {
        let [keys, dead] = FILES.map(|file| serde_json::from_str::<Value>(file).unwrap());
        let (keys, servers) = (&keys["keys"], &keys["servers"]["live3"]);
        for mode in ["python_memcached", "pymemcache"] {
            let placement = placement(mode, &Value::Null, servers);
            let ours = placed(&placement, keys, |server| server != 1);
            assert!(!ours.contains(&1));
            agree(mode, keys, &ours, &expected(&dead["dead"][mode]));
        }
    }

    #[test]
    fn no_key_of_a_ring_is_moved_and_none_is_anywhere_while_all_are_dead() {
        let servers = Value::from(vec!["a:1", "b:1", "c:1"]);
        for mode in ["python_memcached", "pymemcache"] {
            let placement = placement(mode, &Value::Null, &servers);
            assert_eq!(placement.of("k", |_| false), None);
            assert!(placement.moves());
        }
        for behaviors in [
            serde_json::json!({ "m": {} }),
            serde_json::json!({ "m": { "ketama": true } }),
        ] {
            let placement = placement("m", &behaviors, &servers);
            assert_eq!(placement.of("k", |_| false), placement.of("k", |_| true));
            assert!(!placement.moves());
        }
    }
}
