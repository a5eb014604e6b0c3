use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use dogpile_net::doubtful::Doubtful;
use dogpile_plugin_api::{
    Backend, Error, ErrorKind, Guarded, HostContext, Key, Lease, Metadata, Mutex, Result, Value,
};
use redis::Cmd;

use crate::arguments::RedisArguments;
use crate::clear::clear;
use crate::connection::{Connection, accepted};
use crate::failure::{Answer, Failure};
use crate::guard::{Entry, found, get, is_no_value, set, stored};
use crate::kinds::{BySentinels, InCluster, Kind, OneServer};
use crate::locks::{KeyMutex, Locks, token};
use crate::many::{Request, unless_split};
use crate::names::Names;
use crate::servers::Servers;

/// The backends `redis` and `valkey`: a single server.
pub type Redis = Backed<OneServer>;

/// The backends `redis_sentinel` and `valkey_sentinel`: a master and its replicas, which sentinels watch.
pub type RedisSentinel = Backed<BySentinels>;

/// The backends `redis_cluster` and `valkey_cluster`: the nodes of a cluster, each of which has some of the keys.
pub type RedisCluster = Backed<InCluster>;

/// All backends here, which differ in how they find the servers. Its methods block for the server, at most for
/// `socket_timeout`.
pub struct Backed<K> {
    servers: Arc<dyn Servers>,
    host: HostContext,
    locks: Arc<Locks>,
    distributed_lock: bool,
    expiry: Expiry,
    clear_empties_db: bool,
    /// `socket_timeout`.
    longest_call: Duration,
    kind: PhantomData<fn() -> K>,
}

/// Until when the server keeps what is stored.
enum Expiry {
    /// For as long as anybody may want it.
    KeepUntil,
    After(Duration),
    Never,
}

impl<K: Kind> Backend for Backed<K> {
    type Arguments = RedisArguments;

    /// Connects to nothing: a server that is down then is one that is down later.
    fn open(arguments: RedisArguments, host: &HostContext) -> Result<Self> {
        arguments.check()?;
        let servers = K::servers(&arguments)?;
        let expiry = match arguments.redis_expiration_time {
            None => Expiry::KeepUntil,
            Some(time) if time.duration().is_zero() => Expiry::Never,
            Some(time) => Expiry::After(time.duration()),
        };
        Ok(Self {
            locks: Arc::new(Locks {
                servers: Arc::clone(&servers),
                host: *host,
                names: Names {
                    layout: K::layout(&arguments),
                    prefix: arguments.lock_prefix,
                },
                sleep: arguments.lock_sleep.duration(),
                doubtful: Doubtful::default(),
                can_release: AtomicBool::new(false),
            }),
            servers,
            host: *host,
            distributed_lock: arguments.distributed_lock,
            expiry,
            clear_empties_db: arguments.clear_empties_db,
            longest_call: arguments.socket_timeout.duration(),
            kind: PhantomData,
        })
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        let command = get(key);
        self.servers
            .read(key.as_bytes(), |on| get_one(on, key, &command))
    }

    fn get_fresh(&self, key: &Key) -> Result<Option<Value>> {
        let command = get(key);
        self.servers
            .write(key.as_bytes(), |on| get_one(on, key, &command))
    }

    fn get_multi(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        match self.one_part(keys) {
            None => self.get_parted(keys),
            Some(key) => self.servers.read(key, |on| get_multi(on, keys)),
        }
    }

    fn get_multi_fresh(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        match self.one_part(keys) {
            None => self.get_parted(keys),
            Some(key) => self.servers.write(key, |on| get_multi(on, keys)),
        }
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        let command = set(key, bytes(value)?, self.milliseconds(value));
        self.servers
            .write(key.as_bytes(), |on| stored(on.call(&command)?))
    }

    /// All at once. Some may be stored where others are refused.
    fn set_multi(&self, entries: &[(Key, Value)]) -> Result<()> {
        let sets: Result<Vec<Request>> = entries
            .iter()
            .map(|(key, value)| {
                let set = set(key, bytes(value)?, self.milliseconds(value));
                Ok(self.servers.request(key.as_bytes(), set))
            })
            .collect();
        let done = self
            .servers
            .write_all(&sets?, None, self.servers.deadline(), |_, reply| {
                stored(reply)
            });
        done.map(drop)
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.delete_multi(&[*key])
    }

    fn delete_multi(&self, keys: &[Key]) -> Result<()> {
        let keys: Vec<&str> = keys.iter().map(Key::as_str).collect();
        if self.distributed_lock {
            self.locks.delete(&keys)
        } else {
            self.locks.remove(&keys, self.servers.deadline())
        }
    }

    fn clear(&self) -> Result<()> {
        if !self.clear_empties_db {
            return Err(Error::unsupported(
                "the database may hold what others stored: say `clear_empties_db = true` in the region's arguments \
                 if all of it may go, or invalidate the region",
            ));
        }
        clear(&self.locks)
    }

    /// Of several servers one is enough: the others fail for themselves.
    fn longest_call(&self) -> Option<Duration> {
        Some(self.longest_call)
    }

    fn ping(&self) -> Result<()> {
        self.servers.ping()
    }

    fn close(&self) -> Result<()> {
        self.servers.close();
        Ok(())
    }

