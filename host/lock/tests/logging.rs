//! What the lock logs. Alone in its process, because whether a call site is enabled is known per process; each test has
//! keys of its own.
#![cfg(not(feature = "model-check"))]

use dogpile_lock::{
    Clock, Flights, Lock, LockError, ManualClock, ManyMade, MultiOperation, MultiRequest,
    Operation, Reading, Request, Retry, Storing, ToStore, WaitGraph,
};
use std::fmt::{Debug, Write};
use std::sync::{Mutex, Once, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// The messages of the lock with their fields.
static LINES: Mutex<Vec<Line>> = Mutex::new(Vec::new());

struct Log;

#[derive(Default)]
struct Line {
    message: String,
    /// The key, as it is shown.
    key: String,
    /// The other fields.
    rest: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "key" => self.key = format!("{value:?}"),
            name => write!(self.rest, " {name}={value:?}").unwrap(),
        }
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "dogpile.lock" && *metadata.level() == Level::DEBUG
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        LINES.lock().unwrap().push(line);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

type Table = Flights<u64, String>;

fn table() -> Table {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Log).unwrap());
    Flights::new(WaitGraph::new())
}

/// What was logged of a key, in order.
fn logged(key: &str) -> Vec<String> {
    let key = format!("{key:?}");
    let lines = LINES.lock().unwrap();
    let own = lines.iter().filter(|line| line.key == key);
    own.map(|line| format!("{}{}", line.message, line.rest))
        .collect()
}

const CREATES: &str = "creating the value";
const WAITS: &str = "no value, waiting while another creates it";
const SERVES: &str = "another creates the value, serving the stale one";

#[test]
fn each_branch_is_logged_with_its_key_and_a_fresh_value_is_not() {
    let flights = table();
    let (clock, hand) = Clock::manual(1_000);
    let stored = Mutex::new(None);
    let lock = Lock::new(&flights, "branches").expiration_time(Duration::from_nanos(10));
    let lock = lock.clock(clock.clone());
    let read = || Ok(*stored.lock().unwrap());
    let create = || {
        *stored.lock().unwrap() = Some((1, clock.exact()));
        Ok(1)
    };
    lock.get_or_create(read, create).unwrap();
    lock.get_or_create(read, create).unwrap();
    hand.advance(Duration::from_nanos(11));
    let outcome = lock.get_or_create(read, || {
        lock.get_or_create(read, create).unwrap();
        *stored.lock().unwrap() = None;
        let refused = lock.get_or_create(read, create);
        assert!(matches!(refused, Err(LockError::Circle(_))));
        create()
    });
    outcome.unwrap();
    let circle = r#"waiting would close a circle circle=["branches"]"#;
    assert_eq!(logged("branches"), [CREATES, CREATES, SERVES, circle]);
}

#[test]
fn long_keys_are_cut() {
    let flights = table();
    let long = "ö".repeat(301);
    let cut = "ö".repeat(300);
    let lock = Lock::new(&flights, &long);
    let create = || {
        let own = lock.get_or_create(|| Ok(None), || Ok(1));
        assert!(matches!(own, Err(LockError::Circle(_))));
        Ok(1)
    };
    lock.get_or_create(|| Ok(None), create).unwrap();
    let circle = format!("waiting would close a circle circle=[{cut:?}]");
    assert_eq!(logged(&cut), [CREATES, &*circle]);
    assert!(logged(&long).is_empty());
}

#[test]
fn what_is_found_when_it_is_read_again_is_logged() {
    let flights = table();
    let lock = Lock::new(&flights, "again");
    let mut reads = [None, Some((1, 1))].into_iter();
    lock.get_or_create(|| Ok(reads.next().unwrap()), || unreachable!())
        .unwrap();
    assert_eq!(logged("again"), ["read again: a fresh value is there"]);
}

/// The longest that a test waits for another caller.
const LONG: Duration = Duration::from_secs(30);

/// A caller that waits for another, which then creates or falls over.
fn wait_for(flights: &Table, key: &str, end: impl FnOnce() -> u64 + Send) -> Vec<String> {
    let lock = Lock::new(flights, key);
    let (creating, is_creating) = mpsc::channel();
    thread::scope(|scope| {
        let creator = {
            let lock = lock.clone();
            scope.spawn(move || {
                let create = || {
                    creating.send(()).unwrap();
                    // In line, and so far that it has logged that, or never will.
                    let began = Instant::now();
                    while lock.waiting() == 0 || logged(key).len() < 2 {
                        assert!(began.elapsed() < LONG, "{:?}", logged(key));
                        thread::yield_now();
                    }
                    Ok(end())
                };
                lock.get_or_create(|| Ok(None), create)
            })
        };
        is_creating.recv().unwrap();
        lock.get_or_create(|| Ok(None), || Ok(2)).unwrap();
        // What it ends with, a panic too, is the test's wish.
        drop(creator.join());
    });
    logged(key)
}

