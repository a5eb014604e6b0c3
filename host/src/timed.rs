//! Calls that are made by threads of an instance, which own what they need, so that their callers can leave.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dogpile_plugin_api::{
    AnyBackend, BackendInstance, BackendStats, Error, ErrorKind, Guarded, Key, Lease, Mutex,
    OwnedKey, Properties, Result, Value,
};
use parking_lot::{Condvar, Mutex as Lock};

use crate::instance::Instance;
use crate::pool::Pool;

/// Calls of an instance that are made at once.
const THREADS: usize = 32;

/// Calls that wait for a thread. Those that nobody waits for any more count until a thread comes to them.
const QUEUED: usize = 1024;

/// The threads of an instance. There are none until they are needed.
pub(crate) struct TimedThreads(Pool);

impl Default for TimedThreads {
    fn default() -> Self {
        Self(Pool::new("dogpile-timed", THREADS, QUEUED))
    }
}

/// An instance as regions with a `call_timeout` call it.
pub(crate) struct Timed {
    instance: Arc<Instance>,
    timeout: Duration,
}

/// What is made, and what becomes of it if nobody waits for it any more.
pub(crate) struct Made<T> {
    pub(crate) method: &'static str,
    /// Whether it may change what is stored.
    writes: bool,
    /// What is done with what a mutex gave too late.
    late: fn(&dyn Mutex, T),
}

impl<T> Made<T> {
    pub(crate) fn read(method: &'static str) -> Self {
        Self {
            method,
            writes: false,
            late: |_, _| {},
        }
    }

    pub(crate) fn write(method: &'static str) -> Self {
        Self {
            writes: true,
            ..Self::read(method)
        }
    }

    pub(crate) fn or_else(self, late: fn(&dyn Mutex, T)) -> Self {
        Self { late, ..self }
    }
}

impl Timed {
    pub(crate) fn new(instance: Arc<Instance>, timeout: Duration) -> Self {
        Self { instance, timeout }
    }

    fn read<T: Send + 'static>(
        &self,
        method: &'static str,
        call: impl FnOnce(&BackendInstance) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.call(method, false, call, drop)
    }

    fn write<T: Send + 'static>(
        &self,
        method: &'static str,
        call: impl FnOnce(&BackendInstance) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.call(method, true, call, drop)
    }

    /// One call of a mutex of the instance.
    pub(crate) fn of_mutex<T: Send + 'static>(
        &self,
        made: &Made<T>,
        mutex: &Arc<dyn Mutex>,
        call: impl FnOnce(&dyn Mutex) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (mutex, theirs, late) = (Arc::clone(mutex), Arc::clone(mutex), made.late);
        let call = move |_: &BackendInstance| call(&*mutex);
        self.call(made.method, made.writes, call, move |outcome| {
            if let Ok(given) = outcome {
                late(&*theirs, given);
            }
        })
    }

    /// Has a thread make a call, and waits for it. What comes too late goes to `late`, on that thread.
    fn call<T: Send + 'static>(
        &self,
        method: &'static str,
        writes: bool,
        call: impl FnOnce(&BackendInstance) -> Result<T> + Send + 'static,
        late: impl FnOnce(Result<T>) + Send + 'static,
    ) -> Result<T> {
        let meeting = Arc::new(Meeting {
            state: Lock::new(State::Queued),
            answered: Condvar::new(),
        });
        let (theirs, instance) = (Arc::clone(&meeting), Arc::clone(&self.instance));
        let job = move || {
            if !theirs.begin() {
                return;
            }
            let outcome = instance.backend.make(method, call);
            if let Some(outcome) = theirs.answer(outcome) {
                late(outcome);
            }
        };
        let timeout = self.timeout;
        let timed_threads = &self.instance.backend.timed_threads().0;
        if timed_threads.submit(Box::new(job)).is_err() {
            return Err(no_thread(method, "and too many calls wait for one"));
        }
        match meeting.wait(timeout) {
            Waited::Answered(outcome) => outcome,
            Waited::Queued => Err(no_thread(
                method,
                &format!("within the {timeout:?} of `call_timeout`"),
            )),
            Waited::Begun if writes => {
                let error = Error::new(
                    ErrorKind::Timeout,
                    format!(
                        "took longer than the {timeout:?} of `call_timeout` in {method}, which may still be done at any \
                         time"
                    ),
                );
                // Whatever the proxies have done already: it lands in the backend.
                self.instance.base().backend.gave_up(&error);
                Err(error)
            }
            Waited::Begun => Err(Error::new(
                ErrorKind::Timeout,
                format!("took longer than the {timeout:?} of `call_timeout` in {method}"),
            )),
        }
    }
}

#[cold]
fn no_thread(method: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::Timeout,
        format!("all its {THREADS} threads are in other calls, {why}: {method} was not begun"),
    )
}

/// Where the caller and the thread meet.
struct Meeting<T> {
    state: Lock<State<T>>,
    answered: Condvar,
}

enum State<T> {
    Queued,
    Begun,
    Answered(T),
    Left,
}

enum Waited<T> {
    Answered(T),
    /// It was not begun, and is not from now on.
    Queued,
    Begun,
}

impl<T> Meeting<T> {
    /// Whether anybody still waits.
    fn begin(&self) -> bool {
        let mut state = self.state.lock();
        let waits = matches!(*state, State::Queued);
        if waits {
            *state = State::Begun;
        }
        waits
    }

