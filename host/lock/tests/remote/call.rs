//! Callers whose creations need the mutex.

use crate::mutex::TestMutex;
use dogpile_lock::{
    Acquired, Flights, Held, LockError, Operation, Outcome, Reading, Remote, Request, Storing,
    Turn, WaitGraph,
};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
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
    /// Whether the creator never ends.
    for_ever: bool,
}

impl Key {
    pub(crate) fn new(name: impl Into<String>, mutex: TestMutex) -> Self {
        Self::of(name, Arc::new(mutex))
    }

    pub(crate) fn of(name: impl Into<String>, mutex: Arc<TestMutex>) -> Self {
        Self {
            name: name.into(),
            mutex,
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
        if self.for_ever {
            std::future::pending::<()>().await;
        }
        Ok(2)
    }

    /// The store refuses what is created under a lease that another has by now.
    async fn store(
        &mut self,
        value: &usize,
        storing: Storing<usize, String, Lease>,
        lease: Option<&Lease>,
    ) -> Result<(), String> {
        let lent = lease.expect("it is needed").lend();
        storing.run(|| {
            let lease = lent
                .hold()
                .filter(|lease| self.key.mutex.is_held_by(**lease));
            if lease.is_some() {
                *self.key.value.lock().unwrap() = *value;
            }
        });
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
            for_ever: false,
        };
        let request = Request::new(HASH, &key.name, key.read());
        self.flights.get_or_create(request, &mut operation)
    }

    /// An asynchronous call, which has come to a creator that never ends.
    pub(crate) fn call_for_ever<'a>(
        &'a self,
        key: &'a Key,
    ) -> Pin<Box<dyn Future<Output = Gotten> + 'a>> {
        let mut call = Box::pin(async move {
            let mut operation = Call {
                host: self,
                key,
                creator: || {},
                for_ever: true,
            };
            let request = Request::new(HASH, &key.name, key.read());
            let timer = |_| std::future::pending();
            self.flights
                .get_or_create_async(request, &mut operation, timer)
                .await
        });
        let mut context = Context::from_waker(Waker::noop());
        assert!(call.as_mut().poll(&mut context).is_pending());
        assert_eq!(key.creations(), 1);
        call
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