#[test]
fn a_wait_and_its_end_are_logged() {
    let flights = table();
    assert_eq!(
        wait_for(&flights, "waits", || 1),
        [CREATES, WAITS, "the creation waited for has ended"]
    );
    let gone = wait_for(&flights, "takes over", || panic!("on purpose"));
    let over = "the creator is gone, taking over";
    assert_eq!(gone, [CREATES, WAITS, over, CREATES]);

    let lock = Lock::new(&flights, "too long").wait(Duration::ZERO);
    let create = || {
        let late = thread::scope(|scope| {
            let other = scope.spawn(|| lock.get_or_create(|| Ok(None), || Ok(2)));
            other.join().unwrap()
        });
        assert_eq!(late, Err(LockError::TimedOut(Duration::ZERO)));
        Ok(1)
    };
    lock.get_or_create(|| Ok(None), create).unwrap();
    assert_eq!(logged("too long"), [CREATES, WAITS, "waited too long"]);
}

/// Several keys, or one: reads the same again, and creates as it is told.
struct Call<C> {
    reading: Reading<u64>,
    create: C,
}

impl<C: FnMut() -> Result<u64, String>> Operation for Call<C> {
    type Value = u64;
    type Error = String;
    type Lease = ();

    async fn read_again(&mut self) -> Result<Reading<u64>, String> {
        Ok(self.reading)
    }

    async fn create(&mut self) -> Result<u64, String> {
        (self.create)()
    }

    async fn store(
        &mut self,
        _: &u64,
        _: Storing<u64, String>,
        _: Option<&()>,
    ) -> Result<(), String> {
        Ok(())
    }
}

impl<C: FnMut() -> Result<u64, String>> MultiOperation for Call<C> {
    type Value = u64;
    type Error = String;
    type Lease = ();

    async fn read_again(&mut self, numbers: &[usize]) -> Vec<Result<Reading<u64>, String>> {
        numbers.iter().map(|_| Ok(self.reading)).collect()
    }

    async fn create(&mut self, numbers: &[usize]) -> ManyMade<u64, String> {
        let value = (self.create)()?;
        Ok(numbers.iter().map(|_| Ok(value)).collect())
    }

    async fn store(
        &mut self,
        values: Vec<ToStore<'_, u64, String, ()>>,
    ) -> Vec<Result<(), String>> {
        values.iter().map(|_| Ok(())).collect()
    }
}

const HASH: u64 = 1;
const STALE: Reading<u64> = Reading::Stale {
    value: 1,
    meanwhile: false,
    on_error: true,
};
const MEANWHILE: Reading<u64> = Reading::Stale {
    value: 1,
    meanwhile: true,
    on_error: false,
};

/// A call with several keys, all of which were read as the same.
fn several(
    flights: &Table,
    keys: &[&str],
    reading: Reading<u64>,
    retry: Option<Retry<'_>>,
    create: impl FnMut() -> Result<u64, String>,
) -> Result<(), LockError<String>> {
    let request = MultiRequest {
        keys: keys.iter().map(|key| (HASH, *key, reading)).collect(),
        wait: Some(Duration::ZERO),
        retry,
    };
    flights
        .get_or_create_multi(request, &mut Call { reading, create })
        .map(drop)
}

#[test]
fn a_stale_value_in_the_place_of_a_failure_is_logged() {
    let flights = table();
    let (clock, _hand): (Clock, ManualClock) = Clock::manual(1_000);
    let retry = Some(Retry {
        after: Duration::from_secs(1),
        clock: &clock,
    });
    let mut failing = Call {
        reading: STALE,
        create: || Err("down".to_owned()),
    };
    for _ in 0..2 {
        let request = Request {
            retry,
            ..Request::new(HASH, "fails", STALE)
        };
        flights.get_or_create(request, &mut failing).unwrap();
    }
    let failed = "the creation failed, serving the stale value";
    let lately = "the creation failed lately, serving the stale value";
    assert_eq!(logged("fails"), [CREATES, failed, lately]);

    for _ in 0..2 {
        let keys = ["fail one", "fail two"];
        several(&flights, &keys, STALE, retry, || Err("down".to_owned())).unwrap();
    }
    for key in ["fail one", "fail two"] {
        assert_eq!(logged(key), [failed, lately]);
    }
}

#[test]
fn the_branches_of_several_keys_are_logged_by_key_and_their_creation_by_number() {
    let flights = table();
    let keys = ["several: a", "several: b", "several: c"];
    let create = || {
        let own = |reading| several(&flights, &keys[..2], reading, None, || unreachable!());
        own(MEANWHILE).unwrap();
        thread::scope(|scope| {
            let other = scope.spawn(|| own(Reading::Missing));
            let late = other.join().unwrap().unwrap_err();
            assert_eq!(late, LockError::TimedOut(Duration::ZERO));
        });
        let circle = own(Reading::Missing).unwrap_err();
        assert!(matches!(circle, LockError::Circle(_)));
        Ok(1)
    };
    several(&flights, &keys, Reading::Missing, None, create).unwrap();
    let circle = r#"waiting would close a circle circle=["several: a"]"#;
    assert_eq!(logged(keys[0]), [SERVES, WAITS, circle]);
    assert_eq!(logged(keys[1]), [SERVES, WAITS]);
    let lines = LINES.lock().unwrap();
    let created = lines
        .iter()
        .filter(|line| line.message == "creating the values");
    let counts: Vec<_> = created.map(|line| &*line.rest).collect();
    assert!(counts.contains(&" keys=3"), "{counts:?}");
}
