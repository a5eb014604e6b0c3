//! The watched backend, and key manglers whose work can be seen.

use std::sync::Arc;
use std::time::Duration;

use dogpile_plugin_api::{
    Backend, Deserialize, Error, HostContext, JsonSchema, Key, KeyMangler, Lease, Mutex,
    NoArguments, Result, Storage, Value, export_plugin, schemars, serde,
};

use super::board::Board;
use super::noted::Noted;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "serde")]
#[schemars(crate = "schemars")]
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
        self.board.put(key, value.clone());
        Ok(())
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.board.call("delete", key)?;
        self.board.remove(key);
        Ok(())
    }

    fn ping(&self) -> Result<()> {
        self.board.call("ping", "")
    }

    fn close(&self) -> Result<()> {
        self.board.call("close", "")
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

    fn key_mangler(&self) -> Option<&str> {
        self.arguments.mangler.as_deref()
    }

    fn mutex(&self, key: &Key) -> Option<Box<dyn Mutex>> {
        Some(Box::new(SpyMutex {
            board: Arc::clone(&self.board),
            key: key.to_string(),
        }))
    }
}

impl Drop for Spy {
    fn drop(&mut self) {
        // There is nobody to give an error to.
        let _ = self.board.call("drop", "");
    }
}

/// A mutex that is free unless the board has locked it.
struct SpyMutex {
    board: Arc<Board>,
    key: String,
}

impl Mutex for SpyMutex {
    fn try_acquire(&self, _: Duration) -> Result<Option<Lease>> {
        let lease = Lease {
            token: [0; 16],
            expires: 0,
            tag: 0,
        };
        Ok((!self.board.is_locked(&self.key)).then_some(lease))
    }

    fn wait(&self, _: Duration) -> Result<()> {
        Ok(())
    }

    fn renew(&self, _: &mut Lease) -> Result<bool> {
        Ok(true)
    }

    fn release(&self, _: Lease) -> Result<()> {
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
