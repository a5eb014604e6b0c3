//! The lock under a model checker, which chooses the interleavings:
//! `cargo test -p dogpile-lock --features model-check --test model`.
//!
//! Each test runs 10,000 random schedules (`DOGPILE_MODEL_SCHEDULES`) from one seed, which it prints. A failing run is
//! repeated by setting `DOGPILE_MODEL_SEED` to it.
#![cfg(feature = "model-check")]

use dogpile_lock::{Flights, LockError, Operation, Outcome, Reading, Source, WaitGraph};
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread::{self, JoinHandle};
use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

type Gotten = Result<Outcome<usize>, LockError<String>>;

fn number<N: FromStr<Err: Debug>>(variable: &str) -> Option<N> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

/// Runs the model over many schedules.
fn check(model: impl Fn() + Send + Sync + 'static) {
    let random = || RandomState::new().hash_one("");
    let seed = number("DOGPILE_MODEL_SEED").unwrap_or_else(random);
    let schedules = number("DOGPILE_MODEL_SCHEDULES").unwrap_or(10_000);
    eprintln!("DOGPILE_MODEL_SEED={seed} ({schedules} schedules)");
    shuttle::check_random_with_seed(model, seed, schedules);
}

/// Something that must have come about in at least one schedule of a test, or the test shows nothing.
struct Reached(&'static str, std::sync::atomic::AtomicBool);

impl Reached {
    const fn new(what: &'static str) -> Self {
        Self(what, std::sync::atomic::AtomicBool::new(false))
    }

    fn note(&self, came_about: bool) {
        self.1.fetch_or(came_about, Ordering::Relaxed);
    }

    fn require(&self) {
        assert!(self.1.load(Ordering::Relaxed), "never seen: {}", self.0);
    }
}

/// What a creator does, besides making a value.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Makes,
    Fails,
    Panics,
}

/// One key's stored value, which is stale while it is less than `wanted`.
struct Store {
    value: Mutex<usize>,
    wanted: AtomicUsize,
    reads: AtomicUsize,
    creations: AtomicUsize,
    /// Of the standard library: shuttle's may not be touched while a panic unwinds.
    at_work: std::sync::atomic::AtomicUsize,
}

/// Counts a creator at work for as long as it is.
struct AtWork<'a>(&'a std::sync::atomic::AtomicUsize);

impl<'a> AtWork<'a> {
    fn on(store: &'a Store) -> Self {
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
    fn holding(value: usize, wanted: usize) -> Self {
        Self {
            value: Mutex::new(value),
            wanted: AtomicUsize::new(wanted),
            reads: AtomicUsize::new(0),
            creations: AtomicUsize::new(0),
            at_work: std::sync::atomic::AtomicUsize::new(0),
        }
    }

    fn read(&self) -> Reading<usize> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        match *self.value.lock().unwrap() {
            0 => Reading::Missing,
            value if value < self.wanted.load(Ordering::SeqCst) => Reading::Stale(value),
            value => Reading::Fresh(value),
        }
    }

    fn creations(&self) -> usize {
        self.creations.load(Ordering::SeqCst)
    }
}

/// One host: a table, a wait graph, and stores "a", "b" and "c".
struct World {
    flights: Flights<usize, String>,
    stores: [Store; 3],
}

const KEYS: [&str; 3] = ["a", "b", "c"];
const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

struct Call<'a, F> {
    world: &'a World,
    key: usize,
    creator: F,
}

impl<F: FnMut(usize) -> Result<Mood, String>> Operation for Call<'_, F> {
    type Value = usize;
    type Error = String;

    fn read_again(&mut self) -> Result<Reading<usize>, String> {
        Ok(self.world.stores[self.key].read())
    }

    fn create(&mut self) -> Result<usize, String> {
        let store = &self.world.stores[self.key];
        let _at_work = AtWork::on(store);
        let creation = store.creations.fetch_add(1, Ordering::SeqCst) + 1;
        match (self.creator)(creation)? {
            Mood::Makes => {
                let value = store.wanted.load(Ordering::SeqCst);
                *store.value.lock().unwrap() = value;
                Ok(value)
            }
            Mood::Fails => Err(format!("creation {creation} failed")),
            // Past the panic hook, which would print the schedule each time.
            Mood::Panics => resume_unwind(Box::new("on purpose")),
        }
    }
}

impl World {
    fn new(stores: [Store; 3]) -> Arc<Self> {
        let flights = Flights::new(WaitGraph::new());
        Arc::new(Self { flights, stores })
    }

