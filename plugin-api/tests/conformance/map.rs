use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use dogpile_plugin_api::serde::{self, Deserialize};
use dogpile_plugin_api::{
    self as api, Backend, BackendStats, Error, Guarded, HostContext, JsonSchema, Key, Lease,
    Result, Storage, Value, schemars,
};

use crate::bugs::Bug;
use crate::mutex::{Held, KeyMutex};

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(crate = "serde", default)]
#[schemars(crate = "schemars")]
pub(crate) struct Arguments {
    bug: Option<Bug>,
    storage: String,
    shared: bool,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            bug: None,
            storage: String::from("objects"),
            shared: false,
        }
    }
}

type Entries = Arc<Mutex<HashMap<String, Value>>>;

/// What all shared instances with a bug, or none, store.
static SHARED: Mutex<Vec<(Option<Bug>, Stored)>> = Mutex::new(Vec::new());

type Stored = (Entries, Arc<Held>);

/// A right and simple backend, unless it is told to have a bug.
pub(crate) struct Map {
    entries: Entries,
    firsts: Entries,
    held: Arc<Held>,
    host: HostContext,
    arguments: Arguments,
}

impl Map {
    fn has(&self, bug: Bug) -> bool {
        self.arguments.bug == Some(bug)
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Value>> {
        self.entries.lock().unwrap()
    }

    fn place(&self, key: &Key) -> String {
        // Behind the suite's own prefix.
        let (prefix, own) = key.split_at(key.rfind("::").map_or(0, |at| at + 2));
        match self.arguments.bug {
            Some(Bug::FoldsCase) => key.to_lowercase(),
            Some(Bug::AsciiKeys) => key.replace(|c: char| !c.is_ascii(), "?"),
            Some(Bug::TrimsKeys) => key.trim_end().to_owned(),
            Some(Bug::CutsKeys) => key.chars().take(200).collect(),
            Some(Bug::CutsKeysAt250) => key.chars().take(250).collect(),
            Some(Bug::TrustsHashes) => key.hash().to_string(),
            _ => format!("{prefix}{own}"),
        }
    }

    fn stored(&self, key: &Key, value: &Value) -> Option<Value> {
        let Some(bytes) = value.as_bytes() else {
            return Some(value.clone());
        };
        let bytes = match self.arguments.bug? {
            Bug::LosesEmpty if bytes.is_empty() => return None,
            // Where it fills whole chunks.
            Bug::DropsLastByte if bytes.len() % 65_536 == 0 => {
                bytes[..bytes.len().saturating_sub(1)].to_vec()
            }
            Bug::EndsAtZero => bytes.split(|byte| *byte == 0).next()?.to_vec(),
            Bug::TrimsValues => bytes.trim_ascii().to_vec(),
            Bug::AsciiValues => bytes.iter().map(|byte| byte & 0x7f).collect(),
            Bug::CutsAtBar => bytes.splitn(2, |byte| *byte == b'|').last()?.to_vec(),
            Bug::CutsAt64Ki => bytes[..bytes.len().min(65_535)].to_vec(),
            Bug::DamagesLong if bytes.len() > 100_000 => {
                let mut bytes = bytes.to_vec();
                bytes[99_999] ^= 1;
                bytes
            }
            Bug::ReadsNumbers if bytes == b"1e5" => b"100000".to_vec(),
            _ => bytes.to_vec(),
        };
        Some(Value::copied(&value.metadata(), *key, &bytes))
    }
}

impl Backend for Map {
    type Arguments = Arguments;

