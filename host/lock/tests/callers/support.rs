//! A store and its callers.

use dogpile_lock::{
    Clock, Flights, LockError, Operation, Outcome, Reading, Request, Storing, WaitGraph,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

pub(crate) type Table = Flights<u64, String>;
pub(crate) type Gotten = Result<Outcome<u64>, LockError<String>>;

pub(crate) const HASH: u64 = 0x1234_5678_9abc_def0;

/// A value and its creation time, and a count of what was done to them.
pub(crate) struct Store {
    pub(crate) value: Mutex<Option<(u64, u64)>>,
    pub(crate) reads: AtomicUsize,
    pub(crate) creations: AtomicUsize,
    pub(crate) clock: Clock,
    pub(crate) expiration_time: u64,
}

impl Store {
    pub(crate) fn new(clock: Clock, expiration_time: u64) -> Self {
        Self {
            value: Mutex::new(None),
            reads: AtomicUsize::new(0),
            creations: AtomicUsize::new(0),
            clock,
            expiration_time,
        }
    }

    pub(crate) fn empty() -> Self {
        Self::new(Clock::manual(1_000).0, u64::MAX)
    }

    pub(crate) fn read(&self) -> Reading<u64> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        match *self.value.lock().unwrap() {
            None => Reading::Missing,
            Some((value, created)) if self.clock.exact() - created > self.expiration_time => {
                Reading::Stale {
                    value,
                    meanwhile: true,
                    on_error: false,
                }
            }
            Some((value, _)) => Reading::Fresh(value),
        }
    }

    /// Stores what is created: the number of the creation, from 1.
    pub(crate) fn make(&self) -> u64 {
        let number = self.number();
        self.write(number);
        number
    }

    /// Of a creation that begins.
    pub(crate) fn number(&self) -> u64 {
        self.creations.fetch_add(1, Ordering::SeqCst) as u64 + 1
    }

    pub(crate) fn write(&self, value: u64) {
        *self.value.lock().unwrap() = Some((value, self.clock.exact()));
    }

    pub(crate) fn stored(&self) -> Option<u64> {
        self.value.lock().unwrap().map(|(value, _)| value)
    }

    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    pub(crate) fn creations(&self) -> usize {
        self.creations.load(Ordering::SeqCst)
    }
}

/// An operation on the store with a creator of the test's.
pub(crate) struct Call<'a, C> {
    pub(crate) store: &'a Store,
    pub(crate) creator: C,
}

impl<C: FnMut() -> Result<u64, String>> Operation for Call<'_, C> {
    type Value = u64;
    type Error = String;
    type Lease = ();

    async fn read_again(&mut self) -> Result<Reading<u64>, String> {
        Ok(self.store.read())
    }

    async fn create(&mut self) -> Result<u64, String> {
        (self.creator)()
    }

    /// The creator has done it.
    async fn store(
        &mut self,
        _: &u64,
        _: Storing<u64, String>,
        _: Option<&()>,
    ) -> Result<(), String> {
        Ok(())
    }
}

pub(crate) fn table() -> Table {
    Flights::new(WaitGraph::new())
}

/// One whole call: reads, then goes through the lock.
pub(crate) fn call(
    flights: &Table,
    key: &str,
    store: &Store,
    wait: Option<Duration>,
    creator: impl FnMut() -> Result<u64, String>,
) -> Gotten {
    let first = store.read();
    let mut operation = Call { store, creator };
    let request = Request {
        wait,
        ..Request::new(HASH, key, first)
    };
    flights.get_or_create(request, &mut operation)
}

/// A gate that opens once.
#[derive(Default)]
pub(crate) struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub(crate) fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    pub(crate) fn pass(&self) {
        let closed = self
            .opened
            .wait_while(self.open.lock().unwrap(), |open| !*open);
        drop(closed.unwrap());
    }
}

/// Comes back when `count` callers wait for the key.
pub(crate) fn until_waiting(flights: &Table, key: &str, count: usize) {
    while flights.waiting(HASH, key) != count {
        std::thread::yield_now();
    }
}