    fn empty() -> Arc<Self> {
        Self::new([0, 0, 0].map(|value| Store::holding(value, 1)))
    }

    fn call(
        &self,
        key: usize,
        wait: Option<Duration>,
        creator: impl FnMut(usize) -> Result<Mood, String>,
    ) -> Gotten {
        let first = self.stores[key].read();
        let mut operation = Call {
            world: self,
            key,
            creator,
        };
        // Keys of equal hash share one shard, as the worst case does.
        self.flights
            .get_or_create(7, KEYS[key], first, &mut operation, wait)
    }

    /// A call whose creator's mood depends on how many creations of the key there were, and may panic.
    fn call_in_mood(&self, key: usize, mood: impl Fn(usize) -> Mood) -> Option<Gotten> {
        let called = || self.call(key, None, |creation| Ok(mood(creation)));
        catch_unwind(AssertUnwindSafe(called)).ok()
    }

    fn is_at_rest(&self) -> bool {
        let mut keys = KEYS.iter();
        keys.all(|key| !self.flights.is_creating(7, key))
            && format!("{:?}", self.flights).contains("waits: 0")
    }
}

/// Runs `callers` threads and gives what they gave.
fn crowd<T: Send + 'static>(
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

fn count(gotten: &[Outcome<usize>], source: Source) -> usize {
    gotten.iter().filter(|got| got.source == source).count()
}

#[test]
fn a_first_miss_is_created_once_and_waiters_do_not_read() {
    static REACHED: Reached = Reached::new("three waiters");
    check(|| {
        let world = World::empty();
        let gotten = crowd(&world, 4, |world, _| {
            world.call(A, None, |_| Ok(Mood::Makes)).unwrap()
        });
        assert!(gotten.iter().all(|got| got.value == 1));
        assert_eq!(count(&gotten, Source::Created), 1);
        assert_eq!(world.stores[A].creations(), 1);
        REACHED.note(count(&gotten, Source::Waited) == 3);
        // One read each, and a second by each who had the turn; those who came with a fresh value are among the last.
        let waited = count(&gotten, Source::Waited);
        let reads = world.stores[A].reads.load(Ordering::SeqCst);
        assert!(reads <= 4 + 4 - waited);
    });
    REACHED.require();
}

#[test]
fn an_expiry_is_created_once_and_nobody_with_a_stale_value_waits() {
    static REACHED: Reached = Reached::new("stale values meanwhile");
    check(|| {
        let world = World::new([1, 1, 1].map(|value| Store::holding(value, 2)));
        let gotten = crowd(&world, 4, |world, _| {
            world.call(A, None, |_| Ok(Mood::Makes)).unwrap()
        });
        assert_eq!(world.stores[A].creations(), 1);
        assert_eq!(count(&gotten, Source::Created), 1);
        assert_eq!(count(&gotten, Source::Waited), 0);
        REACHED.note(count(&gotten, Source::Stale) == 3);
        for got in gotten {
            let expected = if got.source == Source::Stale { 1 } else { 2 };
            assert_eq!(got.value, expected);
        }
    });
    REACHED.require();
}

#[test]
fn each_of_several_expiries_is_created_once() {
    check(|| {
        let world = World::empty();
        crowd(&world, 3, |world, at| {
            for round in 1..=3 {
                if at == 0 {
                    // Nobody creates ahead of the expiry, and this thread sees each through.
                    world.stores[A].wanted.store(round, Ordering::SeqCst);
                    while world.call(A, None, |_| Ok(Mood::Makes)).unwrap().value < round {
                        thread::yield_now();
                    }
                } else {
                    world.call(A, None, |_| Ok(Mood::Makes)).unwrap();
                }
            }
        });
        assert_eq!(world.stores[A].creations(), 3);
    });
}

#[test]
fn a_panic_hands_the_turn_to_the_next_waiter() {
    static REACHED: Reached = Reached::new("a waiter of the third creator");
    check(|| {
        let world = World::empty();
        let gotten = crowd(&world, 4, |world, _| {
            world.call_in_mood(A, |creation| {
                if creation <= 2 {
                    Mood::Panics
                } else {
                    Mood::Makes
                }
            })
        });
        let gotten: Vec<_> = gotten.into_iter().flatten().map(Result::unwrap).collect();
        assert_eq!(gotten.len(), 2, "two panicked, each to its own caller");
        assert!(gotten.iter().all(|got| got.value == 1));
        REACHED.note(count(&gotten, Source::Waited) == 1);
        assert_eq!(count(&gotten, Source::Created), 1);
        assert_eq!(world.stores[A].creations(), 3);
    });
    REACHED.require();
}

