//! Callers whose creations need the mutex.

use crate::mutex::TestMutex;
use dogpile_lock::{
    Acquired, Flights, Held, LockError, Operation, Outcome, Reading, Remote, Request, Storing,
    Turn, WaitGraph,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const HASH: u64 = 42;

/// No test waits for so long.
pub(crate) const LEASE: Duration = Duration::from_mins(10);

type Lease = Held<TestMutex>;
pub(crate) type Gotten = Result<Outcome<usize>, LockError<String>>;

/// One key of a store that several processes use.
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) mutex: Arc<TestMutex>,
    /// 0 is nothing; less than 2 is stale.
    pub(crate) value: Mutex<usize>,
    pub(crate) creations: AtomicUsize,
}

pub(crate) struct Host {
    pub(crate) flights: Flights<usize, String, Lease>,
    pub(crate) remote: Remote<TestMutex>,
    pub(crate) lease: Duration,
}

struct Call<'a, C> {
    host: &'a Host,
    key: &'a Key,
    creator: C,
}

impl Key {
    pub(crate) fn new(name: impl Into<String>, mutex: TestMutex) -> Self {
        Self {
            name: name.into(),
            mutex: Arc::new(mutex),
            value: Mutex::new(0),
            creations: AtomicUsize::new(0),
        }
    }

    fn read(&self) -> Reading<usize> {
        match *self.value.lock().unwrap() {
            0 => Reading::Missing,
            1 => Reading::Stale {
                value: 1,
                meanwhile: true,
                on_error: false,
            },
            value => Reading::Fresh(value),
        }
    }

    pub(crate) fn creations(&self) -> usize {
        self.creations.load(Ordering::SeqCst)
    }
}

impl<C: FnMut()> Operation for Call<'_, C> {
    type Value = usize;
    type Error = String;
    type Lease = Lease;

    async fn acquire(&mut self) -> Result<Acquired<Lease>, String> {
        let held = self
            .host
            .remote
            .try_acquire(&self.key.mutex, self.host.lease)?;
        Ok(held.map_or(Acquired::Elsewhere, Acquired::Held))
    }

    fn watch(&mut self, turn: Turn<usize, String, Lease>) {
        let mutex = Arc::clone(&self.key.mutex);
        self.host.remote.watch(mutex, self.host.lease, turn);
    }

    async fn read_again(&mut self) -> Result<Reading<usize>, String> {
        Ok(self.key.read())
    }

    async fn create(&mut self) -> Result<usize, String> {
        self.key.creations.fetch_add(1, Ordering::SeqCst);
        (self.creator)();
        Ok(2)
    }

    /// What is created under a lost lease is not stored.
    async fn store(
        &mut self,
        value: &usize,
        storing: Storing<usize, String, Lease>,
        lease: Option<&Lease>,
    ) -> Result<(), String> {
        let lent = lease.expect("it is needed").lend();
        storing.run(|| lent.with(|_| *self.key.value.lock().unwrap() = *value));
        Ok(())
    }

    async fn release(&mut self, lease: Lease) {
        lease.release().unwrap();
    }
}

impl Host {
    pub(crate) fn new(lease: Duration) -> Self {
        Self {
            flights: Flights::new(WaitGraph::new()),
            remote: Remote::new(),
            lease,
        }
    }

    pub(crate) fn call(&self, key: &Key, creator: impl FnMut()) -> Gotten {
        let mut operation = Call {
            host: self,
            key,
            creator,
        };
        let request = Request::new(HASH, &key.name, key.read());
        self.flights.get_or_create(request, &mut operation)
    }

    pub(crate) fn until_waiting(&self, key: &Key, count: usize) {
        while self.flights.waiting(HASH, &key.name) != count {
            std::thread::yield_now();
        }
    }

    /// Comes back when the key is neither created nor known to be created elsewhere.
    pub(crate) fn until_free(&self, key: &Key) {
        while self.flights.is_creating(HASH, &key.name) {
            std::thread::yield_now();
        }
    }
}
