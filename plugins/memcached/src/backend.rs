use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use dogpile_net::doubtful::Doubtful;
use dogpile_net::endpoint::{Endpoint, Place};
use dogpile_net::seconds::Seconds;
use dogpile_net::tls::{Files, Tls};
use dogpile_plugin_api::{
    Backend, Error, ErrorKind, Guarded, HostContext, Key, Lease, Metadata, Mutex, Result, Value,
};

use crate::arguments::{self, MemcachedArguments, TlsFiles};
use crate::command::{Command, Item, Store, When};
use crate::deletions;
use crate::exchange::Retries;
use crate::guarded::{self, Entry};
use crate::key_mutex::KeyMutex;
use crate::keys;
use crate::kinds::{Bmemcached, Kind, Pylibmc, PythonMemcached, Ways};
use crate::locks::Locks;
use crate::server::Server;
use crate::servers::Servers;
use crate::target::{Login, Protocol, Target};
use crate::token;
use crate::ttl;
use crate::values::{self, Form, LARGEST};

/// The backend `memcached`: in the place of python-memcached and pymemcache.
pub type Memcached = Backed<PythonMemcached>;

/// The backend `memcached_ketama`: in the place of pylibmc.
pub type MemcachedKetama = Backed<Pylibmc>;

/// The backend `memcached_binary`: in the place of python-binary-memcached.
pub type MemcachedBinary = Backed<Bmemcached>;

/// All backends here, which differ in the client of Python's in whose place they are. Its methods block for the servers,
/// at most for `socket_timeout`.
pub struct Backed<K> {
    servers: Arc<Servers>,
    host: HostContext,
    locks: Arc<Locks>,
    distributed_lock: bool,
    /// How long the servers keep what is stored, whatever it is.
    expire_time: Option<Duration>,
    form: Form,
    /// `socket_timeout`.
    longest_call: Duration,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> Backend for Backed<K> {
    type Arguments = MemcachedArguments;

    /// Connects to nothing: a server that is down then is one that is down later.
    fn open(arguments: MemcachedArguments, host: &HostContext) -> Result<Self> {
        arguments.check()?;
        let ways = K::ways(&arguments)?;
        let form = Form {
            bytes: ways.flags,
            min_compress_len: arguments.min_compress_len,
        };
        let can_look = ways.protocol == Protocol::Text;
        let servers = Arc::new(servers(&arguments, ways)?);
        let locks = Locks {
            servers: Arc::clone(&servers),
            host: *host,
            flags: form.bytes,
            can_look,
            doubtful: Doubtful::default(),
        };
        Ok(Self {
            servers,
            host: *host,
            locks: Arc::new(locks),
            distributed_lock: arguments.distributed_lock,
            expire_time: arguments.memcached_expire_time.map(Seconds::duration),
            form,
            longest_call: arguments.socket_timeout.duration(),
            kind: PhantomData,
        })
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        keys::check(key)?;
        let mut items = self.servers.call().get(&[key.as_str()])?;
        Ok(items.pop().flatten().map(|item| value(key, item)))
    }

    fn get_multi(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        let items = self.servers.call().get_what_can_be(&checked(keys)?)?;
        Ok(values(keys, items))
    }

    fn get_multi_fresh(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        let items = self.servers.call().get(&checked(keys)?)?;
        Ok(values(keys, items))
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        self.servers.call().change(&[self.store(key, value)?])
    }

    /// All at once. Some may be stored where others are refused.
    fn set_multi(&self, entries: &[(Key, Value)]) -> Result<()> {
        let stores: Result<Vec<_>> = entries
            .iter()
            .map(|(key, value)| self.store(key, value))
            .collect();
        self.servers.call().change(&stores?)
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.delete_multi(&[*key])
    }

    fn delete_multi(&self, keys: &[Key]) -> Result<()> {
        let texts = checked(keys)?;
        let call = self.servers.call();
        let noted = if self.distributed_lock {
            deletions::note(&call, &texts)
        } else {
            Ok(())
        };
        let all: Vec<_> = texts
            .iter()
            .map(|key| Command::Delete { key, cas: None })
            .collect();
        call.change(&all)?;
        noted
    }

    fn clear(&self) -> Result<()> {
        Err(Error::unsupported(
            "memcached cannot tell what a region stored, and can forget everything only, with all locks: invalidate \
             the region",
        ))
    }

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
        let entry = self.entry(key, value, lease)?;
        let mut outcomes = guarded::store(&self.servers.call(), &[entry])?;
        Ok(outcomes.pop().unwrap_or(Guarded::LeaseLost))
    }

