//! Who makes calls within this process.

use std::hint::black_box;
use std::sync::{Mutex, PoisonError};

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, Connection};
use cached::{ConcurrentCached, RedisCache};
use dogpile::{Host, Region, RegionConfig, SerializerKind};
use tokio::runtime::Runtime;

use super::calls::{HOUR, LENGTH, Threads, What};
use super::server::Server;

/// The floor: connections of the crate `redis`, one for each thread.
pub(super) struct Raw(Vec<Mutex<Connection>>);

impl Raw {
    pub(super) fn new(server: &Server, most: usize) -> Self {
        let connections = (0..most).map(|_| server.client().expect("the server is there"));
        Self(connections.map(Mutex::new).collect())
    }
}

impl Threads for Raw {
    fn name(&self) -> &'static str {
        "redis, a connection each"
    }

    fn calls(&self, what: What, thread: usize, keys: &mut dyn Iterator<Item = &[String]>) {
        let mut connection = self.0[thread]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let value = vec![7_u8; LENGTH];
        for keys in keys {
            match what {
                What::Get => {
                    let mut command = ::redis::cmd("GET");
                    let found: Vec<u8> = command
                        .arg(raw(&keys[0]))
                        .query(&mut connection)
                        .expect("it is there");
                    assert_eq!(black_box(found).len(), LENGTH);
                }
                What::Set => set(&raw(&keys[0]), &value)
                    .exec(&mut connection)
                    .expect("it is stored"),
                What::GetMulti => {
                    let mut command = ::redis::cmd("MGET");
                    for key in keys {
                        command.arg(raw(key));
                    }
                    let found: Vec<Option<Vec<u8>>> =
                        command.query(&mut connection).expect("they are there");
                    assert!(black_box(found).iter().all(Option::is_some));
                }
                What::SetMulti => {
                    let mut pipeline = ::redis::pipe();
                    for key in keys {
                        pipeline.add_command(set(&raw(key), &value)).ignore();
                    }
                    pipeline.exec(&mut connection).expect("they are stored");
                }
            }
        }
    }
}

/// A region with the serializer of bytes as they are.
pub(super) struct Dogpile {
    name: &'static str,
    region: Region,
    _host: Host,
}

pub(super) fn region(port: u16, multiplex: bool) -> (Host, Region) {
    let config = RegionConfig::on("bench", "redis")
        .key_prefix(if multiplex { "shared:" } else { "own:" })
        .argument("host", "127.0.0.1")
        .argument("port", port)
        .argument("multiplex", multiplex)
        .expiration_time(HOUR)
        .serializer(SerializerKind::Raw);
    let host = Host::builder()
        .plugin(dogpile_plugin_redis::plugin())
        .region(config)
        .build()
        .expect("a host");
    let region = host.region("bench").expect("it is configured");
    (host, region)
}

impl Dogpile {
    pub(super) fn new(server: &Server, multiplex: bool) -> Self {
        let (host, region) = region(server.port, multiplex);
        Self {
            name: if multiplex {
                "dogpile, multiplexed"
            } else {
                "dogpile"
            },
            region,
            _host: host,
        }
    }
}

impl Threads for Dogpile {
    fn name(&self) -> &'static str {
        self.name
    }

    fn calls(&self, what: What, _: usize, keys: &mut dyn Iterator<Item = &[String]>) {
        let value = vec![7_u8; LENGTH];
        for keys in keys {
            match what {
                What::Get => {
                    let found = self.region.get::<Vec<u8>>(&keys[0]).expect("it is read");
                    assert_eq!(black_box(found).expect("it is there").len(), LENGTH);
                }
                What::Set => {
                    let stored = self.region.set(&keys[0], value.clone());
                    black_box(stored.expect("it is stored"));
                }
                What::GetMulti => {
                    let found = self
                        .region
                        .get_multi::<Vec<u8>, _>(keys)
                        .expect("they are read");
                    assert!(black_box(found).iter().all(Option::is_some));
                }
                What::SetMulti => {
                    let entries = keys.iter().map(|key| (key, value.clone()));
                    self.region.set_multi(entries).expect("they are stored");
                }
            }
        }
    }
}

/// `cached`'s store, with as many connections in its pool as there are threads. It has no calls with several keys, and
/// makes bytes to an array of numbers: it is given text.
pub(super) struct Cached(RedisCache<String, String>);

impl Cached {
    pub(super) fn new(server: &Server, most: u32) -> Self {
        let built = RedisCache::builder("cached")
            .ttl(HOUR)
            .connection_string(&server.url())
            .connection_pool_max_size(most)
            .build();
        Self(built.expect("the server is there"))
    }
}

impl Threads for Cached {
    fn name(&self) -> &'static str {
        "cached"
    }

    fn can(&self, what: What) -> bool {
        matches!(what, What::Get | What::Set)
    }

    fn calls(&self, what: What, _: usize, keys: &mut dyn Iterator<Item = &[String]>) {
        let value = "7".repeat(LENGTH);
        for keys in keys {
            if what == What::Get {
                let found = self.0.cache_get(&keys[0]).expect("it is read");
                assert_eq!(black_box(found).expect("it is there").len(), LENGTH);
            } else {
                let set = self.0.cache_set(keys[0].clone(), value.clone());
                black_box(set.expect("it is stored"));
            }
        }
    }
}

/// One connection of the crate `redis` for all threads, on a runtime with a thread of its own; each blocks on its call.
pub(super) struct RawMultiplexed {
    connection: MultiplexedConnection,
    runtime: Runtime,
}

impl RawMultiplexed {
    pub(super) fn new(server: &Server) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("the system has threads");
        let client = ::redis::Client::open(server.url()).expect("it is a URL");
        let connection = runtime.block_on(client.get_multiplexed_async_connection());
        Self {
            connection: connection.expect("the server is there"),
            runtime,
        }
    }
}

impl Threads for RawMultiplexed {
    fn name(&self) -> &'static str {
        "redis, multiplexed"
    }

    fn can(&self, what: What) -> bool {
        matches!(what, What::Get | What::Set)
    }

    fn calls(&self, what: What, _: usize, keys: &mut dyn Iterator<Item = &[String]>) {
        let value = vec![7_u8; LENGTH];
        let mut connection = self.connection.clone();
        for keys in keys {
            let key = raw(&keys[0]);
            if what == What::Get {
                let mut command = ::redis::cmd("GET");
                let found = command.arg(key).query_async::<Vec<u8>>(&mut connection);
                let found = self.runtime.block_on(found).expect("it is there");
                assert_eq!(black_box(found).len(), LENGTH);
            } else {
                let command = set(&key, &value);
                let stored = command.exec_async(&mut connection);
                self.runtime.block_on(stored).expect("it is stored");
            }
        }
    }
}

fn raw(key: &str) -> String {
    format!("raw:{key}")
}

fn set(key: &str, value: &[u8]) -> Cmd {
    let mut command = ::redis::cmd("SET");
    let milliseconds = HOUR.as_millis().to_string();
    command.arg(key).arg(value).arg("PX").arg(milliseconds);
    command
}