    /// Leaves the answer; gives it back if nobody waits for it any more.
    fn answer(&self, answer: T) -> Option<T> {
        let mut state = self.state.lock();
        if matches!(*state, State::Left) {
            return Some(answer);
        }
        *state = State::Answered(answer);
        drop(state);
        self.answered.notify_one();
        None
    }

    fn wait(&self, timeout: Duration) -> Waited<T> {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.state.lock();
        loop {
            if matches!(*state, State::Answered(_)) {
                return left(&mut state);
            }
            match deadline {
                Some(deadline) => {
                    if self.answered.wait_until(&mut state, deadline).timed_out() {
                        return left(&mut state);
                    }
                }
                None => self.answered.wait(&mut state),
            }
        }
    }
}

fn left<T>(state: &mut State<T>) -> Waited<T> {
    match std::mem::replace(state, State::Left) {
        State::Answered(answer) => Waited::Answered(answer),
        State::Queued => Waited::Queued,
        State::Begun | State::Left => Waited::Begun,
    }
}

fn owned(keys: &[Key<'_>]) -> Vec<OwnedKey> {
    keys.iter().map(OwnedKey::from).collect()
}

fn borrowed(keys: &[OwnedKey]) -> Vec<Key<'_>> {
    keys.iter().map(OwnedKey::as_key).collect()
}

impl AnyBackend for Timed {
    fn get(&self, key: &Key<'_>) -> Result<Option<Value>> {
        let key = OwnedKey::from(key);
        self.read("get", move |raw| raw.get(&key.as_key()))
    }

    fn get_fresh(&self, key: &Key<'_>) -> Result<Option<Value>> {
        let key = OwnedKey::from(key);
        self.read("get_fresh", move |raw| raw.get_fresh(&key.as_key()))
    }

    fn get_multi(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Value>>> {
        let keys = owned(keys);
        self.read("get_multi", move |raw| raw.get_multi(&borrowed(&keys)))
    }

    fn get_multi_fresh(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Value>>> {
        let keys = owned(keys);
        self.read("get_multi_fresh", move |raw| {
            raw.get_multi_fresh(&borrowed(&keys))
        })
    }

    fn set(&self, key: &Key<'_>, value: &Value) -> Result<()> {
        let (key, value) = (OwnedKey::from(key), value.clone());
        self.write("set", move |raw| raw.set(&key.as_key(), &value))
    }

    fn set_guarded(&self, key: &Key<'_>, value: &Value, lease: &Lease) -> Result<Guarded> {
        let (key, value, lease) = (OwnedKey::from(key), value.clone(), *lease);
        self.write("set_guarded", move |raw| {
            raw.set_guarded(&key.as_key(), &value, &lease)
        })
    }

    fn set_guarded_multi(&self, entries: &[(Key<'_>, Value, Lease)]) -> Result<Vec<Guarded>> {
        let own = |(key, value, lease): &(Key<'_>, Value, Lease)| {
            (OwnedKey::from(key), value.clone(), *lease)
        };
        let entries: Vec<_> = entries.iter().map(own).collect();
        self.write("set_guarded_multi", move |raw| {
            let entries = entries.iter();
            let entries: Vec<_> = entries
                .map(|(key, value, lease)| (key.as_key(), value.clone(), *lease))
                .collect();
            raw.set_guarded_multi(&entries)
        })
    }

    fn set_multi(&self, entries: &[(Key<'_>, Value)]) -> Result<()> {
        let own = |(key, value): &(Key<'_>, Value)| (OwnedKey::from(key), value.clone());
        let entries: Vec<_> = entries.iter().map(own).collect();
        self.write("set_multi", move |raw| {
            let entries = entries.iter();
            let entries: Vec<_> = entries
                .map(|(key, value)| (key.as_key(), value.clone()))
                .collect();
            raw.set_multi(&entries)
        })
    }

    fn delete(&self, key: &Key<'_>) -> Result<()> {
        let key = OwnedKey::from(key);
        self.write("delete", move |raw| raw.delete(&key.as_key()))
    }

    fn delete_multi(&self, keys: &[Key<'_>]) -> Result<()> {
        let keys = owned(keys);
        self.write("delete_multi", move |raw| {
            raw.delete_multi(&borrowed(&keys))
        })
    }

    fn clear(&self) -> Result<()> {
        self.write("clear", BackendInstance::clear)
    }

    fn ping(&self) -> Result<()> {
        self.read("ping", BackendInstance::ping)
    }

    fn stats(&self) -> Result<BackendStats> {
        self.read("stats", BackendInstance::stats)
    }

    /// The host closes it.
    fn close(&self) -> Result<()> {
        Ok(())
    }

    fn mutex(&self, key: &Key<'_>) -> Result<Option<Box<dyn Mutex>>> {
        let key = OwnedKey::from(key);
        self.read("mutex", move |raw| raw.mutex(&key.as_key()))
    }

    fn key_mangler(&self) -> Result<Option<String>> {
        Ok(self.instance.key_mangler.clone())
    }

    fn properties(&self) -> Properties {
        self.instance.properties
    }

    fn reconfigure(&self, _: &str) -> Result<bool> {
        Ok(false)
    }
}
