use std::fmt;
use std::time::{Duration, Instant};

use dogpile_plugin_api::schemars;
use dogpile_plugin_api::serde::{self, Deserialize, Serialize};
use dogpile_plugin_api::tracing::{self, event};
use dogpile_plugin_api::{
    BackendStats, Guarded, HostContext, JsonSchema, Key, Lease, Mutex, Proxied, Proxy, Result,
    Value,
};

/// The longest piece of keys that is logged, in characters.
const SHOWN: usize = 300;

/// The proxy `log`.
pub struct Log {
    proxied: Proxied,
    level: Level,
}

/// The arguments of `log`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields, default)]
#[schemars(crate = "schemars")]
pub struct LogArguments {
    /// The level of its records.
    pub level: Level,
}

/// The level of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "lowercase")]
#[schemars(crate = "schemars")]
#[expect(missing_docs, reason = "the words of every logger")]
pub enum Level {
    Error,
    Warn,
    Info,
    #[default]
    Debug,
    Trace,
}

impl Level {
    /// Makes a call and logs it.
    fn log<T>(
        self,
        method: &str,
        keys: &dyn Fn() -> String,
        call: impl FnOnce() -> Result<T>,
        outcome: impl FnOnce(&T) -> String,
    ) -> Result<T> {
        if !self.is_enabled() {
            return call();
        }
        let began = Instant::now();
        let result = call();
        let elapsed = began.elapsed();
        let outcome = match &result {
            Ok(value) => outcome(value),
            Err(error) => format!("failed: {error}"),
        };
        self.record(method, &keys(), &outcome, elapsed);
        result
    }

    fn is_enabled(self) -> bool {
        match self {
            Self::Error => tracing::enabled!(tracing::Level::ERROR),
            Self::Warn => tracing::enabled!(tracing::Level::WARN),
            Self::Info => tracing::enabled!(tracing::Level::INFO),
            Self::Debug => tracing::enabled!(tracing::Level::DEBUG),
            Self::Trace => tracing::enabled!(tracing::Level::TRACE),
        }
    }

    fn record(self, method: &str, keys: &str, outcome: &str, elapsed: Duration) {
        // A level must be known where a record is written.
        macro_rules! record {
            ($level:ident) => {
                event!(
                    tracing::Level::$level,
                    key = keys,
                    outcome,
                    ?elapsed,
                    "{method}"
                )
            };
        }
        match self {
            Self::Error => record!(ERROR),
            Self::Warn => record!(WARN),
            Self::Info => record!(INFO),
            Self::Debug => record!(DEBUG),
            Self::Trace => record!(TRACE),
        }
    }
}

impl Log {
    fn one<T>(
        &self,
        method: &str,
        key: &Key<'_>,
        call: impl FnOnce(&Proxied) -> Result<T>,
        outcome: impl FnOnce(&T) -> String,
    ) -> Result<T> {
        let keys = || cut([key.as_str()].into_iter());
        self.level
            .log(method, &keys, || call(&self.proxied), outcome)
    }

    fn whole<T>(
        &self,
        method: &str,
        call: impl FnOnce(&Proxied) -> Result<T>,
        outcome: impl FnOnce(&T) -> String,
    ) -> Result<T> {
        self.level
            .log(method, &String::new, || call(&self.proxied), outcome)
    }
}

/// Keys, separated by blanks, as far as they are shown.
fn cut<'a>(keys: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    let mut left = SHOWN;
    for key in keys {
        if !text.is_empty() {
            text.push(' ');
        }
        for shown in key.chars() {
            if left == 0 {
                text.push('…');
                return text;
            }
            text.push(shown);
            left -= 1;
        }
    }
    text
}

fn found(value: Option<&Value>) -> String {
    value.map_or_else(|| String::from("nothing"), sized)
}

fn counted(values: &[Option<Value>]) -> String {
    let found = values.iter().flatten().count();
    format!("{found} of {}", values.len())
}

fn sized(value: &Value) -> String {
    match value.as_bytes() {
        Some(bytes) => format!("{} B", bytes.len()),
        None => String::from("an object"),
    }
}

fn done<T>(_: &T) -> String {
    String::from("done")
}

fn shown<T: fmt::Debug>(value: &T) -> String {
    format!("{value:?}")
}

impl Proxy for Log {
    type Arguments = LogArguments;

    fn open(arguments: LogArguments, proxied: Proxied, _: &HostContext) -> Result<Self> {
        Ok(Self {
            proxied,
            level: arguments.level,
        })
    }

    fn proxied(&self) -> &Proxied {
        &self.proxied
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        self.one(
            "get",
            key,
            |inner| inner.get(key),
            |got| found(got.as_ref()),
        )
    }

    fn get_fresh(&self, key: &Key) -> Result<Option<Value>> {
        self.one(
            "get_fresh",
            key,
            |inner| inner.get_fresh(key),
            |got| found(got.as_ref()),
        )
    }

