//! What a watched backend shows of itself, and how a test steers it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use dogpile::RegionConfig;
use dogpile_plugin_api::{BackendStats, Error, ErrorKind, Result, Value};

/// Every board ever made, by its name, which is how an instance finds its own.
static BOARDS: Mutex<Vec<Arc<Board>>> = Mutex::new(Vec::new());

/// Shared by a test and the instances of the watched backend that it opens.
pub(crate) struct Board {
    name: String,
    inner: Mutex<Inner>,
    hook: Mutex<Option<Arc<Hook>>>,
    /// A key's mutex was given back.
    freed: Condvar,
}

type Hook = dyn Fn(&str) + Send + Sync;

#[derive(Default)]
struct Inner {
    calls: Vec<String>,
    mutex_calls: Vec<String>,
    faults: HashMap<String, Fault>,
    entries: HashMap<String, Value>,
    /// The keys that another process deleted while their mutexes were held.
    deleted: HashSet<String>,
    /// Who has the mutex of a key; 0 is another process.
    locked: HashMap<String, u64>,
    holders: u64,
    evictions: u64,
}

/// What a method does instead of its work.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Fail,
    Refuse,
    NotSupport,
    Panic,
}

impl Board {
    /// A board of that name, which no other test of the process uses.
    pub(crate) fn new(name: &str) -> Arc<Self> {
        let board = Arc::new(Self {
            name: name.to_owned(),
            inner: Mutex::default(),
            hook: Mutex::default(),
            freed: Condvar::new(),
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

    pub(crate) fn name(&self) -> &str {
        &self.name
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

    /// What was called since this was last asked, such as `get user:1` and `get_multi user:1 user:2`, without what those
    /// did who wanted a mutex.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().calls)
    }

    /// Which mutexes were taken and given back since this was last asked, such as `try_acquire user:1`.
    pub(crate) fn mutex_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().mutex_calls)
    }

    /// How often a method of mutexes was called since that was last asked.
    pub(crate) fn mutex_calls_of(&self, method: &str) -> usize {
        let inner = self.lock();
        let calls = inner.mutex_calls.iter();
        calls
            .filter(|call| call.split(' ').next() == Some(method))
            .count()
    }

    /// What a method does from now on, with every key (`get`) or with one (`get user:1`); `None`: its work.
    pub(crate) fn fault(&self, call: &str, fault: Option<Fault>) {
        let mut inner = self.lock();
        match fault {
            Some(fault) => inner.faults.insert(call.to_owned(), fault),
            None => inner.faults.remove(call),
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

    /// Drops what it replaces under its lock.
    pub(super) fn put_carelessly(&self, key: &str, value: Value) {
        self.lock().entries.insert(key.to_owned(), value);
    }

    /// The same, of what it removes.
    pub(super) fn remove_carelessly(&self, key: Option<&str>) {
        let mut inner = self.lock();
        match key {
            Some(key) => drop(inner.entries.remove(key)),
            None => inner.entries.clear(),
        }
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

    /// How many entries there are, and how many were [evicted](Board::evict).
    pub(super) fn stats(&self) -> BackendStats {
        let inner = self.lock();
        let mut stats = BackendStats::default();
        stats.entries = Some(inner.entries.len() as u64);
        stats.evictions = Some(inner.evictions);
        stats
    }

    /// Removes an entry, and counts it as evicted.
    pub(crate) fn evict(&self, key: &str) {
        self.remove(key);
        self.lock().evictions += 1;
    }

    pub(super) fn remove_all(&self) {
        let old = std::mem::take(&mut self.lock().entries);
        drop(old);
    }

    /// Locks the backend's own mutex of a key, as another process would.
    pub(crate) fn lock_key(&self, key: &str) {
        let holder = self.lock().locked.insert(key.to_owned(), 0);
        assert_eq!(holder, None, "the mutex of {key} is held");
    }

    /// Another process takes the mutex of a key over from whoever has it, as when a lease has passed.
    pub(crate) fn take_over(&self, key: &str) {
        self.lock().locked.insert(key.to_owned(), 0);
    }

    /// What that other process does when it is done.
    pub(crate) fn unlock_key(&self, key: &str) {
        self.free(key, 0);
    }

    /// Deletes a key as another process would while this one creates it.
    pub(crate) fn delete_elsewhere(&self, key: &str) {
        assert!(self.is_locked(key), "nobody creates {key}");
        self.lock().deleted.insert(key.to_owned());
        self.remove(key);
    }

    pub(super) fn is_deleted_elsewhere(&self, key: &str) -> bool {
        self.lock().deleted.contains(key)
    }

    /// The keys whose mutex somebody has.
    pub(crate) fn locked_keys(&self) -> Vec<String> {
        let mut keys: Vec<_> = self.lock().locked.keys().cloned().collect();
        keys.sort();
        keys
    }

    pub(super) fn is_locked(&self, key: &str) -> bool {
        self.lock().locked.contains_key(key)
    }

    pub(super) fn is_held_by(&self, key: &str, holder: u64) -> bool {
        self.lock().locked.get(key) == Some(&holder)
    }

    /// Notes that the mutex of a key is asked for. Gives a holder that there has never been, if nobody has it. Whoever sees
    /// the note sees what came of it.
    pub(super) fn take(&self, key: &str) -> Result<Option<u64>> {
        self.note(
            "try_acquire",
            key,
            |inner| &mut inner.mutex_calls,
            |inner| {
                if inner.locked.contains_key(key) {
                    return None;
                }
                inner.holders += 1;
                let holder = inner.holders;
                inner.locked.insert(key.to_owned(), holder);
                Some(holder)
            },
        )
    }

    pub(super) fn free(&self, key: &str, holder: u64) {
        let mut inner = self.lock();
        inner.deleted.remove(key);
        let held = inner.locked.remove(key);
        drop(inner);
        assert_eq!(
            held,
            Some(holder),
            "the mutex of {key} is given back by who has it"
        );
        self.freed.notify_all();
    }

    pub(super) fn wait_until_free(&self, key: &str, timeout: Duration) {
        let locked = |inner: &mut Inner| inner.locked.contains_key(key);
        let waited = self.freed.wait_timeout_while(self.lock(), timeout, locked);
        drop(waited.unwrap());
    }

    /// Notes a call, which goes wrong if the test wants it so.
    pub(super) fn call(&self, method: &str, keys: &str) -> Result<()> {
        self.note(method, keys, |inner| &mut inner.calls, |_| ())
    }

    /// As [`Board::call`], of a mutex that is given back.
    pub(super) fn call_release(&self, key: &str) -> Result<()> {
        self.note("release", key, |inner| &mut inner.mutex_calls, |_| ())
    }

    /// Notes a call and does its work, under one lock.
    fn note<T>(
        &self,
        method: &str,
        keys: &str,
        calls: impl FnOnce(&mut Inner) -> &mut Vec<String>,
        work: impl FnOnce(&mut Inner) -> T,
    ) -> Result<T> {
        let call = format!("{method} {keys}");
        let call = call.trim_end();
        let hook = self.hook.lock().unwrap().clone();
        if let Some(hook) = hook {
            hook(call);
        }
        let mut inner = self.lock();
        calls(&mut inner).push(call.to_owned());
        let fault = [method, call]
            .iter()
            .find_map(|what| inner.faults.get(*what));
        let Some(fault) = fault.copied() else {
            return Ok(work(&mut inner));
        };
        drop(inner);
        match fault {
            Fault::Fail => Err(Error::unavailable(format!("no {method} today"))),
            Fault::Refuse => Err(Error::new(
                ErrorKind::Refused,
                format!("{method} is not for such keys"),
            )),
            Fault::NotSupport => Err(Error::new(
                ErrorKind::Unsupported,
                format!("{method} is not for this backend"),
            )),
            Fault::Panic => panic!("{method} fell over"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}