    fn open(arguments: Arguments, host: &HostContext) -> Result<Self> {
        let own = || (Entries::default(), Held::new(arguments.bug, *host));
        let (entries, held) = if arguments.shared {
            let mut shared = SHARED.lock().unwrap();
            let found = shared.iter().find(|(bug, _)| *bug == arguments.bug);
            let found = found.map(|(_, storage)| storage.clone());
            found.unwrap_or_else(|| {
                let storage = own();
                shared.push((arguments.bug, storage.clone()));
                storage
            })
        } else {
            own()
        };
        Ok(Self {
            entries,
            firsts: Entries::default(),
            held,
            host: *host,
            arguments,
        })
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        assert!(!self.has(Bug::Panics), "planted");
        let place = self.place(key);
        let mut entries = self.entries();
        let mut found = entries.get(&place).cloned();
        let ended = |value: &Value| value.is_unwanted(self.host.now());
        if !self.has(Bug::KeepsWhatEnded) && found.as_ref().is_some_and(ended) {
            entries.remove(&place);
            found = None;
        }
        drop(entries);
        Ok(match (found, self.arguments.bug) {
            (_, Some(Bug::ForgetsAll)) => None,
            (Some(value), Some(Bug::CopiesObjects)) if value.is_object() => {
                Some(Value::from(vec![]))
            }
            (Some(value), Some(Bug::DropsWhatEnds)) if value.keep_until() != 0 => None,
            (found, _) => found,
        })
    }