#[test]
fn waiters_share_an_error_and_the_next_call_creates() {
    static REACHED: Reached = Reached::new("an error shared by all");
    check(|| {
        let world = World::empty();
        let gotten = crowd(&world, 4, |world, _| {
            world.call(A, None, |creation| match creation {
                1 => Ok(Mood::Fails),
                _ => Ok(Mood::Makes),
            })
        });
        // Who came after the failed flight created anew, once.
        let failed = gotten.iter().filter(|got| got.is_err()).count();
        REACHED.note(failed == 4);
        assert!(failed >= 1);
        for error in gotten.into_iter().filter_map(Result::err) {
            assert_eq!(error, LockError::Creation("creation 1 failed".to_owned()));
        }
        let all_failed = failed == 4;
        assert_eq!(world.stores[A].creations(), if all_failed { 1 } else { 2 });
        let next = world.call(A, None, |_| Ok(Mood::Makes)).unwrap();
        assert_eq!(next.value, 1);
    });
    REACHED.require();
}

#[test]
fn a_turn_handed_to_a_waiter_that_times_out_is_not_lost() {
    static REACHED: Reached = Reached::new("a time-out");
    check(|| {
        let world = World::empty();
        let gotten = crowd(&world, 4, |world, at| {
            // Two have a deadline, so that the one chosen and the next may both be about to leave.
            let wait = (at < 2).then_some(Duration::from_secs(1));
            let mood = |creation| {
                Ok(if creation == 1 {
                    Mood::Panics
                } else {
                    Mood::Makes
                })
            };
            let called = || world.call(A, wait, mood);
            (at, catch_unwind(AssertUnwindSafe(called)).ok())
        });
        let panicked = gotten.iter().filter(|(_, got)| got.is_none()).count();
        assert_eq!(panicked, 1);
        REACHED.note(gotten.iter().any(|(_, got)| matches!(got, Some(Err(_)))));
        for (at, got) in gotten {
            match got {
                None => {}
                Some(Ok(outcome)) => assert_eq!(outcome.value, 1),
                Some(Err(error)) => {
                    assert_eq!(error, LockError::TimedOut(Duration::from_secs(1)));
                    assert!(at < 2, "timed out without a deadline");
                }
            }
        }
        assert_eq!(world.stores[A].creations(), 2);
    });
    REACHED.require();
}

#[test]
fn a_waiter_that_times_out_leaves_the_creation_alone() {
    check(|| {
        let world = World::empty();
        let gotten = crowd(&world, 4, |world, _| {
            world.call(A, Some(Duration::from_secs(1)), |_| Ok(Mood::Makes))
        });
        for got in &gotten {
            match got {
                Ok(outcome) => assert_eq!(outcome.value, 1),
                Err(error) => assert_eq!(*error, LockError::TimedOut(Duration::from_secs(1))),
            }
        }
        let gotten: Vec<_> = gotten.into_iter().flatten().collect();
        assert_eq!(count(&gotten, Source::Created), 1);
        assert_eq!(world.stores[A].creations(), 1);
    });
}

/// Calls `outer`, whose creator calls `inner`; gives what the two calls gave, the inner one if there was one.
fn nested(world: &World, outer: usize, inner: usize) -> (Gotten, Option<Gotten>) {
    let mut seen = None;
    let gotten = world.call(outer, None, |_| {
        let gotten = world.call(inner, None, |_| Ok(Mood::Makes));
        seen = Some(gotten.clone());
        gotten
            .map(|_| Mood::Makes)
            .map_err(|error| error.to_string())
    });
    (gotten, seen)
}

fn is_circle(seen: Option<&Gotten>) -> bool {
    matches!(seen, Some(Err(LockError::Circle(_))))
}

#[test]
fn two_creators_that_wait_for_each_other_end_with_one_error() {
    static REACHED: Reached = Reached::new("a circle");
    check(|| {
        let world = World::empty();
        let gotten = crowd(&world, 2, |world, at| match at {
            0 => nested(world, A, B),
            _ => nested(world, B, A),
        });
        let circles = gotten
            .iter()
            .filter(|(_, seen)| is_circle(seen.as_ref()))
            .count();
        assert!(circles <= 1);
        REACHED.note(circles == 1);
        // Without a circle nothing fails.
        if circles == 0 {
            assert!(gotten.iter().all(|(outer, _)| outer.is_ok()));
        }
    });
    REACHED.require();
}

