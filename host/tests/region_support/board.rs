//! What a watched backend shows of itself, and how a test steers it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use dogpile::RegionConfig;
use dogpile_plugin_api::{Error, ErrorKind, Result, Value};

/// Every board ever made, by its name, which is how an instance finds its own.
static BOARDS: Mutex<Vec<Arc<Board>>> = Mutex::new(Vec::new());

/// Shared by a test and the instances of the watched backend that it opens.
pub(crate) struct Board {
    name: String,
    inner: Mutex<Inner>,
    hook: Mutex<Option<Arc<Hook>>>,
}

type Hook = dyn Fn(&str) + Send + Sync;

#[derive(Default)]
struct Inner {
    calls: Vec<String>,
    faults: HashMap<&'static str, Fault>,
    entries: HashMap<String, Value>,
    locked: Vec<String>,
}

/// What a method does instead of its work.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Fail,
    Refuse,
    Panic,
}

impl Board {
    /// A board of that name, which no other test of the process uses.
    pub(crate) fn new(name: &str) -> Arc<Self> {
        let board = Arc::new(Self {
            name: name.to_owned(),
            inner: Mutex::default(),
            hook: Mutex::default(),
        });
        let mut boards = BOARDS.lock().unwrap();
        assert!(
            boards.iter().all(|other| other.name != name),
            "two boards {name}"
        );
        boards.push(Arc::clone(&board));
        board
    }

    pub(super) fn find(name: &str) -> Option<Arc<Self>> {
        let boards = BOARDS.lock().unwrap();
        boards.iter().find(|board| board.name == name).cloned()
    }

    /// A region `users` on this backend, as one that holds objects, with values that never expire.
    pub(crate) fn objects(&self) -> RegionConfig {
        RegionConfig::on("users", "spy").argument("board", &*self.name)
    }

    /// The same as one that holds bytes.
    pub(crate) fn bytes(&self) -> RegionConfig {
        self.objects().argument("bytes", true)
    }

    /// As bytes that other processes see: instances on one board stand for them.
    pub(crate) fn shared(&self) -> RegionConfig {
        self.bytes().argument("shared", true)
    }

    /// A proxy for a region on any backend, which is watched here under a name.
    pub(crate) fn around(&self, config: RegionConfig, name: &str) -> RegionConfig {
        config.proxy_with("noted", self.noted(name))
    }

    /// The arguments of such a proxy.
    pub(crate) fn noted(&self, name: &str) -> [(String, serde_json::Value); 2] {
        [
            ("board".to_owned(), (&*self.name).into()),
            ("name".to_owned(), name.into()),
        ]
    }

    /// What was called since this was last asked, such as `get user:1`.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().calls)
    }

    /// What a method does from now on; `None`: its work.
    pub(crate) fn fault(&self, method: &'static str, fault: Option<Fault>) {
        let mut inner = self.lock();
        match fault {
            Some(fault) => inner.faults.insert(method, fault),
            None => inner.faults.remove(method),
        };
    }

    /// Runs on the caller's thread at the start of each call, which is given as [`Board::calls`] does.
    pub(crate) fn hook(&self, hook: impl Fn(&str) + Send + Sync + 'static) {
        *self.hook.lock().unwrap() = Some(Arc::new(hook));
    }

    /// What is stored, as the backend was given it.
    pub(crate) fn stored(&self, key: &str) -> Option<Value> {
        self.lock().entries.get(key).cloned()
    }

    /// What is stored as bytes, as text.
    pub(crate) fn text(&self, key: &str) -> String {
        let value = self.stored(key).expect("something is stored");
        let bytes = value.as_bytes().expect("it is stored as bytes").to_vec();
        String::from_utf8(bytes).expect("it is text")
    }

    /// Stores bytes behind the region's back.
    pub(crate) fn write(&self, key: &str, bytes: impl AsRef<[u8]>) {
        self.put(key, Value::from(bytes.as_ref()));
    }

    pub(super) fn put(&self, key: &str, value: Value) {
        let old = self.lock().entries.insert(key.to_owned(), value);
        drop(old);
    }

    /// Removes an entry, as an eviction does.
    pub(crate) fn remove(&self, key: &str) {
        let old = self.lock().entries.remove(key);
        drop(old);
    }

    /// Locks the backend's own mutex of a key, as another process would.
    pub(crate) fn lock_key(&self, key: &str) {
        self.lock().locked.push(key.to_owned());
    }

    pub(super) fn is_locked(&self, key: &str) -> bool {
        self.lock().locked.iter().any(|locked| locked == key)
    }

    /// Notes a call, which goes wrong if the test wants it so.
    pub(super) fn call(&self, method: &str, key: &str) -> Result<()> {
        let call = format!("{method} {key}");
        let call = call.trim_end();
        let hook = self.hook.lock().unwrap().clone();
        if let Some(hook) = hook {
            hook(call);
        }
        let mut inner = self.lock();
        inner.calls.push(call.to_owned());
        let fault = inner.faults.get(method).copied();
        drop(inner);
        match fault {
            None => Ok(()),
            Some(Fault::Fail) => Err(Error::unavailable(format!("no {method} today"))),
            Some(Fault::Refuse) => Err(Error::new(
                ErrorKind::Refused,
                format!("{method} is not for such keys"),
            )),
            Some(Fault::Panic) => panic!("{method} fell over"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}
