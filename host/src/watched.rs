//! The calls of an open backend, each of which looks at its health and reports to it.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use dogpile_plugin_api::{
    AnyBackend, BackendInstance, BackendStats, Error, ErrorKind, Guarded, Key, Lease, Mutex,
    Result, Value, keep_unreferenced,
};

use crate::calls::Calls;
use crate::health::{Health, State, Turn};
use crate::instance::Instance;
use crate::template_cache::TemplateCache;
use crate::timed::{Made, Timed, TimedThreads};

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

    /// The calls that are under way in the host's instances.
    fn calls(&self) -> &Arc<Calls>;

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
    calls: Arc<Calls>,
    /// In nanoseconds; 0: none.
    call_timeout: AtomicU64,
    timed_threads: TimedThreads,
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
            calls: Arc::clone(mender.calls()),
            mender,
            call_timeout: AtomicU64::new(0),
            timed_threads: TimedThreads::default(),
            closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    pub(crate) fn mender(&self) -> &Arc<dyn Mender> {
        &self.mender
    }

    /// By which calls of it are known: no other thing that is called has it at the same time.
    #[inline]
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// How long callers wait for its calls.
    pub(crate) fn call_timeout(&self) -> Option<Duration> {
        let time = self.call_timeout.load(Ordering::Relaxed);
        (time != 0).then(|| Duration::from_nanos(time))
    }

    /// For calls that begin after this.
    pub(crate) fn set_call_timeout(&self, timeout: Option<Duration>) {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let time = timeout.map_or(0, nanoseconds);
        self.call_timeout.store(time, Ordering::Relaxed);
        self.health.set_timed(time != 0);
    }

    pub(crate) fn get(&self, key: &Key<'_>) -> Result<Option<Value>> {
        if !self.health.is_simply_called() {
            return self.noted(self.get_elsewhere(key));
        }
        self.noted(self.seen("get", || self.raw.get(key)))
    }

    /// For a caller who has marked the call where it is seen, and has [`Watched::noted`] look at all but a hit, which is
    /// counted by its region.
    #[inline]
    pub(crate) fn get_unnoted(&self, key: &Key<'_>) -> Result<Option<Value>> {
        if !self.health.is_simply_called() {
            return self.get_elsewhere(key);
        }
        self.raw.get(key)
    }

    #[cold]
    #[inline(never)]
    fn get_elsewhere(&self, key: &Key<'_>) -> Result<Option<Value>> {
        if self.health.is_out() {
            return Err(self.suspended());
        }
        match self.timed() {
            Some(timed) => timed.get(key),
            None => self.seen("get", || self.raw.get(key)),
        }
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
        self.call("get_fresh", |backend| backend.get_fresh(key))
    }

    pub(crate) fn set(&self, key: &Key<'_>, value: &Value) -> Result<()> {
        self.call("set", |backend| backend.set(key, value))
    }

    pub(crate) fn get_multi(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Value>>> {
        self.call("get_multi", |backend| backend.get_multi(keys))
    }

    pub(crate) fn get_multi_fresh(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Value>>> {
        self.call("get_multi_fresh", |backend| backend.get_multi_fresh(keys))
    }

    pub(crate) fn set_multi(&self, entries: &[(Key<'_>, Value)]) -> Result<()> {
        self.call("set_multi", |backend| backend.set_multi(entries))
    }

    pub(crate) fn set_guarded(
        &self,
        key: &Key<'_>,
        value: &Value,
        lease: &Lease,
    ) -> Result<Guarded> {
        self.call("set_guarded", |backend| {
            backend.set_guarded(key, value, lease)
        })
    }

    pub(crate) fn set_guarded_multi(
        &self,
        entries: &[(Key<'_>, Value, Lease)],
    ) -> Result<Vec<Guarded>> {
        self.call("set_guarded_multi", |backend| {
            backend.set_guarded_multi(entries)
        })
    }

    pub(crate) fn delete_multi(&self, keys: &[Key<'_>]) -> Result<()> {
        self.call("delete_multi", |backend| backend.delete_multi(keys))
    }

    pub(crate) fn delete(&self, key: &Key<'_>) -> Result<()> {
        self.call("delete", |backend| backend.delete(key))
    }

    pub(crate) fn clear(&self) -> Result<()> {
        self.call("clear", AnyBackend::clear)
    }

    pub(crate) fn stats(&self) -> Result<BackendStats> {
        self.call("stats", AnyBackend::stats)
    }

    pub(crate) fn mutex(&self, key: &Key<'_>) -> Result<Option<Box<dyn Mutex>>> {
        if self.health.is_out() {
            return Err(self.suspended());
        }
        let made = match self.timed() {
            Some(timed) => timed.mutex(key),
            None => self.seen("mutex", || self.raw.mutex(key)),
        };
        // It may be made without a look at the storage: that it is there says nothing of its health.
        let mutex = made.map_err(|error| self.failed(error))?;
        Ok(mutex.map(|mutex| self.watched(mutex, Caller::Region)))
    }

    /// Asks the storage, whatever the breaker says.
    pub(crate) fn ping(&self) -> Result<()> {
        if self.health.is_retired() {
            return Err(self.suspended());
        }
        self.note(self.seen("ping", || self.raw.ping()))
    }

    /// A call by a proxy. The breaker is none of its business: that of the proxy, which regions call, sees its failures.
    pub(crate) fn inside<T>(
        &self,
        method: &'static str,
        call: impl FnOnce(&BackendInstance) -> Result<T>,
    ) -> Result<T> {
        if self.health.is_retired() {
            return Err(self.suspended());
        }
        self.seen(method, || call(&self.raw))
            .map_err(|error| self.failed_inside(error))
    }

    /// The mutex of a key for a proxy, which makes calls as it does.
    pub(crate) fn mutex_inside(&self, key: &Key<'_>) -> Result<Option<Box<dyn Mutex>>> {
        let mutex = self.inside("mutex", |raw| raw.mutex(key))?;
        Ok(mutex.map(|mutex| self.watched(mutex, Caller::Proxy)))
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

    fn call<T>(
        &self,
        method: &'static str,
        call: impl FnOnce(&dyn AnyBackend) -> Result<T>,
    ) -> Result<T> {
        if self.health.is_out() {
            return Err(self.suspended());
        }
        if let Some(timed) = self.timed() {
            return self.note(call(&timed));
        }
        self.note(self.make(method, |raw| call(raw)))
    }

    /// A call that is seen as it is made, on this thread.
    pub(crate) fn make<T>(
        &self,
        method: &'static str,
        call: impl FnOnce(&BackendInstance) -> Result<T>,
    ) -> Result<T> {
        // The plugin may drop objects, whose drop runs the program's own code, under its locks.
        let (outcome, _unreferenced) = keep_unreferenced(|| self.seen(method, || call(&self.raw)));
        outcome
    }

    fn seen<T>(&self, method: &'static str, call: impl FnOnce() -> T) -> T {
        self.calls.during(self.address(), method, call)
    }

    pub(crate) fn timed_threads(&self) -> &TimedThreads {
        &self.timed_threads
    }

    /// Where calls are made instead, if callers do not wait for as long as they take.
    fn timed(&self) -> Option<Timed> {
        let timeout = self.call_timeout()?;
        // Whoever closes an instance is the last to call it.
        Some(Timed::new(self.owner.upgrade()?, timeout))
    }

    /// A call hangs in it. Nobody else is to wait for it.
    pub(crate) fn hangs(&self, hang: &dyn Display) {
        match self.health.hangs(&hang) {
            Turn::None => {
                if let Some(owner) = self.owner.upgrade() {
                    tracing::error!(target: "dogpile.cache", state = self.health.state().name(), "{}: {hang}", owner.title());
                }
            }
            turn => self.turned(turn, &Error::new(ErrorKind::Timeout, hang)),
        }
    }

    /// Nobody waits any more for a call that changes it, and that is still in it: what it does must not land in what is
    /// read afterwards.
    pub(crate) fn gave_up(&self, change: &Error) {
        let turn = self.health.retire(change);
        if turn != Turn::None {
            self.turned(turn, change);
        }
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

    fn watched(&self, mutex: Box<dyn Mutex>, caller: Caller) -> Box<dyn Mutex> {
        Box::new(WatchedMutex {
            mutex: mutex.into(),
            caller,
            owner: self.owner.clone(),
        })
    }

    #[cold]
    fn suspended(&self) -> Error {
        Error::suspended(if self.health.is_closed() {
            "it is closed, so that its successor can open"
        } else if self.health.is_retired() {
            "it is retired, and is not called until it was reopened"
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

/// Who calls a mutex.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    Region,
    Proxy,
}

/// A backend's mutex, whose failures are the backend's. What it answers ends no row of failures: it may be had of a storage
/// that can be neither read nor written.
struct WatchedMutex {
    mutex: Arc<dyn Mutex>,
    caller: Caller,
    owner: Weak<Instance>,
}

impl WatchedMutex {
    fn call<T: Send + 'static>(
        &self,
        made: &Made<T>,
        call: impl FnOnce(&dyn Mutex) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let Some(owner) = self.owner.upgrade() else {
            return call(&*self.mutex);
        };
        let watched = &owner.backend;
        let timeout = watched.call_timeout();
        let outcome = match timeout.filter(|_| self.caller == Caller::Region) {
            Some(timeout) => {
                Timed::new(Arc::clone(&owner), timeout).of_mutex(made, &self.mutex, call)
            }
            None => watched.seen(made.method, || call(&*self.mutex)),
        };
        outcome.map_err(|error| watched.failed_for(self.caller, error))
    }
}

impl Watched {
    fn failed_for(&self, caller: Caller, error: Error) -> Error {
        match caller {
            Caller::Region => self.failed(error),
            Caller::Proxy => self.failed_inside(error),
        }
    }
}

/// A mutex is used to its end, even if its backend is out: who holds it must be able to give it up.
impl Mutex for WatchedMutex {
    fn try_acquire(&self, lease: Duration) -> Result<Option<Lease>> {
        let release = |mutex: &dyn Mutex, taken: Option<Lease>| {
            if let Some(lease) = taken {
                // It passes by itself if this fails.
                let _ = mutex.release(lease);
            }
        };
        let made = Made::read("try_acquire").or_else(release);
        self.call(&made, move |mutex| mutex.try_acquire(lease))
    }

    fn wait(&self, timeout: Duration) -> Result<()> {
        let waited = self.mutex.wait(timeout);
        waited.map_err(|error| match self.owner.upgrade() {
            Some(owner) => owner.backend.failed_for(self.caller, error),
            None => error,
        })
    }

    fn renew(&self, lease: &mut Lease) -> Result<bool> {
        let mut own = *lease;
        let renewed = self.call(&Made::read("renew"), move |mutex| {
            mutex.renew(&mut own).map(|held| (held, own))
        })?;
        *lease = renewed.1;
        Ok(renewed.0)
    }

    fn release(&self, lease: Lease) -> Result<()> {
        self.call(&Made::write("release"), move |mutex| mutex.release(lease))
    }

    fn is_locked(&self) -> Result<bool> {
        self.call(&Made::read("is_locked"), |mutex| mutex.is_locked())
    }
}