    fn set_guarded_multi(&self, entries: &[(Key, Value, Lease)]) -> Result<Vec<Guarded>> {
        let entries: Result<Vec<_>> = entries
            .iter()
            .map(|(key, value, lease)| self.entry(key, value, lease))
            .collect();
        guarded::store(&self.servers.call(), &entries?)
    }
}

impl<K> Backed<K> {
    fn store<'a>(&self, key: &'a Key<'_>, value: &'a Value) -> Result<Command<'a>> {
        keys::check(key)?;
        let (bytes, flags) = self.form.write(bytes(value)?);
        Ok(Command::Store(Store {
            key: key.as_str(),
            bytes,
            flags,
            ttl: self.ttl(value),
            when: When::Always,
        }))
    }

    fn entry<'a>(&self, key: &'a Key<'_>, value: &'a Value, lease: &Lease) -> Result<Entry<'a>> {
        let (bytes, flags) = self.form.write(bytes(value)?);
        Ok(Entry {
            key: key.as_str(),
            lock: keys::lock(key)?,
            token: token::text(&lease.token),
            bytes,
            flags,
            ttl: self.ttl(value),
        })
    }

    /// For how long the servers are to keep it.
    fn ttl(&self, value: &Value) -> u32 {
        match (self.expire_time, value.keep_until()) {
            (Some(time), _) if time.is_zero() => 0,
            (Some(time), _) => ttl::ttl(time.as_secs() + u64::from(time.subsec_nanos() > 0)),
            (None, 0) => 0,
            (None, until) => ttl::ttl(ttl::until(until, self.host.now())),
        }
    }
}

fn servers(arguments: &MemcachedArguments, ways: Ways) -> Result<Servers> {
    let tls = tls(arguments.tls.as_ref())?;
    let login = arguments.username.clone().zip(arguments.password.clone());
    let login = login.map(|(username, password)| Login { username, password });
    let most = arguments.max_connections.get();
    let dead_retry = arguments
        .dead_retry
        .map_or(ways.dead_retry, Seconds::duration);
    let all = arguments.url.0.iter().map(|address| {
        if tls.is_some() && matches!(address.place, Place::Unix(_)) {
            return Err(Error::argument("tls", "there is no TLS on a Unix socket"));
        }
        let target = Target {
            endpoint: Endpoint {
                place: address.place.clone(),
                tls: tls.clone(),
                connect_timeout: arguments.socket_connect_timeout.duration(),
                keepalive: arguments.socket_keepalive,
            },
            protocol: ways.protocol,
            login: login.clone(),
        };
        Ok(Server::new(target, most, dead_retry))
    });
    Ok(Servers {
        all: all.collect::<Result<_>>()?,
        placement: ways.placement,
        timeout: arguments.socket_timeout.duration(),
        retries: Retries {
            attempts: arguments.retry_attempts,
            pause: arguments
                .retry_delay
                .map_or(Duration::ZERO, Seconds::duration),
        },
    })
}

fn tls(tls: Option<&arguments::Tls>) -> Result<Option<Tls>> {
    let none = TlsFiles::default();
    let files = match tls {
        None | Some(arguments::Tls::Is(false)) => return Ok(None),
        Some(arguments::Tls::Is(true)) => &none,
        Some(arguments::Tls::With(files)) => files,
    };
    let files = Files {
        tls: "tls",
        authorities: ("tls.ca", files.ca.as_deref()),
        certificate: ("tls.certificate", files.certificate.as_deref()),
        key: ("tls.key", files.key.as_deref()),
    };
    // memcached gives tickets, and a fatal alert to who comes back with one and a certificate. Connections are kept here,
    // so that few would.
    Ok(Some(Tls::new(&files)?.without_resumption()))
}

fn checked<'k>(keys: &'k [Key<'_>]) -> Result<Vec<&'k str>> {
    keys.iter()
        .map(|key| keys::check(key).map(|()| key.as_str()))
        .collect()
}

fn value(key: &Key<'_>, item: Item) -> Value {
    Value::with(&Metadata::default(), *key, values::read(item))
}

fn values(keys: &[Key<'_>], items: Vec<Option<Item>>) -> Vec<Option<Value>> {
    let items = keys.iter().zip(items);
    items
        .map(|(key, item)| item.map(|item| value(key, item)))
        .collect()
}

fn bytes(value: &Value) -> Result<&[u8]> {
    let refused = |why| Error::new(ErrorKind::Refused, why);
    match value.as_bytes() {
        Some(bytes) if bytes.len() > LARGEST => Err(refused(
            "no server holds a value of more than 1 GiB: store it in parts",
        )),
        Some(bytes) => Ok(bytes),
        None => Err(refused(
            "an object of the program cannot be stored in a server",
        )),
    }
}
