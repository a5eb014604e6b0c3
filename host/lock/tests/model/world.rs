//! A host of three keys, its callers, and another process.

use dogpile_lock::{
    Acquired, Clock, Flights, LockError, Operation, Outcome, Reading, Request, Retry, Source,
    Storing, Turn, WaitGraph,
};
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread::{self, JoinHandle};
use shuttle::{future, rand};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize as StdAtomicUsize;
use std::time::Duration;

pub(crate) type Gotten = Result<Outcome<usize>, LockError<String>>;
pub(crate) type KeyTurn = Turn<usize, String, Leave>;

/// What a creator does, besides making a value.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mood {
    Makes,
    Fails,
    Panics,
}

pub(crate) async fn makes(_: usize) -> Result<Mood, String> {
    Ok(Mood::Makes)
}

pub(crate) async fn fails(_: usize) -> Result<Mood, String> {
    Ok(Mood::Fails)
}

/// Panics in the creations up to that one.
pub(crate) fn panics_until(last: usize) -> impl AsyncFnMut(usize) -> Result<Mood, String> {
    async move |creation| {
        Ok(if creation <= last {
            Mood::Panics
        } else {
            Mood::Makes
        })
    }
}

/// One key's stored value, which is stale while it is less than `wanted`; a creation gives what was wanted when it began.
pub(crate) struct Store {
    pub(crate) value: Mutex<usize>,
    pub(crate) wanted: AtomicUsize,
    /// Less than that must not be stored any more, and may not be served while another is created.
    pub(crate) least: StdAtomicUsize,
    /// What a stale value is good for.
    meanwhile: bool,
    on_error: bool,
    pub(crate) reads: AtomicUsize,
    creations: AtomicUsize,
    /// Of the standard library: shuttle's may not be touched while a panic unwinds.
    at_work: StdAtomicUsize,
}

/// Counts a creator at work for as long as it is.
pub(crate) struct AtWork<'a>(&'a StdAtomicUsize);

impl<'a> AtWork<'a> {
    pub(crate) fn on(store: &'a Store) -> Self {
        let others = store.at_work.fetch_add(1, Ordering::SeqCst);
        assert_eq!(others, 0, "two creators of one key at once");
        Self(&store.at_work)
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Store {
    /// 0 is nothing stored.
    pub(crate) fn holding(value: usize, wanted: usize) -> Self {
        Self {
            value: Mutex::new(value),
            wanted: AtomicUsize::new(wanted),
            least: StdAtomicUsize::new(0),
            meanwhile: true,
            on_error: false,
            reads: AtomicUsize::new(0),
            creations: AtomicUsize::new(0),
            at_work: StdAtomicUsize::new(0),
        }
    }

    /// As it is, with a stale value that is good for that.
    pub(crate) fn good(self, meanwhile: bool, on_error: bool) -> Self {
        Self {
            meanwhile,
            on_error,
            ..self
        }
    }

    pub(crate) fn read(&self) -> Reading<usize> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let value = *self.value.lock().unwrap();
        if value == 0 {
            Reading::Missing
        } else if value < self.wanted.load(Ordering::SeqCst) {
            Reading::Stale {
                value,
                meanwhile: self.meanwhile,
                on_error: self.on_error,
            }
        } else {
            Reading::Fresh(value)
        }
    }

    /// Notes a creation that begins, and gives its number and the value it is to make.
    pub(crate) fn begin(&self) -> (usize, usize) {
        let creation = self.creations.fetch_add(1, Ordering::SeqCst) + 1;
        (creation, self.wanted.load(Ordering::SeqCst))
    }

    pub(crate) fn write(&self, value: usize) {
        let mut stored = self.value.lock().unwrap();
        let least = self.least.load(Ordering::SeqCst);
        assert!(value >= least, "stored after a deletion that came later");
        *stored = value;
    }

    pub(crate) fn creations(&self) -> usize {
        self.creations.load(Ordering::SeqCst)
    }

    /// As an application deletes: what is wanted changes, and the old value goes. Less is not to be seen from here on.
    pub(crate) fn delete(&self, flights: &Flights<usize, String, Leave>, key: &str) {
        let wanted = self.wanted.fetch_add(1, Ordering::SeqCst) + 1;
        flights.delete(HASH, key);
        // No caller can store between the two: both hold the value's lock.
        let mut stored = self.value.lock().unwrap();
        *stored = 0;
        self.least.store(wanted, Ordering::SeqCst);
    }
}

/// Keys of equal hash share one shard, as the worst case does.
pub(crate) const HASH: u64 = 7;
pub(crate) const KEYS: [&str; 3] = ["a", "b", "c"];
pub(crate) const A: usize = 0;
pub(crate) const B: usize = 1;
pub(crate) const C: usize = 2;

/// Who holds the mutex that other processes respect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Holder {
    Nobody,
    Us,
    They,
}

