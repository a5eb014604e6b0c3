//! One of everything that a plugin can hold. Built with this plugin interface, and with a later one that has something
//! appended everywhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dogpile_plugin_api as api;
use dogpile_plugin_api::{
    Backend, BackendStats, Error, ErrorKind, Guarded, HostContext, Key, KeyMangler, Lease,
    NoArguments, Proxied, Proxy, Result, TemplateCache, TemplateEntry, TemplateRequest, Value,
    export_plugin,
};

/// Keeps values. Some keys have an answer of their own.
struct Whole {
    host: HostContext,
    values: Mutex<HashMap<String, Value>>,
    held: Arc<Mutex<Option<Lease>>>,
}

impl Backend for Whole {
    type Arguments = NoArguments;

    fn open(_: NoArguments, host: &HostContext) -> Result<Self> {
        Ok(Self {
            host: *host,
            values: Mutex::default(),
            held: Arc::default(),
        })
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        match key.as_str() {
            "error" => Err(error()),
            "host" => Ok(Some(told(&format!(
                "{} {}",
                self.host.plugin(),
                host(&self.host)
            )))),
            key => {
                let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(values.get(key).cloned())
            }
        }
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        if value.key() != key.as_str() {
            return Err(Error::new(ErrorKind::Refused, "the value is another key's"));
        }
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.insert(key.to_string(), value.clone());
        Ok(())
    }

    fn delete(&self, key: &Key) -> Result<()> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.remove(key.as_str());
        Ok(())
    }

    fn stats(&self) -> Result<BackendStats> {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stats = BackendStats::default();
        stats.entries = Some(values.len() as u64);
        #[cfg(feature = "newer")]
        {
            stats.appended = 7;
        }
        Ok(stats)
    }

    fn exclusive(&self) -> bool {
        true
    }

    fn mutex(&self, _: &Key) -> Result<Option<Box<dyn api::Mutex>>> {
        Ok(Some(Box::new(Held(Arc::clone(&self.held)))))
    }

    fn set_guarded(&self, key: &Key, value: &Value, lease: &Lease) -> Result<Guarded> {
        let held = *self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none_or(|held| held.token != lease.token) {
            return Ok(Guarded::LeaseLost);
        }
        self.set(key, value).map(|()| Guarded::Stored)
    }

    #[cfg(feature = "newer")]
    fn appended(&self, key: &Key) -> Result<Option<Value>> {
        Ok(Some(told(&format!("appended {key}"))))
    }
}

fn told(text: &str) -> Value {
    Value::from(text.as_bytes())
}

#[cfg(not(feature = "newer"))]
fn error() -> Error {
    Error::new(ErrorKind::Refused, "of a kind that all know")
}

#[cfg(feature = "newer")]
fn error() -> Error {
    Error::new(ErrorKind::Appended, "of a kind that is new")
}

#[cfg(not(feature = "newer"))]
fn host(host: &HostContext) -> String {
    format!("{}", host.now() > 0)
}

#[cfg(feature = "newer")]
fn host(host: &HostContext) -> String {
    format!("{} {:?}", host.now() > 0, host.appended())
}

/// One for all keys.
struct Held(Arc<Mutex<Option<Lease>>>);

impl api::Mutex for Held {
    fn try_acquire(&self, _: Duration) -> Result<Option<Lease>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_some() {
            return Ok(None);
        }
        *held = Some(Lease::new([7; 16], 0).tagged(7));
        Ok(*held)
    }

    fn wait(&self, _: Duration) -> Result<()> {
        Ok(())
    }

    fn renew(&self, lease: &mut Lease) -> Result<bool> {
        Ok(lease.tag == 7)
    }

    fn release(&self, _: Lease) -> Result<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    fn is_locked(&self) -> Result<bool> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(held.is_some())
    }
}

/// Asks for what may not be there.
struct Around(Proxied);

impl Proxy for Around {
    type Arguments = NoArguments;

    fn open(_: NoArguments, proxied: Proxied, _: &HostContext) -> Result<Self> {
        Ok(Self(proxied))
    }

    fn proxied(&self) -> &Proxied {
        &self.0
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        #[cfg(feature = "newer")]
        if key.as_str() == "appended" {
            return self.0.appended(key);
        }
        #[cfg(feature = "newer")]
        if key.as_str() == "appended to the mutex" {
            let mutex = self.0.mutex(key)?.expect("it has one");
            let before = mutex.appended()?;
            let lease = mutex.try_acquire(Duration::ZERO)?.expect("it is free");
            let told = told(&format!(
                "{before} {} {}",
                mutex.appended()?,
                lease.appended()
            ));
            mutex.release(lease)?;
            return Ok(Some(told));
        }
        let got = self.0.get(key)?;
        let around = |value: Value| {
            let bytes = value.as_bytes().unwrap_or_default();
            Value::from([b"around ", bytes].concat())
        };
        Ok(got.map(around))
    }
}

struct Prefix;

impl KeyMangler for Prefix {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self)
    }

    fn mangle(&self, key: &str) -> Result<String> {
        Ok(format!("m:{key}"))
    }
}

struct Pages;

impl TemplateCache for Pages {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self)
    }

    fn key_for<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<TemplateEntry<'a>> {
        #[cfg(feature = "newer")]
        assert_eq!(request.appended(), 0, "the host has not given it");
        Ok(TemplateEntry::asked(request, "pages"))
    }
}

export_plugin! {
    backends: { "whole" => Whole },
    manglers: { "whole" => Prefix },
    proxies: { "whole" => Around },
    template_caches: { "whole" => Pages },
}
