//! Who makes calls within this process.

use std::hint::black_box;
use std::sync::{Mutex, PoisonError};

use ::redis::aio::MultiplexedConnection;
use ::redis::{Client, Cmd, Connection};
use cached::{ConcurrentCached, RedisCache};
use tokio::runtime::Runtime;

use crate::plugins;
use crate::server::region::{self, Dogpile};
use crate::server::{HOUR, LENGTH, Server, Threads, What};

/// The floor: connections of the crate `redis`, one for each thread.
pub(super) struct Raw(Vec<Mutex<Connection>>);

impl Raw {
    pub(super) fn new(server: &Server, most: usize) -> Self {
        let connections = (0..most).map(|_| {
            client(server)
                .get_connection()
                .expect("the server is there")
        });
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

/// A region, whose connections are a pool's or one for all.
pub(super) fn dogpile(port: u16, multiplex: bool) -> Dogpile {
    let config = region::config("redis", if multiplex { "shared:" } else { "own:" })
        .argument("host", "127.0.0.1")
        .argument("port", port)
        .argument("multiplex", multiplex);
    let host = plugins::host("redis", dogpile_plugin_redis::plugin);
    Dogpile {
        name: if multiplex {
            "dogpile, multiplexed"
        } else {
            "dogpile"
        },
        region: host.configure(config).expect("the server is there"),
    }
}

/// `cached`'s store, with as many connections in its pool as there are threads. It has no calls with several keys, and
/// makes bytes to an array of numbers: it is given text.
pub(super) struct Cached(RedisCache<String, String>);

impl Cached {
    pub(super) fn new(server: &Server, most: u32) -> Self {
        let built = RedisCache::builder("cached")
            .ttl(HOUR)
            .connection_string(&url(server))
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
        let client = client(server);
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

fn client(server: &Server) -> Client {
    Client::open(url(server)).expect("it is a URL")
}

fn url(server: &Server) -> String {
    format!("redis://{}", server.address())
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
