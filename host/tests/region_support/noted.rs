//! A proxy that is watched on a board.

use std::sync::Arc;

use dogpile_plugin_api::{
    Deserialize, Error, HostContext, JsonSchema, Key, Mutex, Proxied, Proxy, Result, Storage,
    Value, schemars, serde,
};

use super::board::Board;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "serde")]
#[schemars(crate = "schemars")]
pub(crate) struct NotedArguments {
    board: String,
    /// What its calls begin with on the board, as in `outer.get 1`.
    name: String,
    /// Whether it wants bytes.
    #[serde(default)]
    bytes: bool,
}

/// Notes calls, and passes them on.
pub(crate) struct Noted {
    proxied: Proxied,
    board: Arc<Board>,
    arguments: NotedArguments,
}

impl Noted {
    fn note(&self, method: &str, key: &str) -> Result<()> {
        let method = format!("{}.{method}", self.arguments.name);
        self.board.call(&method, key)
    }
}

impl Proxy for Noted {
    type Arguments = NotedArguments;

    fn open(arguments: NotedArguments, proxied: Proxied, _: &HostContext) -> Result<Self> {
        let board = Board::find(&arguments.board)
            .ok_or_else(|| Error::argument("board", "no test has made that board"))?;
        board.call(&format!("{}.open", arguments.name), "")?;
        Ok(Self {
            proxied,
            board,
            arguments,
        })
    }

    fn proxied(&self) -> &Proxied {
        &self.proxied
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        self.note("get", key)?;
        self.proxied.get(key)
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        self.note("set", key)?;
        self.proxied.set(key, value)
    }

    fn ping(&self) -> Result<()> {
        self.note("ping", "")?;
        self.proxied.ping()
    }

    fn mutex(&self, key: &Key) -> Result<Option<Box<dyn Mutex>>> {
        self.note("mutex", key)?;
        self.proxied.mutex(key)
    }

    fn storage(&self) -> Storage {
        if self.arguments.bytes {
            Storage::Bytes
        } else {
            self.proxied.storage()
        }
    }

    fn close(&self) -> Result<()> {
        self.note("close", "")
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        // There is nobody to give an error to.
        let _ = self.note("drop", "");
    }
}