    fn get_fresh(&self, key: &Key) -> Result<Option<Value>> {
        if self.has(Bug::StaleFresh) {
            return Ok(self.firsts.lock().unwrap().get(&self.place(key)).cloned());
        }
        self.get(key)
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        let place = self.place(key);
        let Some(new) = self.stored(key, value).or_else(|| {
            let lost = self.has(Bug::LosesEmpty) && value.as_bytes() == Some(b"");
            (!lost).then(|| value.clone())
        }) else {
            return Ok(());
        };
        self.firsts
            .lock()
            .unwrap()
            .entry(place.clone())
            .or_insert_with(|| new.clone());
        if self.has(Bug::TearsValues) {
            let old = self.entries().get(&place).cloned();
            if let (Some(old), Some(bytes)) =
                (old.as_ref().and_then(Value::as_bytes), new.as_bytes())
                && old.len() == 2000
            {
                let mixed = [&old[..1000], bytes].concat();
                let value = Value::copied(&value.metadata(), *key, &mixed);
                self.entries().insert(place, value);
                return Ok(());
            }
        }
        let mut entries = self.entries();
        if !(self.has(Bug::KeepsFirst) && entries.contains_key(&place)) {
            entries.insert(place, new);
        }
        Ok(())
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.held.delete(key);
        if self.has(Bug::DiesWithValue) {
            self.held.forget(key);
        }
        if self.has(Bug::KeepsDeleted) {
            return Ok(());
        }
        if self.has(Bug::DeletesAll) {
            self.entries().clear();
        }
        let gone = self.entries().remove(&self.place(key));
        self.firsts.lock().unwrap().remove(&self.place(key));
        match gone {
            None if self.has(Bug::FailsToDeleteNothing) => Err(Error::unavailable("planted")),
            Some(value) if self.has(Bug::LeaksObjects) => {
                self.firsts
                    .lock()
                    .unwrap()
                    .insert(String::from("leak"), value);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn get_multi(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        if keys.is_empty() && self.has(Bug::FailsOnNothing) {
            return Err(Error::unavailable("planted"));
        }
        let mut found: Vec<_> = keys
            .iter()
            .map(|key| self.get(key))
            .collect::<Result<_>>()?;
        match self.arguments.bug {
            Some(Bug::MixesOrder) => found.reverse(),
            Some(Bug::ClosesGaps) => {
                found.retain(Option::is_some);
                found.resize(keys.len(), None);
            }
            Some(Bug::AnswersOnce) => {
                for at in 1..found.len() {
                    if keys[..at].iter().any(|key| **key == *keys[at]) {
                        found[at] = None;
                    }
                }
            }
            _ => {}
        }
        Ok(found)
    }

    fn get_multi_fresh(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        let found = keys.iter().map(|key| self.get_fresh(key));
        let mut found: Vec<_> = found.collect::<Result<_>>()?;
        if self.has(Bug::MixesFresh) {
            found.reverse();
        }
        Ok(found)
    }

    fn set_multi(&self, entries: &[(Key, Value)]) -> Result<()> {
        let mut entries: Vec<_> = entries.iter().collect();
        match self.arguments.bug {
            Some(Bug::StoresOne) => entries.truncate(1),
            Some(Bug::StoresFirstOfTwo) => entries.reverse(),
            _ => {}
        }
        entries
            .into_iter()
            .try_for_each(|(key, value)| self.set(key, value))
    }

    fn delete_multi(&self, keys: &[Key]) -> Result<()> {
        let count = if self.has(Bug::DeletesOne) {
            1
        } else {
            keys.len()
        };
        keys.iter().take(count).try_for_each(|key| self.delete(key))
    }

    fn clear(&self) -> Result<()> {
        assert!(!self.has(Bug::PanicsInClear), "planted");
        if self.has(Bug::Aborts) {
            std::process::abort();
        }
        if !self.has(Bug::ClearsNothing) {
            self.held.delete_all();
            self.entries().clear();
        }
        Ok(())
    }

    fn ping(&self) -> Result<()> {
        while self.has(Bug::HangsInPing) {
            std::thread::park();
        }
        if self.has(Bug::FailsPing) {
            return Err(Error::unavailable("planted"));
        }
        Ok(())
    }

    fn stats(&self) -> Result<BackendStats> {
        let mut stats = BackendStats::default();
        stats.entries = Some(if self.has(Bug::CountsNothing) {
            0
        } else {
            self.entries().len() as u64
        });
        // It does not count them, but drops them.
        stats.expirations = Some(0);
        Ok(stats)
    }

    fn close(&self) -> Result<()> {
        if self.has(Bug::ForgetsWhenClosed) {
            self.entries().clear();
        }
        Ok(())
    }

    fn storage(&self) -> Storage {
        if self.arguments.storage == "bytes" {
            Storage::Bytes
        } else {
            Storage::Objects
        }
    }

    fn shared(&self) -> bool {
        self.arguments.shared || self.has(Bug::SaysShared)
    }

    fn mutex(&self, key: &Key) -> Result<Option<Box<dyn api::Mutex>>> {
        if self.has(Bug::NoMutex) {
            return Ok(None);
        }
        let key = if self.has(Bug::OneForAll) { "" } else { key };
        Ok(Some(Box::new(KeyMutex::new(&self.held, key))))
    }

    fn set_guarded(&self, key: &Key, value: &Value, lease: &Lease) -> Result<Guarded> {
        if self.has(Bug::RefusesGuarded) {
            return Ok(Guarded::LeaseLost);
        }
        let guarded = KeyMutex::new(&self.held, key).guards(lease);
        if guarded == Guarded::Stored || self.has(Bug::LeavesUnguarded) {
            return self.set(key, value).map(|()| Guarded::Stored);
        }
        Ok(guarded)
    }

    fn set_guarded_multi(&self, entries: &[(Key, Value, Lease)]) -> Result<Vec<Guarded>> {
        if self.has(Bug::RefusesMany) {
            return Ok(vec![Guarded::LeaseLost; entries.len()]);
        }
        let outcomes = entries
            .iter()
            .map(|(key, value, lease)| self.set_guarded(key, value, lease));
        let mut outcomes: Vec<_> = outcomes.collect::<Result<_>>()?;
        if self.has(Bug::GuardsByFirst)
            && let Some(first) = outcomes.first().copied()
        {
            outcomes.fill(first);
        }
        Ok(outcomes)
    }

    fn reconfigure(&self, _: &Arguments) -> Result<bool> {
        if self.has(Bug::EmptiesOnReconfigure) {
            self.entries().clear();
        }
        Ok(true)
    }
}