    fn get_multi(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        let names = || cut(keys.iter().map(Key::as_str));
        let call = || self.proxied.get_multi(keys);
        self.level
            .log("get_multi", &names, call, |got| counted(got))
    }

    fn get_multi_fresh(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        let names = || cut(keys.iter().map(Key::as_str));
        let call = || self.proxied.get_multi_fresh(keys);
        self.level
            .log("get_multi_fresh", &names, call, |got| counted(got))
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        let outcome = |(): &()| format!("stored {}", sized(value));
        self.one("set", key, |inner| inner.set(key, value), outcome)
    }

    fn set_guarded(&self, key: &Key, value: &Value, lease: &Lease) -> Result<Guarded> {
        let call = |inner: &Proxied| inner.set_guarded(key, value, lease);
        let outcome = |guarded: &Guarded| match guarded {
            Guarded::Stored => format!("stored {}", sized(value)),
            Guarded::LeaseLost => String::from("lease lost"),
            Guarded::Deleted => String::from("deleted meanwhile"),
        };
        self.one("set_guarded", key, call, outcome)
    }

    fn set_guarded_multi(&self, entries: &[(Key, Value, Lease)]) -> Result<Vec<Guarded>> {
        let names = || cut(entries.iter().map(|(key, ..)| key.as_str()));
        let call = || self.proxied.set_guarded_multi(entries);
        let outcome = |guarded: &Vec<Guarded>| {
            let stored = guarded.iter().filter(|each| **each == Guarded::Stored);
            format!("stored {} of {}", stored.count(), guarded.len())
        };
        self.level.log("set_guarded_multi", &names, call, outcome)
    }

    fn set_multi(&self, entries: &[(Key, Value)]) -> Result<()> {
        let names = || cut(entries.iter().map(|(key, _)| key.as_str()));
        let call = || self.proxied.set_multi(entries);
        let outcome = |(): &()| format!("stored {}", entries.len());
        self.level.log("set_multi", &names, call, outcome)
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.one("delete", key, |inner| inner.delete(key), done)
    }

    fn delete_multi(&self, keys: &[Key]) -> Result<()> {
        let names = || cut(keys.iter().map(Key::as_str));
        let call = || self.proxied.delete_multi(keys);
        self.level.log("delete_multi", &names, call, done)
    }

    fn clear(&self) -> Result<()> {
        self.whole("clear", Proxied::clear, done)
    }

    fn ping(&self) -> Result<()> {
        self.whole("ping", Proxied::ping, done)
    }

    fn stats(&self) -> Result<BackendStats> {
        self.whole("stats", Proxied::stats, shown)
    }

    fn mutex(&self, key: &Key) -> Result<Option<Box<dyn Mutex>>> {
        let mutex = self.proxied.mutex(key)?;
        let (level, key) = (self.level, cut([key.as_str()].into_iter()));
        Ok(mutex.map(|mutex| Box::new(Logged { mutex, key, level }) as Box<dyn Mutex>))
    }
}

/// The mutex of a key.
struct Logged {
    mutex: Box<dyn Mutex>,
    key: String,
    level: Level,
}

impl Logged {
    fn log<T>(
        &self,
        method: &str,
        call: impl FnOnce(&dyn Mutex) -> Result<T>,
        outcome: impl FnOnce(&T) -> String,
    ) -> Result<T> {
        let key = || self.key.clone();
        self.level.log(method, &key, || call(&*self.mutex), outcome)
    }
}

impl Mutex for Logged {
    fn try_acquire(&self, lease: Duration) -> Result<Option<Lease>> {
        let outcome = |lease: &Option<Lease>| match lease {
            Some(_) => String::from("acquired"),
            None => String::from("held by another"),
        };
        self.log("try_acquire", |inner| inner.try_acquire(lease), outcome)
    }

    fn wait(&self, timeout: Duration) -> Result<()> {
        self.log("wait", |inner| inner.wait(timeout), done)
    }

    fn renew(&self, lease: &mut Lease) -> Result<bool> {
        let outcome = |held: &bool| if *held { "renewed" } else { "lost" }.to_owned();
        self.log("renew", |inner| inner.renew(lease), outcome)
    }

    fn release(&self, lease: Lease) -> Result<()> {
        self.log("release", |inner| inner.release(lease), done)
    }

    fn is_locked(&self) -> Result<bool> {
        self.log("is_locked", |inner| inner.is_locked(), shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_cut_at_characters() {
        assert_eq!(cut(["a", "b"].into_iter()), "a b");
        let long = "ä".repeat(301);
        let whole = format!("{}…", "ä".repeat(300));
        assert_eq!(cut([long.as_str()].into_iter()), whole);
        let fits = "ä".repeat(300);
        assert_eq!(cut([fits.as_str()].into_iter()), fits);
        assert_eq!(cut([fits.as_str(), "b"].into_iter()), format!("{fits} …"));
    }
}
