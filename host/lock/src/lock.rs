//! The lock of one key, for use alone.

use crate::block::Blocking;
use crate::clock::Clock;
use crate::error::LockError;
use crate::failures::Retry;
use crate::flights::Flights;
use crate::freshness::{Expiry, Freshness, Outdated, judge};
use crate::operation::{Operation, Outcome, Reading};
use crate::passage::Request;
use crate::storing::Storing;
use std::fmt::{self, Debug, Formatter};
use std::future::ready;
use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

/// The dogpile lock of one key: it knows a mutex (the key in a table of [`Flights`]), an expiration time and a clock,
/// and is given a reader of value and creation time, and a creator.
///
/// Without further settings a value never expires, an expired one may be served however old while another is created,
/// and a caller waits for as long as it takes. A `Lock` is cheap to make for each call.
///
/// ```
/// use dogpile_lock::{Clock, Flights, Lock, Source, WaitGraph};
/// use std::sync::Mutex;
/// use std::time::Duration;
///
/// let flights = Flights::<String, String>::new(WaitGraph::new());
/// let store = Mutex::new(None);
/// let (clock, hand) = Clock::manual(1_000_000_000);
/// let lock = Lock::new(&flights, "greeting").expiration_time(Duration::from_secs(60)).clock(clock.clone());
///
/// let reader = || Ok(store.lock().unwrap().clone());
/// let creator = || {
///     let value = "hello".to_owned();
///     *store.lock().unwrap() = Some((value.clone(), clock.exact()));
///     Ok(value)
/// };
/// assert_eq!(lock.get_or_create(reader, creator)?.source, Source::Created);
/// assert_eq!(lock.get_or_create(reader, creator)?.source, Source::Fresh);
/// hand.advance(Duration::from_secs(61));
/// assert_eq!(lock.get_or_create(reader, creator)?.source, Source::Created);
/// # Ok::<(), dogpile_lock::LockError<String>>(())
/// ```
#[derive(Clone)]
pub struct Lock<'a, V, E> {
    flights: &'a Flights<V, E>,
    hash: u64,
    key: &'a str,
    expiry: Expiry,
    wait: Option<Duration>,
    retry_after: Duration,
    clock: Clock,
}

impl<'a, V: Clone, E: Clone> Lock<'a, V, E> {
    /// The lock of `key`. Locks of equal keys in the same table are one. They are not one with who calls
    /// [`Flights::get_or_create`] with a hash of its own.
    pub fn new(flights: &'a Flights<V, E>, key: &'a str) -> Self {
        // A hash without a secret will do: the table never holds more keys than there are creators at work.
        let mut hasher = DefaultHasher::new();
        hasher.write(key.as_bytes());
        Self {
            flights,
            hash: hasher.finish(),
            key,
            expiry: Expiry::NEVER,
            wait: None,
            retry_after: Duration::ZERO,
            clock: Clock::system(),
        }
    }

    /// How old a value may be; one that is older is expired.
    #[must_use]
    pub fn expiration_time(mut self, time: Duration) -> Self {
        self.expiry.expiration_time = nanoseconds(time);
        self
    }

    /// How long past its expiry a value may be served while another is created. Zero: not at all.
    #[must_use]
    pub fn max_stale(mut self, time: Duration) -> Self {
        self.expiry.max_stale = nanoseconds(time);
        self
    }

    /// How long to wait for another caller's creation.
    #[must_use]
    pub fn wait(mut self, time: Duration) -> Self {
        self.wait = Some(time);
        self
    }

    /// The clock by which values are judged; creation times must be of the same.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Whether somebody in this process is creating the value at this moment.
    pub fn is_creating(&self) -> bool {
        self.flights.is_creating(self.hash, self.key)
    }

    /// How many callers are blocked at this moment until the creation ends.
    pub fn waiting(&self) -> usize {
        self.flights.waiting(self.hash, self.key)
    }

    /// How long past its expiry a value may be served if the creation of another fails, and how long after the failure
    /// nobody who can be served it tries again.
    ///
    /// ```
    /// use dogpile_lock::{Clock, Flights, Lock, Source, WaitGraph};
    /// use std::time::Duration;
    ///
    /// let flights = Flights::<&str, &str>::new(WaitGraph::new());
    /// let (clock, hand) = Clock::manual(1_000_000_000);
    /// let (minute, second) = (Duration::from_secs(60), Duration::from_secs(1));
    /// let lock = Lock::new(&flights, "rate").expiration_time(minute).stale_if_error(minute, second).clock(clock);
    ///
    /// hand.advance(minute + second);
    /// let outcome = lock.get_or_create(|| Ok(Some(("0.93", 1_000_000_000))), || Err("no connection"))?;
    /// assert_eq!((outcome.value, outcome.source), ("0.93", Source::Stale));
    /// hand.advance(minute);
    /// assert!(lock.get_or_create(|| Ok(Some(("0.93", 1_000_000_000))), || Err("no connection")).is_err());
    /// # Ok::<(), dogpile_lock::LockError<&str>>(())
    /// ```
    #[must_use]
    pub fn stale_if_error(mut self, time: Duration, retry_after: Duration) -> Self {
        self.expiry.stale_if_error = nanoseconds(time);
        self.retry_after = retry_after;
        self
    }

