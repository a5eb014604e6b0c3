//! The calls of an open backend, each of which looks at its health and reports to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use dogpile_plugin_api::{
    BackendInstance, BackendStats, Error, ErrorKind, Guarded, Key, Lease, Mutex, Result, Value,
    keep_unreferenced,
};

use crate::health::{Health, State, Turn};
use crate::instance::Instance;
use crate::template_cache::TemplateCache;

/// Brings instances that are out back, off their callers' threads.
pub(crate) trait Mender: Send + Sync {
    /// Begins with it. An instance is given once, until it is well again.
    fn mend(&self, instance: &Arc<Instance>) -> std::io::Result<()>;

    /// As [`Mender::mend`], with the cache of templates.
    fn mend_templates(&self, cache: &Arc<TemplateCache>) -> std::io::Result<()>;

    /// The fresh values ever read by the regions that call the instance.
    fn hits(&self, instance: &Instance) -> u64;

    /// How much time has passed since some moment, in nanoseconds, whatever the system's clock is set to.
    fn now(&self) -> u64;

    /// The host is going: no instance is mended any more.
    fn close(&self);
}

/// An open backend or proxy, as regions call it: while it is out, every call but a ping is an error of kind
/// [`ErrorKind::Suspended`], at once.
pub(crate) struct Watched {
    raw: BackendInstance,
    health: Health,
    owner: Weak<Instance>,
    mender: Arc<dyn Mender>,
    closed: AtomicBool,
}

