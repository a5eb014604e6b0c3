use std::collections::HashMap;
use std::sync::Mutex as Lock;

use dogpile_plugin_api::{
    Backend, BackendStats, Guarded, HostContext, Key, Lease, Metadata, Mutex, Object, Result,
    Storage, Value,
};

use crate::lie::{Arguments, not_utf8};
use crate::mutex;
use crate::raw;

/// A map.
pub(crate) struct Lies {
    arguments: Arguments,
    entries: Lock<HashMap<String, Value>>,
}

impl Lies {
    fn of(&self, key: &Key) -> Option<Value> {
        self.entries.lock().unwrap().get(key.as_str()).cloned()
    }

    fn all<T>(&self, method: &str, keys: impl Iterator<Item = T>) -> Vec<T> {
        let mut all: Vec<T> = keys.collect();
        if self.arguments.is("fewer", method) {
            all.pop();
        }
        all
    }

    fn put(&self, key: &Key, value: &Value) {
        self.entries
            .lock()
            .unwrap()
            .insert(key.to_string(), value.clone());
    }
}

impl Backend for Lies {
    type Arguments = Arguments;

    fn open(arguments: Arguments, _: &HostContext) -> Result<Self> {
        arguments.tell("open");
        Ok(Self {
            arguments,
            entries: Lock::default(),
        })
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        self.arguments.tell("get");
        if self.arguments.is("own_object", "get") {
            let object = Object::new(&Metadata::default(), *key, 7_u8);
            return Ok(Some(object.into_value()));
        }
        Ok(self.of(key))
    }

    fn get_fresh(&self, key: &Key) -> Result<Option<Value>> {
        self.arguments.tell("get_fresh");
        Ok(self.of(key))
    }

    fn get_multi(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        self.arguments.tell("get_multi");
        let mut all = self.all("get_multi", keys.iter().map(|key| self.of(key)));
        if self.arguments.is("more", "get_multi") {
            all.push(None);
        }
        Ok(all)
    }

    fn get_multi_fresh(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        self.arguments.tell("get_multi_fresh");
        Ok(self.all("get_multi_fresh", keys.iter().map(|key| self.of(key))))
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        self.arguments.tell("set");
        self.put(key, value);
        Ok(())
    }

    fn set_multi(&self, entries: &[(Key, Value)]) -> Result<()> {
        self.arguments.tell("set_multi");
        entries.iter().for_each(|(key, value)| self.put(key, value));
        Ok(())
    }

    fn set_guarded(&self, key: &Key, value: &Value, _: &Lease) -> Result<Guarded> {
        self.arguments.tell("set_guarded");
        self.put(key, value);
        Ok(Guarded::Stored)
    }

    fn set_guarded_multi(&self, entries: &[(Key, Value, Lease)]) -> Result<Vec<Guarded>> {
        self.arguments.tell("set_guarded_multi");
        let stored = entries.iter().map(|(key, value, _)| {
            self.put(key, value);
            Guarded::Stored
        });
        Ok(self.all("set_guarded_multi", stored))
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.arguments.tell("delete");
        self.entries.lock().unwrap().remove(key.as_str());
        Ok(())
    }

    fn delete_multi(&self, keys: &[Key]) -> Result<()> {
        self.arguments.tell("delete_multi");
        keys.iter().try_for_each(|key| self.delete(key))
    }

    fn clear(&self) -> Result<()> {
        self.arguments.tell("clear");
        self.entries.lock().unwrap().clear();
        Ok(())
    }

    fn ping(&self) -> Result<()> {
        self.arguments.tell("ping");
        Ok(())
    }

    /// As evictions, how many values that it made by hand were destroyed.
    fn stats(&self) -> Result<BackendStats> {
        self.arguments.tell("stats");
        let mut stats = BackendStats::default();
        stats.evictions = Some(raw::destroyed());
        Ok(stats)
    }

    fn close(&self) -> Result<()> {
        self.arguments.tell("close");
        Ok(())
    }

    fn storage(&self) -> Storage {
        self.arguments.tell("storage");
        Storage::Bytes
    }

    fn blocking(&self) -> bool {
        self.arguments.tell("blocking");
        true
    }

    fn exclusive(&self) -> bool {
        self.arguments.tell("exclusive");
        false
    }

    fn shared(&self) -> bool {
        self.arguments.tell("shared");
        false
    }

    fn mutex(&self, _: &Key) -> Result<Option<Box<dyn Mutex>>> {
        self.arguments.tell("mutex");
        Ok(Some(Box::new(mutex::Lies::new(&self.arguments))))
    }

    fn key_mangler(&self) -> Option<&str> {
        self.arguments.tell("key_mangler");
        if self.arguments.is("not_utf8", "key_mangler") {
            return Some(not_utf8());
        }
        None
    }

    fn reconfigure(&self, _: &Arguments) -> Result<bool> {
        self.arguments.tell("reconfigure");
        Ok(false)
    }
}

impl Drop for Lies {
    fn drop(&mut self) {
        self.arguments.tell("drop");
    }
}