#[test]
fn of_three_creators_in_a_ring_one_gets_an_error_and_only_if_it_is_closed() {
    static REACHED: Reached = Reached::new("a circle");
    check(|| {
        let world = World::empty();
        let gotten = crowd(&world, 3, |world, at| nested(world, at, (at + 1) % 3));
        let circles = gotten
            .iter()
            .filter(|(_, seen)| is_circle(seen.as_ref()))
            .count();
        assert!(circles <= 1);
        REACHED.note(circles == 1);
        if circles == 0 {
            assert!(gotten.iter().all(|(outer, _)| outer.is_ok()));
        }
    });
    REACHED.require();
}

#[test]
fn waiting_in_one_order_is_never_a_circle() {
    check(|| {
        let world = World::empty();
        let gotten = crowd(&world, 4, |world, at| match at {
            0 => nested(world, A, B),
            1 => nested(world, A, C),
            2 => nested(world, B, C),
            // One after the other, with no creator in between: no order to keep.
            _ => {
                world.call(C, None, |_| Ok(Mood::Makes)).unwrap();
                world.call(A, None, |_| Ok(Mood::Makes)).unwrap();
                (world.call(B, None, |_| Ok(Mood::Makes)), None)
            }
        });
        for (outer, seen) in gotten {
            assert!(!is_circle(seen.as_ref()));
            outer.unwrap();
        }
    });
}

#[test]
fn a_turn_that_changed_hands_is_no_false_circle_and_hides_no_true_one() {
    static REACHED: Reached = Reached::new("a circle");
    check(|| {
        let world = World::empty();
        // The first creation of "a" panics while others wait for it and wait for what they hold.
        let gotten = crowd(&world, 4, |world, at| {
            let called = || match at {
                0 | 1 => {
                    let mut circle = false;
                    let gotten = world.call(A, None, |creation| {
                        if creation == 1 {
                            return Ok(Mood::Panics);
                        }
                        let inner = world.call(B, None, |_| Ok(Mood::Makes));
                        circle = matches!(inner, Err(LockError::Circle(_)));
                        Ok(Mood::Makes)
                    });
                    (gotten.map(|_| ()), circle)
                }
                // Holds "b" and asks for "a": a circle with whoever creates "a" and asks for "b".
                2 => {
                    let mut circle = false;
                    let gotten = world.call(B, None, |_| {
                        let inner = world.call(A, None, |creation| {
                            Ok(if creation == 1 {
                                Mood::Panics
                            } else {
                                Mood::Makes
                            })
                        });
                        circle = matches!(inner, Err(LockError::Circle(_)));
                        Ok(Mood::Makes)
                    });
                    (gotten.map(|_| ()), circle)
                }
                // Only ever waits.
                _ => {
                    let gotten = world.call(A, None, |creation| {
                        Ok(if creation == 1 {
                            Mood::Panics
                        } else {
                            Mood::Makes
                        })
                    });
                    (gotten.map(|_| ()), false)
                }
            };
            catch_unwind(AssertUnwindSafe(called)).ok()
        });
        let panicked = gotten.iter().filter(|got| got.is_none()).count();
        assert_eq!(panicked, 1);
        let mut circles = 0;
        for (gotten, circle) in gotten.into_iter().flatten() {
            circles += usize::from(circle);
            gotten.unwrap();
        }
        assert!(circles <= 1);
        REACHED.note(circles == 1);
    });
    REACHED.require();
}

#[test]
fn a_waiter_that_is_ahead_of_the_wait_graph_still_closes_no_circle() {
    static REACHED: Reached = Reached::new("a circle after an earlier wait");
    check(|| {
        let world = World::empty();
        let gotten = crowd(&world, 3, |world, at| match at {
            0 => (world.call(A, None, |_| Ok(Mood::Makes)), None),
            1 => nested(world, B, C),
            // Waits for "a" first, with a deadline that lets it see the ending before it is woken.
            _ => {
                let mut seen = None;
                let mut waited = false;
                let gotten = world.call(C, None, |_| {
                    let wait = Some(Duration::from_secs(1));
                    let earlier = world.call(A, wait, |_| Ok(Mood::Makes));
                    waited = earlier.is_ok_and(|got| got.source == Source::Waited);
                    seen = Some(world.call(B, None, |_| Ok(Mood::Makes)));
                    Ok(Mood::Makes)
                });
                REACHED.note(waited && is_circle(seen.as_ref()));
                (gotten, seen)
            }
        });
        let circles = gotten.iter().filter(|(_, seen)| is_circle(seen.as_ref()));
        assert!(circles.count() <= 1);
    });
    REACHED.require();
}