    fn mutex(&self, key: &Key) -> Result<Option<Box<dyn Mutex>>> {
        let mutex = || Box::new(KeyMutex::new(Arc::clone(&self.locks), key)) as _;
        Ok(self.distributed_lock.then(mutex))
    }

    fn set_guarded(&self, key: &Key, value: &Value, lease: &Lease) -> Result<Guarded> {
        let outcomes = self.locks.store(&[self.entry(key, value, lease)?])?;
        outcomes
            .first()
            .copied()
            .ok_or_else(|| Error::unavailable("a store has no outcome"))
    }

    fn set_guarded_multi(&self, entries: &[(Key, Value, Lease)]) -> Result<Vec<Guarded>> {
        let entries: Result<Vec<Entry<'_>>> = entries
            .iter()
            .map(|(key, value, lease)| self.entry(key, value, lease))
            .collect();
        self.locks.store(&entries?)
    }
}

impl<K> Backed<K> {
    /// One of the keys, if they are all on one server.
    fn one_part<'k>(&self, keys: &'k [Key<'_>]) -> Option<&'k [u8]> {
        let key = keys.first()?.as_bytes();
        self.servers.slot(key).is_none().then_some(key)
    }

    /// Each part for itself.
    fn get_parted(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Value>>> {
        let parts = self.servers.by_slot(keys.iter().map(|key| key.as_bytes()));
        let requests = parts.iter().map(|(slot, places)| Request {
            slot: *slot,
            command: mget(places.iter().map(|place| &keys[*place])),
        });
        let requests: Vec<Request> = requests.collect();
        let deadline = self.servers.deadline();
        let replies = self.servers.read_all(&requests, deadline, |part, reply| {
            let count = parts[part].1.len();
            unless_split(accepted(reply).and_then(|reply| all_found(reply, count)))
        })?;
        let mut values: Vec<Option<Value>> = keys.iter().map(|_| None).collect();
        let mut alone = Vec::new();
        for ((_, places), replies) in parts.into_iter().zip(replies) {
            let Some(replies) = replies else {
                alone.extend(places);
                continue;
            };
            for (place, bytes) in places.into_iter().zip(replies) {
                values[place] = bytes.map(|bytes| value(&keys[place], &bytes));
            }
        }
        let gets = alone.iter().map(|place| self.locks.get(&keys[*place]));
        let gets: Vec<Request> = gets.collect();
        let replies = self
            .servers
            .read_all(&gets, deadline, |_, reply| found(reply))?;
        for (place, bytes) in alone.into_iter().zip(replies) {
            values[place] = bytes.map(|bytes| value(&keys[place], &bytes));
        }
        Ok(values)
    }

    fn entry<'e>(&self, key: &'e Key<'_>, value: &'e Value, lease: &Lease) -> Result<Entry<'e>> {
        Ok(Entry {
            key,
            bytes: bytes(value)?,
            milliseconds: self.milliseconds(value),
            token: token(lease),
        })
    }

    /// For how long the server is to keep it; 0: for ever.
    fn milliseconds(&self, value: &Value) -> u64 {
        const MILLISECOND: u64 = 1_000_000;
        match (&self.expiry, value.keep_until()) {
            (Expiry::Never, _) | (Expiry::KeepUntil, 0) => 0,
            (Expiry::After(time), _) => u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1),
            (Expiry::KeepUntil, until) => until
                .saturating_sub(self.host.now())
                .div_ceil(MILLISECOND)
                .max(1),
        }
    }
}

fn value(key: &Key<'_>, bytes: &[u8]) -> Value {
    Value::copied(&Metadata::default(), *key, bytes)
}

fn bytes(value: &Value) -> Result<&[u8]> {
    value.as_bytes().ok_or_else(|| {
        Error::new(
            ErrorKind::Refused,
            "an object of the program cannot be stored in a server",
        )
    })
}

fn get_one(on: &mut Connection, key: &Key<'_>, command: &Cmd) -> Answer<Option<Value>> {
    match on.text(command, |bytes| bytes.map(|bytes| value(key, bytes))) {
        Err(failure) if is_no_value(&failure) => Ok(None),
        answer => answer,
    }
}

fn get_multi(on: &mut Connection, keys: &[Key]) -> Answer<Vec<Option<Value>>> {
    let mut found = Vec::with_capacity(keys.len());
    on.texts(&mget(keys.iter()), keys.len(), |bytes| {
        let key = &keys[found.len()];
        found.push(bytes.map(|bytes| value(key, bytes)));
    })?;
    Ok(found)
}

fn mget<'k>(keys: impl Iterator<Item = &'k Key<'k>> + Clone) -> Cmd {
    let (count, length) = keys.clone().fold((1, 4), |(count, length), key| {
        (count + 1, length + key.len())
    });
    let mut command = Cmd::with_capacity(count, length);
    command.arg("MGET");
    for key in keys {
        command.arg(key.as_str());
    }
    command
}

fn all_found(reply: redis::Value, count: usize) -> Answer<Vec<Option<Vec<u8>>>> {
    match reply {
        redis::Value::Array(replies) if replies.len() == count => {
            replies.into_iter().map(found).collect()
        }
        _ => Err(Failure::Nonsense),
    }
}