impl Watched {
    pub(crate) fn new(
        raw: BackendInstance,
        owner: &Weak<Instance>,
        mender: Arc<dyn Mender>,
    ) -> Self {
        Self {
            raw,
            health: Health::default(),
            owner: owner.clone(),
            mender,
            closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    pub(crate) fn mender(&self) -> &Arc<dyn Mender> {
        &self.mender
    }

    pub(crate) fn get(&self, key: &Key<'_>) -> Result<Option<Value>> {
        self.noted(self.get_unnoted(key))
    }

    /// For a caller who has [`Watched::noted`] look at all but a hit, which is counted by its region.
    #[inline]
    pub(crate) fn get_unnoted(&self, key: &Key<'_>) -> Result<Option<Value>> {
        if self.health.is_out() {
            return Err(self.suspended());
        }
        self.raw.get(key)
    }

    /// What [`Watched::get_unnoted`] gave, once its health knows.
    #[inline(never)]
    pub(crate) fn noted(&self, got: Result<Option<Value>>) -> Result<Option<Value>> {
        match got {
            Ok(Some(value)) => Ok(Some(value)),
            Ok(None) => {
                self.health.answered();
                Ok(None)
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    pub(crate) fn get_fresh(&self, key: &Key<'_>) -> Result<Option<Value>> {
        self.call(|raw| raw.get_fresh(key))
    }

    pub(crate) fn set(&self, key: &Key<'_>, value: &Value) -> Result<()> {
        self.call(|raw| raw.set(key, value))
    }

    pub(crate) fn get_multi(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Value>>> {
        self.call(|raw| raw.get_multi(keys))
    }

    pub(crate) fn get_multi_fresh(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Value>>> {
        self.call(|raw| raw.get_multi_fresh(keys))
    }

    pub(crate) fn set_multi(&self, entries: &[(Key<'_>, Value)]) -> Result<()> {
        self.call(|raw| raw.set_multi(entries))
    }

    pub(crate) fn set_guarded(
        &self,
        key: &Key<'_>,
        value: &Value,
        lease: &Lease,
    ) -> Result<Guarded> {
        self.call(|raw| raw.set_guarded(key, value, lease))
    }

    pub(crate) fn set_guarded_multi(
        &self,
        entries: &[(Key<'_>, Value, Lease)],
    ) -> Result<Vec<Guarded>> {
        self.call(|raw| raw.set_guarded_multi(entries))
    }

    pub(crate) fn delete_multi(&self, keys: &[Key<'_>]) -> Result<()> {
        self.call(|raw| raw.delete_multi(keys))
    }

    pub(crate) fn delete(&self, key: &Key<'_>) -> Result<()> {
        self.call(|raw| raw.delete(key))
    }

    pub(crate) fn clear(&self) -> Result<()> {
        self.call(BackendInstance::clear)
    }

    pub(crate) fn stats(&self) -> Result<BackendStats> {
        self.call(BackendInstance::stats)
    }

    pub(crate) fn mutex(&self, key: &Key<'_>) -> Result<Option<Box<dyn Mutex>>> {
        if self.health.is_out() {
            return Err(self.suspended());
        }
        // It may be made without a look at the storage: that it is there says nothing of its health.
        let mutex = self.raw.mutex(key).map_err(|error| self.failed(error))?;
        Ok(mutex.map(|mutex| self.watched(mutex, Self::failed)))
    }

    /// Asks the storage, whatever the breaker says.
    pub(crate) fn ping(&self) -> Result<()> {
        if self.health.is_retired() {
            return Err(self.suspended());
        }
        self.note(self.raw.ping())
    }

    /// A call by a proxy. The breaker is none of its business: that of the proxy, which regions call, sees its failures.
    pub(crate) fn inside<T>(&self, call: impl FnOnce(&BackendInstance) -> Result<T>) -> Result<T> {
        if self.health.is_retired() {
            return Err(self.suspended());
        }
        call(&self.raw).map_err(|error| self.failed_inside(error))
    }

    /// It is in a state that nobody knows: it is not called any more, and reopened.
    pub(crate) fn retire(&self, cause: &str) {
        let error = Error::new(ErrorKind::Unavailable, cause);
        let turn = self.health.retire(&error.message());
        if turn != Turn::None {
            self.turned(turn, &error);
        }
    }

    /// The mutex of a key for a proxy, which makes calls as it does.
    pub(crate) fn mutex_inside(&self, key: &Key<'_>) -> Result<Option<Box<dyn Mutex>>> {
        let mutex = self.inside(|raw| raw.mutex(key))?;
        Ok(mutex.map(|mutex| self.watched(mutex, Self::failed_inside)))
    }

    /// A mutex of it failed as it was dropped.
    pub(crate) fn failed_drop(&self, error: Error) {
        self.failed(error);
    }

    /// The last call, which is made once, however it is.
    pub(crate) fn close(&self) -> Result<()> {
        if self.closed.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        self.raw.close()
    }

    #[inline]
    fn call<T>(&self, call: impl FnOnce(&BackendInstance) -> Result<T>) -> Result<T> {
        if self.health.is_out() {
            return Err(self.suspended());
        }
        // The plugin may drop objects, whose drop runs the program's own code, under its locks.
        let (outcome, _unreferenced) = keep_unreferenced(|| call(&self.raw));
        self.note(outcome)
    }

    #[inline]
    fn note<T>(&self, result: Result<T>) -> Result<T> {
        match result {
            Ok(value) => {
                self.health.answered();
                Ok(value)
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    fn watched(&self, mutex: Box<dyn Mutex>, failed: Failed) -> Box<dyn Mutex> {
        Box::new(WatchedMutex {
            mutex,
            failed,
            owner: self.owner.clone(),
        })
    }

    #[cold]
    fn suspended(&self) -> Error {
        Error::suspended(if self.health.is_closed() {
            "it is closed, so that its successor can open"
        } else if self.health.is_retired() {
            "it panicked, and is not called until it was reopened"
        } else {
            "its breaker is open: it is not called until it answers a ping"
        })
    }

    #[cold]
    #[inline(never)]
    fn failed(&self, error: Error) -> Error {
        // From here on it may be logged, kept and shown.
        let error = match self.owner.upgrade() {
            Some(owner) => owner.without_secrets(error),
            None => error,
        };
        let turn = match error.kind() {
            ErrorKind::Panic => self.panicked(&error),
            // The call's own fault, or not made at all.
            ErrorKind::Refused
            | ErrorKind::Unsupported
            | ErrorKind::Arguments
            | ErrorKind::Suspended => Turn::None,
            _ => {
                let owner = self.owner.upgrade();
                let hits = || owner.as_ref().map_or(0, |owner| self.mender.hits(owner));
                self.health.failed(self.mender.now(), hits, &error)
            }
        };
        if turn != Turn::None {
            self.turned(turn, &error);
        }
        error
    }

    /// A proxy passes on the panic of what it was opened around, which was retired for it: the fault is not its own.
    fn panicked(&self, error: &Error) -> Turn {
        match self.owner.upgrade() {
            Some(owner) if owner.stands_on_retired() => Turn::None,
            _ => self.health.retire(error),
        }
    }

    #[cold]
    #[inline(never)]
    fn failed_inside(&self, error: Error) -> Error {
        match (error.kind(), self.owner.upgrade()) {
            (ErrorKind::Panic, Some(owner)) if !owner.stands_on_retired() => {
                let error = self.failed(error);
                Error::new(ErrorKind::Panic, format!("{} {error}", owner.title()))
            }
            _ => error,
        }
    }

    fn turned(&self, turn: Turn, error: &Error) {
        // Whoever closes an instance calls it last.
        let Some(owner) = self.owner.upgrade() else {
            return;
        };
        let (Turn::To(state) | Turn::Out(state)) = turn else {
            return;
        };
        let what = match state {
            State::Retired => "is retired, and reopened",
            _ => "is not called until it answers a ping",
        };
        let code = error.kind().code();
        tracing::error!(target: "dogpile.cache", state = state.name(), code, %error, "{} {what}", owner.title());
        if let (Turn::Out(_), Err(error)) = (turn, self.mender.mend(&owner)) {
            tracing::error!(
                target: "dogpile.cache", %error,
                "there is no thread to mend {}: it is called as before", owner.title()
            );
            self.health.give_up();
        }
    }
}

/// What is done with an error.
type Failed = fn(&Watched, Error) -> Error;

/// A backend's mutex, whose failures are the backend's.
struct WatchedMutex {
    mutex: Box<dyn Mutex>,
    failed: Failed,
    owner: Weak<Instance>,
}

impl WatchedMutex {
    fn note<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| match self.owner.upgrade() {
            Some(owner) => (self.failed)(&owner.backend, error),
            None => error,
        })
    }
}

/// A mutex is used to its end, even if its backend is out: who holds it must be able to give it up.
impl Mutex for WatchedMutex {
    fn try_acquire(&self, lease: Duration) -> Result<Option<Lease>> {
        self.note(self.mutex.try_acquire(lease))
    }

    fn wait(&self, timeout: Duration) -> Result<()> {
        self.note(self.mutex.wait(timeout))
    }

    fn renew(&self, lease: &mut Lease) -> Result<bool> {
        self.note(self.mutex.renew(lease))
    }

    fn release(&self, lease: Lease) -> Result<()> {
        self.note(self.mutex.release(lease))
    }

    fn is_locked(&self) -> Result<bool> {
        self.note(self.mutex.is_locked())
    }
}
