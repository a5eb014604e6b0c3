//! How soon the end of another process is noticed where nothing tells of it: a next owner is to start within a quarter
//! of a second of the end of the lease.
#![cfg(not(feature = "model-check"))]

use dogpile_lock::{
    Acquired, Flights, Held, Operation, Reading, Remote, RemoteMutex, Request, Source, Storing,
    Turn, WaitGraph,
};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_millis(250);

/// The longest that the test waits for anything.
const LONG: Duration = Duration::from_secs(60);

/// One more than a thread each waits for, and one more.
const KEYS: usize = 66;

/// A mutex that another process holds until it is let go.
#[derive(Default)]
struct Theirs {
    seen: Mutex<Seen>,
    news: Condvar,
}

#[derive(Default)]
struct Seen {
    free: bool,
    /// How long it was to be waited for.
    waits: Vec<Duration>,
    /// When it was looked at.
    looks: Vec<Instant>,
}

impl RemoteMutex for Theirs {
    type Lease = ();
    type Error = String;

    fn try_acquire(&self, _: Duration) -> Result<Option<()>, String> {
        Ok(self.seen.lock().unwrap().free.then_some(()))
    }

    fn wait(&self, timeout: Duration) -> Result<(), String> {
        let mut seen = self.seen.lock().unwrap();
        seen.waits.push(timeout);
        self.news.notify_all();
        let waited = self
            .news
            .wait_timeout_while(seen, timeout, |seen| !seen.free);
        drop(waited.unwrap());
        Ok(())
    }

    fn renew(&self, (): &mut ()) -> Result<bool, String> {
        Ok(true)
    }

    fn release(&self, (): ()) -> Result<(), String> {
        Ok(())
    }

    fn is_locked(&self) -> Result<bool, String> {
        let mut seen = self.seen.lock().unwrap();
        seen.looks.push(Instant::now());
        self.news.notify_all();
        Ok(!seen.free)
    }
}

impl Theirs {
    fn until(&self, what: &str, mut come: impl FnMut(&Seen) -> bool) {
        let seen = self.seen.lock().unwrap();
        let waited = self.news.wait_timeout_while(seen, LONG, |seen| !come(seen));
        assert!(!waited.unwrap().1.timed_out(), "waited {LONG:?} for {what}");
    }
}

struct Call<'a> {
    remote: &'a Remote<Theirs>,
    mutex: &'a Arc<Theirs>,
}

impl Operation for Call<'_> {
    type Value = u64;
    type Error = String;
    type Lease = Held<Theirs>;

    async fn acquire(&mut self) -> Result<Acquired<Held<Theirs>>, String> {
        let held = self.remote.try_acquire(self.mutex, LONG)?;
        Ok(held.map_or(Acquired::Elsewhere, Acquired::Held))
    }

    fn watch(&mut self, turn: Turn<u64, String, Held<Theirs>>) {
        self.remote.watch(Arc::clone(self.mutex), LONG, turn);
    }

    async fn read_again(&mut self) -> Result<Reading<u64>, String> {
        unreachable!("another process creates it")
    }

    async fn create(&mut self) -> Result<u64, String> {
        unreachable!("another process creates it")
    }

    async fn store(
        &mut self,
        _: &u64,
        _: Storing<u64, String, Held<Theirs>>,
        _: Option<&Held<Theirs>>,
    ) -> Result<(), String> {
        unreachable!("another process creates it")
    }
}

#[test]
#[cfg_attr(miri, ignore = "there everything takes longer")]
fn a_mutex_that_tells_nothing_is_looked_at_often_enough_with_a_thread_of_its_own_and_without() {
    let (remote, flights) = (Remote::new(), Flights::new(WaitGraph::new()));
    let mutexes: Vec<_> = (0..KEYS).map(|_| Arc::<Theirs>::default()).collect();
    let names: Vec<_> = (0..KEYS).map(|number| format!("key {number}")).collect();
    for (mutex, name) in mutexes.iter().zip(&names) {
        let stale = Reading::Stale {
            value: 1,
            meanwhile: true,
            on_error: false,
        };
        let mut call = Call {
            remote: &remote,
            mutex,
        };
        let request = Request::new(1, name, stale);
        let got = flights.get_or_create(request, &mut call).unwrap();
        assert_eq!(got.source, Source::Stale);
    }
    let (waited_for, looked_at) = mutexes.split_at(64);
    for mutex in waited_for {
        mutex.until("a second wait", |seen| seen.waits.len() >= 2);
        let waits = mutex.seen.lock().unwrap().waits.clone();
        assert!(waits.iter().all(|wait| *wait < SOON), "{waits:?}");
    }
    for mutex in looked_at {
        mutex.until("some looks", |seen| seen.looks.len() >= 6);
        let seen = mutex.seen.lock().unwrap();
        assert!(seen.waits.is_empty(), "it has no thread");
        // A machine that is busy makes pauses longer, never all of them.
        let pauses = seen.looks.windows(2).map(|two| two[1] - two[0]);
        let shortest = pauses.min().unwrap();
        assert!(shortest < SOON, "{shortest:?}");
    }
    for mutex in &mutexes {
        mutex.seen.lock().unwrap().free = true;
        mutex.news.notify_all();
    }
    let began = Instant::now();
    while names.iter().any(|name| flights.is_creating(1, name)) {
        assert!(began.elapsed() < LONG, "a key is not let go");
        thread::yield_now();
    }
}