/// The mutex of all keys; not needed where it is none.
pub(crate) struct Elsewhere {
    holder: Option<std::sync::Mutex<Holder>>,
    pub(crate) asked: StdAtomicUsize,
}

/// This process has the mutex.
pub(crate) struct Leave(Arc<Elsewhere>);

impl Elsewhere {
    pub(crate) fn holder(&self) -> Holder {
        let holder = self.holder.as_ref();
        *holder.expect("needed").lock().unwrap()
    }

    pub(crate) fn set(&self, holder: Holder) -> Holder {
        let own = self.holder.as_ref();
        std::mem::replace(&mut own.expect("needed").lock().unwrap(), holder)
    }

    pub(crate) fn acquire(self: &Arc<Self>) -> Acquired<Leave> {
        if self.holder.is_none() {
            return Acquired::Unneeded;
        }
        thread::yield_now();
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut holder = self.holder.as_ref().expect("needed").lock().unwrap();
        if *holder != Holder::Nobody {
            return Acquired::Elsewhere;
        }
        *holder = Holder::Us;
        Acquired::Held(Leave(Arc::clone(self)))
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        assert_eq!(self.0.set(Holder::Nobody), Holder::Us);
    }
}

/// One host: a table, a wait graph, and the stores of the keys.
pub(crate) struct World {
    pub(crate) flights: Flights<usize, String, Leave>,
    pub(crate) stores: [Store; 3],
    pub(crate) elsewhere: Arc<Elsewhere>,
    /// Turns that wait for another process, and turns of creations that were put off.
    pub(crate) watched: std::sync::Mutex<Vec<KeyTurn>>,
    pub(crate) put_off: std::sync::Mutex<Vec<KeyTurn>>,
}

/// How a caller calls.
#[derive(Clone, Default)]
pub(crate) struct Terms {
    pub(crate) wait: Option<Duration>,
    pub(crate) retry: Option<Clock>,
    /// It puts its creation off if it can.
    pub(crate) puts_off: bool,
    /// It wants no stale value.
    pub(crate) wants_fresh: bool,
    /// The key that a call of several cannot read again.
    pub(crate) unreadable: Option<usize>,
}

impl Terms {
    pub(crate) fn impatient() -> Self {
        Self {
            wait: Some(PATIENCE),
            ..Self::default()
        }
    }
}

/// Whether it has passed is the schedule's choice.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) struct Call<'a, F> {
    world: &'a World,
    key: usize,
    terms: Terms,
    creator: F,
}

impl<F: AsyncFnMut(usize) -> Result<Mood, String>> Operation for Call<'_, F> {
    type Value = usize;
    type Error = String;
    type Lease = Leave;

    async fn acquire(&mut self) -> Result<Acquired<Leave>, String> {
        Ok(self.world.elsewhere.acquire())
    }

    fn watch(&mut self, turn: KeyTurn) {
        self.world.watched.lock().unwrap().push(turn);
    }

    fn take_away(&mut self, turn: KeyTurn) -> Option<KeyTurn> {
        if !self.terms.puts_off {
            return Some(turn);
        }
        self.world.put_off.lock().unwrap().push(turn);
        None
    }

    async fn read_again(&mut self) -> Result<Reading<usize>, String> {
        Ok(self.read())
    }

    async fn create(&mut self) -> Result<usize, String> {
        let store = &self.world.stores[self.key];
        let _at_work = AtWork::on(store);
        let (creation, value) = store.begin();
        act((self.creator)(creation).await?, creation)?;
        Ok(value)
    }

    async fn store(
        &mut self,
        value: &usize,
        storing: Storing<usize, String, Leave>,
        _: Option<&Leave>,
    ) -> Result<(), String> {
        storing.run(|| self.world.stores[self.key].write(*value));
        Ok(())
    }
}

