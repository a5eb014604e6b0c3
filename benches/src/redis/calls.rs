//! What is called, and by whom within this process.

use std::hint::black_box;
use std::sync::{Barrier, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, Connection};
use cached::{ConcurrentCached, RedisCache};
use dogpile::{Host, Region, RegionConfig, SerializerKind};
use tokio::runtime::Runtime;

use super::server::Server;

/// How many keys there are, and what lies under each, in bytes.
pub(super) const KEYS: usize = 1_000;
pub(super) const LENGTH: usize = 1024;

/// The keys of a call with several.
pub(super) const SEVERAL: usize = 100;

pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// A kind of call.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum What {
    Get,
    Set,
    GetMulti,
    SetMulti,
}

impl What {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::GetMulti => "get_multi",
            Self::SetMulti => "set_multi",
        }
    }
}

/// Who makes calls.
pub(super) trait Contender {
    fn name(&self) -> &'static str;
    fn can(&self, _: What) -> bool {
        true
    }
    /// So many calls of each of so many callers at once. Gives nanoseconds from the first one's start to the last one's
    /// end.
    fn turn(&self, what: What, callers: usize, calls: usize) -> f64;
}

/// One whose callers are threads of this process.
pub(super) trait Threads: Sync {
    fn name(&self) -> &'static str;
    fn can(&self, _: What) -> bool {
        true
    }
    /// What a thread does, for each call with the keys of it.
    fn calls(&self, what: What, thread: usize, keys: &mut dyn Iterator<Item = &[String]>);
}

pub(super) struct InThreads<T> {
    pub(super) keys: Vec<String>,
    pub(super) of: T,
}

impl<T: Threads> InThreads<T> {
    pub(super) fn boxed<'a>(of: T) -> Box<dyn Contender + 'a>
    where
        T: 'a,
    {
        let keys = (0..KEYS + SEVERAL).map(|number| format!("key:{}", number % KEYS));
        let all = Self {
            keys: keys.collect(),
            of,
        };
        // What is asked for is there.
        all.of
            .calls(What::Set, 0, &mut (0..KEYS).map(|at| &all.keys[at..=at]));
        Box::new(all)
    }
}

impl<T: Threads> Contender for InThreads<T> {
    fn name(&self) -> &'static str {
        self.of.name()
    }

    fn can(&self, what: What) -> bool {
        self.of.can(what)
    }

    fn turn(&self, what: What, callers: usize, calls: usize) -> f64 {
        let barrier = Barrier::new(callers);
        let length = match what {
            What::Get | What::Set => 1,
            What::GetMulti | What::SetMulti => SEVERAL,
        };
        let spans: Vec<(Instant, Instant)> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..callers)
                .map(|thread| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        let mut keys = (0..calls).map(|call| {
                            let at = (thread * 331 + call * 7) % KEYS;
                            &self.keys[at..at + length]
                        });
                        barrier.wait();
                        let start = Instant::now();
                        self.of.calls(what, thread, &mut keys);
                        (start, Instant::now())
                    })
                })
                .collect();
            let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
            joined.map(|span| span.expect("no thread panics")).collect()
        });
        let start = spans.iter().map(|span| span.0).min();
        let end = spans.iter().map(|span| span.1).max();
        let (start, end) = start.zip(end).expect("there is a thread");
        (end - start).as_secs_f64() * 1e9
    }
}

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
