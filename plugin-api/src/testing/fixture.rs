use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::{Offered, TestHost, host};
use crate::{
    BackendInstance, Error, ErrorKind, Metadata, Mutex, OwnedKey, Plugin, Result, Storage, Value,
};

/// A case: what must hold, and how it is looked at.
pub(super) type Case = (&'static str, fn(&Fixture) -> Ended);

/// A case that ends its instance itself.
pub(super) type OwnCase = (&'static str, fn(Fixture) -> Ended);

/// How a case ends early.
pub(super) enum Stop {
    Failed(String),
    NotSupported(String),
    Skipped(String),
}

pub(super) type Ended = std::result::Result<(), Stop>;

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(format!("a call failed [{}]: {error}", error.kind().code()))
    }
}

/// Ends the case as failed unless `holds`.
pub(super) fn check(holds: bool, found: impl fmt::Display) -> Ended {
    if holds {
        Ok(())
    } else {
        Err(Stop::Failed(found.to_string()))
    }
}

/// How the case of a thread ended.
pub(super) fn joined(thread: thread::Result<Ended>) -> Ended {
    thread.unwrap_or_else(|_| Err(Stop::Failed(String::from("a thread panicked"))))
}

/// Ends the case as not supported.
pub(super) fn not_supported<T>(what: impl fmt::Display) -> std::result::Result<T, Stop> {
    Err(Stop::NotSupported(what.to_string()))
}

/// Ends the case as skipped.
pub(super) fn skipped<T>(why: impl fmt::Display) -> std::result::Result<T, Stop> {
    Err(Stop::Skipped(why.to_string()))
}

/// A fresh instance for a case, and keys of its own.
pub(super) struct Fixture {
    pub(super) backend: BackendInstance,
    pub(super) host: TestHost,
    subject: Arc<Subject>,
    prefix: String,
    keeps: bool,
}

/// What is looked at: a backend, and the proxies around it. It is owned, since a thread that hangs keeps it.
pub(super) struct Subject {
    backend: Owned,
    proxies: Vec<Owned>,
    /// Values are not longer than so many bytes.
    pub(super) largest_value: usize,
}

struct Owned {
    plugin: Plugin,
    name: String,
    arguments: String,
}

impl Owned {
    fn of(offered: &Offered<'_>) -> Self {
        Self {
            plugin: offered.plugin,
            name: offered.name.to_owned(),
            arguments: offered.arguments.to_owned(),
        }
    }

    fn offered<'a>(&'a self, arguments: Option<&'a str>) -> Offered<'a> {
        Offered {
            plugin: self.plugin,
            name: &self.name,
            arguments: arguments.unwrap_or(&self.arguments),
        }
    }
}

impl Subject {
    pub(super) fn new(backend: Offered<'_>, proxies: &[Offered<'_>], largest_value: usize) -> Self {
        Self {
            backend: Owned::of(&backend),
            proxies: proxies.iter().map(Owned::of).collect(),
            largest_value,
        }
    }

    pub(super) fn title(&self) -> String {
        let parts = self.proxies.iter().chain([&self.backend]);
        let names: Vec<_> = parts.map(|part| &*part.name).collect();
        names.join(" > ")
    }

    /// With these arguments of the backend, or its own.
    fn open(&self, host: &TestHost, arguments: Option<&str>) -> Result<BackendInstance> {
        let proxies: Vec<_> = self.proxies.iter().map(|one| one.offered(None)).collect();
        host.open(self.backend.offered(arguments), &proxies)
    }
}

/// What a first look finds.
#[derive(Clone, Copy)]
pub(super) struct Traits {
    /// Whether the storage keeps anything at all.
    pub(super) keeps: bool,
    /// Whether only one instance may be open.
    pub(super) exclusive: bool,
}

impl Fixture {
    pub(super) fn open(subject: &Arc<Subject>, keeps: bool) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let host = host();
        // No other run, before or beside this one, has these keys.
        let prefix = format!(
            "conformance:{:x}:{:x}:{:x}:",
            host.context().now(),
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        Ok(Self {
            backend: subject.open(&host, None)?,
            host,
            subject: Arc::clone(subject),
            prefix,
            keeps,
        })
    }

    /// Looks at the backend for the first time. A storage that keeps nothing must say so.
    pub(super) fn probe(&self) -> Result<Traits> {
        let key = self.key("probe");
        self.set(&key, b"probe")?;
        let found = self.get(&key)?.is_some();
        let keeps = found || self.backend.stats()?.entries != Some(0);
        self.backend.delete(&key.as_key())?;
        let exclusive = self.backend.properties().exclusive;
        self.backend.close()?;
        Ok(Traits { keeps, exclusive })
    }