impl<F> Call<'_, F> {
    fn read(&self) -> Reading<usize> {
        match self.world.stores[self.key].read() {
            Reading::Stale { .. } if self.terms.wants_fresh => Reading::Missing,
            reading => reading,
        }
    }
}

pub(crate) fn act(mood: Mood, creation: usize) -> Result<(), String> {
    match mood {
        Mood::Makes => Ok(()),
        Mood::Fails => Err(format!("creation {creation} failed")),
        // Past the panic hook, which would print the schedule each time.
        Mood::Panics => resume_unwind(Box::new("on purpose")),
    }
}

/// A task's timer.
pub(crate) async fn passes_some_time(_: Duration) {
    use rand::Rng;
    while !rand::thread_rng().gen_ratio(1, 4) {
        future::yield_now().await;
    }
}

impl World {
    pub(crate) fn new(stores: [Store; 3]) -> Arc<Self> {
        Self::beside(stores, None)
    }

    /// With a mutex that another process may hold.
    pub(crate) fn beside(stores: [Store; 3], holder: Option<Holder>) -> Arc<Self> {
        let elsewhere = Elsewhere {
            holder: holder.map(std::sync::Mutex::new),
            asked: StdAtomicUsize::new(0),
        };
        Arc::new(Self {
            flights: Flights::new(WaitGraph::new()),
            stores,
            elsewhere: Arc::new(elsewhere),
            watched: std::sync::Mutex::default(),
            put_off: std::sync::Mutex::default(),
        })
    }

    pub(crate) fn empty() -> Arc<Self> {
        Self::new([0, 0, 0].map(|value| Store::holding(value, 1)))
    }

    /// Each key has a value that is stale.
    pub(crate) fn expired() -> Arc<Self> {
        Self::new([1, 1, 1].map(|value| Store::holding(value, 2)))
    }

    pub(crate) fn operation<F>(&self, key: usize, terms: &Terms, creator: F) -> Call<'_, F> {
        Call {
            world: self,
            key,
            terms: terms.clone(),
            creator,
        }
    }

    /// A call that blocks.
    pub(crate) fn call(
        &self,
        key: usize,
        terms: &Terms,
        creator: impl AsyncFnMut(usize) -> Result<Mood, String>,
    ) -> Gotten {
        let mut operation = self.operation(key, terms, creator);
        let request = request(key, terms, operation.read());
        self.flights.get_or_create(request, &mut operation)
    }

    /// A call as a task.
    pub(crate) async fn call_async(
        &self,
        key: usize,
        terms: &Terms,
        creator: impl AsyncFnMut(usize) -> Result<Mood, String>,
    ) -> Gotten {
        let mut operation = self.operation(key, terms, creator);
        let request = request(key, terms, operation.read());
        let passage = self
            .flights
            .get_or_create_async(request, &mut operation, passes_some_time);
        Box::pin(passage).await
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        let mut keys = KEYS.iter();
        keys.all(|key| !self.flights.is_creating(HASH, key))
            && format!("{:?}", self.flights).contains("waits: 0")
    }
}

fn request(key: usize, terms: &Terms, first: Reading<usize>) -> Request<'_, usize> {
    Request {
        wait: terms.wait,
        retry: terms.retry.as_ref().map(|clock| Retry {
            after: Duration::from_secs(1),
            clock,
        }),
        ..Request::new(HASH, KEYS[key], first)
    }
}

/// What a call gave; `None` if it panicked.
pub(crate) fn caught<T>(called: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(called)).ok()
}

/// Runs `callers` threads and gives what they gave. Nothing may be left behind.
pub(crate) fn crowd<T: Send + 'static>(
    world: &Arc<World>,
    callers: usize,
    caller: impl Fn(&World, usize) -> T + Send + Sync + 'static,
) -> Vec<T> {
    let caller = Arc::new(caller);
    let threads: Vec<JoinHandle<T>> = (0..callers)
        .map(|at| {
            let (world, caller) = (Arc::clone(world), Arc::clone(&caller));
            thread::spawn(move || caller(&world, at))
        })
        .collect();
    let ended = threads.into_iter().map(|thread| thread.join().unwrap());
    let ended = ended.collect();
    assert!(world.is_at_rest(), "something is left behind");
    ended
}

pub(crate) fn count(gotten: &[Outcome<usize>], source: Source) -> usize {
    gotten.iter().filter(|got| got.source == source).count()
}