    /// Gives the value, creating it if need be and if no other caller does.
    ///
    /// `reader` gives the stored value and its creation time in nanoseconds since 1970, or `None`; a time of 0 is as
    /// good as no value. It is called once, and once more before creating. `creator` makes the value *and stores it*
    /// where the reader finds it. Both run on this thread, under no internal lock.
    ///
    /// # Errors
    /// As [`Flights::get_or_create`]; an error of the first read goes to this caller alone.
    pub fn get_or_create(
        &self,
        mut reader: impl FnMut() -> Result<Option<(V, u64)>, E>,
        creator: impl FnOnce() -> Result<V, E>,
    ) -> Result<Outcome<V>, LockError<E>> {
        let blocking = Blocking::new();
        blocking.on(self.get_or_create_async(
            || ready(reader()),
            || ready(creator()),
            |wait| blocking.deadline(wait),
        ))
    }

    /// As [`Lock::get_or_create`], as a future: for every runtime, and for the same key together with callers that
    /// block. To drop it hands the turn to the next, if it has it. `timer` gives a future that ends when that time has
    /// passed since its first poll; it is called only if there is a [`Lock::wait`].
    ///
    /// ```
    /// use dogpile_lock::{Blocking, Flights, Lock, Source, WaitGraph};
    ///
    /// let flights = Flights::<u32, String>::new(WaitGraph::new());
    /// let lock = Lock::new(&flights, "answer");
    /// // With tokio: `tokio::time::sleep`, within an async block so that it begins when it is polled.
    /// let timer = |_| std::future::pending::<()>();
    /// let answer = lock.get_or_create_async(async || Ok(None), async || Ok(42), timer);
    /// assert_eq!(Blocking::new().on(answer)?.source, Source::Created);
    /// # Ok::<(), dogpile_lock::LockError<String>>(())
    /// ```
    ///
    /// # Errors
    /// As there.
    pub async fn get_or_create_async<R, C, S>(
        &self,
        reader: impl FnMut() -> R,
        creator: impl FnOnce() -> C,
        timer: impl FnOnce(Duration) -> S,
    ) -> Result<Outcome<V>, LockError<E>>
    where
        R: Future<Output = Result<Option<(V, u64)>, E>>,
        C: Future<Output = Result<V, E>>,
        S: Future<Output = ()>,
    {
        let mut call = Call {
            reader,
            creator: Some(creator),
            expiry: self.expiry,
            clock: &self.clock,
        };
        let request = Request {
            hash: self.hash,
            key: self.key,
            first: call.read_again().await.map_err(LockError::Creation)?,
            wait: self.wait,
            retry: (self.expiry.stale_if_error > 0).then_some(Retry {
                after: self.retry_after,
                clock: &self.clock,
            }),
        };
        self.flights
            .get_or_create_async(request, &mut call, timer)
            .await
    }
}

impl<V, E> Debug for Lock<'_, V, E> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("key", &self.key)
            .field("expiry", &self.expiry)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

struct Call<'a, R, C> {
    reader: R,
    creator: Option<C>,
    expiry: Expiry,
    clock: &'a Clock,
}

impl<V, E, R, C, RF, CF> Operation for Call<'_, R, C>
where
    V: Clone,
    E: Clone,
    R: FnMut() -> RF,
    C: FnOnce() -> CF,
    RF: Future<Output = Result<Option<(V, u64)>, E>>,
    CF: Future<Output = Result<V, E>>,
{
    type Value = V;
    type Error = E;
    type Lease = ();

    async fn read_again(&mut self) -> Result<Reading<V>, E> {
        let Some((value, created @ 1..)) = (self.reader)().await? else {
            return Ok(Reading::Missing);
        };
        let now = self.clock.exact();
        let none = Outdated::default();
        Ok(match judge(now, created, created, &self.expiry, &none) {
            Freshness::Fresh => Reading::Fresh(value),
            Freshness::Stale {
                meanwhile,
                on_error,
                ..
            } => Reading::Stale {
                value,
                meanwhile,
                on_error,
            },
            Freshness::Unusable(_) => Reading::Missing,
        })
    }

    async fn create(&mut self) -> Result<V, E> {
        let creator = self.creator.take().expect("a caller creates at most once");
        creator().await
    }

    /// The creator has done it.
    async fn store(&mut self, _: &V, _: Storing<V, E>, _: Option<&()>) -> Result<(), E> {
        Ok(())
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
