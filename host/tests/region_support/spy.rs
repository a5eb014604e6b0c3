//! The watched backend, and key manglers whose work can be seen.

use std::sync::Arc;
use std::time::Duration;

use dogpile_plugin_api::{
    Backend, BackendStats, Deserialize, Error, Guarded, HostContext, JsonSchema, Key, KeyMangler,
    Lease, Mutex, NoArguments, Result, Storage, Value, export_plugin, schemars, serde,
};

use super::board::Board;
use super::noted::Noted;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "serde")]
#[schemars(crate = "schemars")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a test switches them one by one"
)]
pub(crate) struct SpyArguments {
    board: String,
    /// Whether it wants bytes.
    #[serde(default)]
    bytes: bool,
    /// Whether it says that other processes see what it stores.
    #[serde(default)]
    shared: bool,
    /// Whether only one may be open at a time.
    #[serde(default)]
    exclusive: bool,
    /// Whether its calls cannot block.
    #[serde(default)]
    inline: bool,
    /// Whether it has no mutexes.
    #[serde(default)]
    alone: bool,
    /// Whether it drops values under its lock.
    #[serde(default)]
    careless: bool,
    /// How long it says that its calls may take, in seconds.
    #[serde(default)]
    longest_call: Option<u64>,
    /// The mangler that it asks for.
    #[serde(default)]
    mangler: Option<String>,
}

pub(crate) struct Spy {
    board: Arc<Board>,
    arguments: SpyArguments,
}

impl Backend for Spy {
    type Arguments = SpyArguments;

    fn open(arguments: SpyArguments, _: &HostContext) -> Result<Self> {
        let board = Board::find(&arguments.board)
            .ok_or_else(|| Error::argument("board", "no test has made that board"))?;
        board.call("open", "")?;
        Ok(Self { board, arguments })
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        self.board.call("get", key)?;
        Ok(self.board.stored(key))
    }

    fn get_fresh(&self, key: &Key) -> Result<Option<Value>> {
        self.board.call("get_fresh", key)?;
        Ok(self.board.stored(key))
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        self.board.call("set", key)?;
        self.put(key, value);
        Ok(())
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.board.call("delete", key)?;
        if self.arguments.careless {
            self.board.remove_carelessly(Some(key));
        } else {
            self.board.remove(key);
        }
        Ok(())
    }

    fn ping(&self) -> Result<()> {
        self.board.call("ping", "")
    }

    fn get_multi(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        self.board.call("get_multi", &list(keys.iter()))?;
        Ok(keys.iter().map(|key| self.board.stored(key)).collect())
    }

    fn get_multi_fresh(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        self.board.call("get_multi_fresh", &list(keys.iter()))?;
        Ok(keys.iter().map(|key| self.board.stored(key)).collect())
    }

    fn set_multi(&self, entries: &[(Key, Value)]) -> Result<()> {
        let keys = entries.iter().map(|(key, _)| key);
        self.board.call("set_multi", &list(keys))?;
        for (key, value) in entries {
            self.board.put(key, value.clone());
        }
        Ok(())
    }

    fn set_guarded(&self, key: &Key, value: &Value, lease: &Lease) -> Result<Guarded> {
        self.board.call("set", key)?;
        Ok(self.guarded(key, value, lease))
    }

    fn set_guarded_multi(&self, entries: &[(Key, Value, Lease)]) -> Result<Vec<Guarded>> {
        let keys = entries.iter().map(|(key, ..)| key);
        self.board.call("set_guarded_multi", &list(keys))?;
        let entries = entries.iter();
        Ok(entries
            .map(|(key, value, lease)| self.guarded(key, value, lease))
            .collect())
    }

    fn delete_multi(&self, keys: &[Key]) -> Result<()> {
        self.board.call("delete_multi", &list(keys.iter()))?;
        for key in keys {
            self.board.remove(key);
        }
        Ok(())
    }

    fn clear(&self) -> Result<()> {
        self.board.call("clear", "")?;
        if self.arguments.careless {
            self.board.remove_carelessly(None);
        } else {
            self.board.remove_all();
        }
        Ok(())
    }