    /// Closes the instance, and opens another in its place.
    pub(super) fn reopened(self) -> Result<Self> {
        self.backend.close()?;
        drop(self.backend);
        Ok(Self {
            backend: self.subject.open(&self.host, None)?,
            ..self
        })
    }

    /// Another instance with these arguments, or others.
    pub(super) fn another(&self, arguments: Option<&str>) -> Result<BackendInstance> {
        self.subject.open(&self.host, arguments)
    }

    pub(super) fn arguments(&self) -> &str {
        &self.subject.backend.arguments
    }

    /// Values are not longer than so many bytes.
    pub(super) fn largest_value(&self) -> usize {
        self.subject.largest_value
    }

    /// Whether the storage keeps anything at all.
    pub(super) fn keeps(&self) -> bool {
        self.keeps
    }

    pub(super) fn key(&self, text: &str) -> OwnedKey {
        self.host.key(format!("{}{text}", self.prefix))
    }

    /// A key of exactly so many bytes: `fill`, over and over, and `end`.
    pub(super) fn key_of_length(&self, length: usize, fill: &str, end: &str) -> OwnedKey {
        let room = length.saturating_sub(self.prefix.len() + end.len());
        let (times, rest) = (room / fill.len(), room % fill.len());
        self.key(&format!("{}{}{end}", "-".repeat(rest), fill.repeat(times)))
    }

    /// How a report calls a key: without what is before it in each, and not at its full length.
    pub(super) fn named(&self, key: &OwnedKey) -> String {
        const LONGEST: usize = 40;
        let key = key.as_key();
        let own = key.strip_prefix(&*self.prefix).unwrap_or(&key);
        match own.char_indices().nth(LONGEST) {
            None => format!("key {own:?}"),
            Some((end, _)) => format!("key {:?}… of {} bytes", &own[..end], key.len()),
        }
    }

    pub(super) fn value(&self, key: &OwnedKey, bytes: &[u8]) -> Value {
        let now = self.host.context().now();
        let metadata = Metadata {
            created: now,
            started: now,
            keep_until: 0,
            weight: 0,
        };
        Value::copied(&metadata, key.as_key(), bytes)
    }

    pub(super) fn set(&self, key: &OwnedKey, bytes: &[u8]) -> Result<()> {
        self.backend.set(&key.as_key(), &self.value(key, bytes))
    }

    pub(super) fn get(&self, key: &OwnedKey) -> Result<Option<Value>> {
        self.backend.get(&key.as_key())
    }

    /// Stores where the storage may say that it cannot hold such a key or value; false if it does.
    pub(super) fn set_unless_refused(&self, key: &OwnedKey, bytes: &[u8]) -> Result<bool> {
        match self.set(key, bytes) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Refused => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// `key` has these bytes, if the storage keeps anything.
    pub(super) fn expect(&self, key: &OwnedKey, bytes: &[u8]) -> Ended {
        self.same(self.get(key)?.as_ref(), bytes, self.named(key))
    }

    /// `found` is these bytes, or nothing if the storage keeps nothing.
    pub(super) fn same(
        &self,
        found: Option<&Value>,
        bytes: &[u8],
        what: impl fmt::Display,
    ) -> Ended {
        if !self.keeps {
            return check(
                found.is_none(),
                format_args!("{what}: found a value in a storage that keeps nothing"),
            );
        }
        let Some(found) = found else {
            return check(false, format_args!("{what}: stored, and not found"));
        };
        let Some(found) = found.as_bytes() else {
            return check(
                false,
                format_args!("{what}: bytes were stored, an object was found"),
            );
        };
        if found == bytes {
            return Ok(());
        }
        let at = found
            .iter()
            .zip(bytes)
            .position(|(found, stored)| found != stored)
            .unwrap_or(found.len().min(bytes.len()));
        check(
            false,
            format_args!(
                "{what}: stored {} bytes, found {}, which differ from byte {at} on",
                bytes.len(),
                found.len()
            ),
        )
    }

    pub(super) fn absent(&self, key: &OwnedKey) -> Ended {
        check(
            self.get(key)?.is_none(),
            format_args!("{}: found, where nothing should be", self.named(key)),
        )
    }

    pub(super) fn holds_objects(&self) -> bool {
        self.backend.properties().storage == Storage::Objects
    }

    /// The mutex of `key`, or the end of the case.
    pub(super) fn mutex(&self, key: &OwnedKey) -> std::result::Result<Box<dyn Mutex>, Stop> {
        match self.backend.mutex(&key.as_key())? {
            Some(mutex) => Ok(mutex),
            None => not_supported("this backend has no mutex"),
        }
    }
}