    fn stats(&self) -> Result<BackendStats> {
        self.board.call("stats", "")?;
        Ok(self.board.stats())
    }

    fn close(&self) -> Result<()> {
        self.board.call("close", "")
    }

    fn blocking(&self) -> bool {
        !self.arguments.inline
    }

    fn storage(&self) -> Storage {
        if self.arguments.bytes {
            Storage::Bytes
        } else {
            Storage::Objects
        }
    }

    fn shared(&self) -> bool {
        self.arguments.shared
    }

    fn exclusive(&self) -> bool {
        self.arguments.exclusive
    }

    fn longest_call(&self) -> Option<Duration> {
        self.arguments.longest_call.map(Duration::from_secs)
    }

    fn key_mangler(&self) -> Option<&str> {
        self.arguments.mangler.as_deref()
    }

    fn mutex(&self, key: &Key) -> Result<Option<Box<dyn Mutex>>> {
        if self.arguments.alone {
            return Ok(None);
        }
        Ok(Some(Box::new(SpyMutex {
            board: Arc::clone(&self.board),
            key: key.to_string(),
        })))
    }
}

impl Spy {
    /// Stores if that lease holds the mutex of the key, and nobody deleted it.
    fn guarded(&self, key: &Key<'_>, value: &Value, lease: &Lease) -> Guarded {
        if self.board.is_deleted_elsewhere(key) {
            return Guarded::Deleted;
        }
        if !self.board.is_held_by(key, lease.tag) {
            return Guarded::LeaseLost;
        }
        self.put(key, value);
        Guarded::Stored
    }

    fn put(&self, key: &Key<'_>, value: &Value) {
        if self.arguments.careless {
            self.board.put_carelessly(key, value.clone());
        } else {
            self.board.put(key, value.clone());
        }
    }
}

impl Drop for Spy {
    fn drop(&mut self) {
        // There is nobody to give an error to.
        let _ = self.board.call("drop", "");
    }
}

fn list<'k>(keys: impl Iterator<Item = &'k Key<'k>>) -> String {
    keys.map(Key::as_str).collect::<Vec<_>>().join(" ")
}

/// The mutex of one key, which the board keeps. Its leases never pass.
struct SpyMutex {
    board: Arc<Board>,
    key: String,
}

impl Mutex for SpyMutex {
    fn try_acquire(&self, _: Duration) -> Result<Option<Lease>> {
        let taken = self.board.take(&self.key)?;
        Ok(taken.map(|holder| Lease::new([0; 16], 0).tagged(holder)))
    }

    fn wait(&self, timeout: Duration) -> Result<()> {
        self.board.wait_until_free(&self.key, timeout);
        Ok(())
    }

    fn renew(&self, _: &mut Lease) -> Result<bool> {
        Ok(true)
    }

    fn release(&self, lease: Lease) -> Result<()> {
        self.board.call_release(&self.key)?;
        self.board.free(&self.key, lease.tag);
        Ok(())
    }

    fn is_locked(&self) -> Result<bool> {
        self.board.call("is_locked", &self.key)?;
        Ok(self.board.is_locked(&self.key))
    }
}

/// Puts a key in brackets.
pub(crate) struct Brackets;

impl KeyMangler for Brackets {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self)
    }

    fn mangle(&self, key: &str) -> Result<String> {
        Ok(format!("[{key}]"))
    }
}

/// Writes a key backwards, and can do nothing with some.
pub(crate) struct Backwards;

impl KeyMangler for Backwards {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self)
    }

    fn mangle(&self, key: &str) -> Result<String> {
        match key {
            "drow" => panic!("what is a drow?"),
            "palindrome" => Err(Error::unsupported("it would be the same")),
            _ => Ok(key.chars().rev().collect()),
        }
    }
}

export_plugin! {
    backends: { "spy" => Spy }
    manglers: { "brackets" => Brackets, "backwards" => Backwards }
    proxies: { "noted" => Noted }
}
