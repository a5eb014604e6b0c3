//! Callers whose futures are dropped.

use crate::executor::{Executor, poll, until, yield_now};
use crate::support::{Gate, HASH, Store, call, table, until_waiting};
use crate::task::{Task, call_task};
use dogpile_lock::{
    Acquired, Flights, LockError, Operation, Reading, Request, Source, Storing, Turn, WaitGraph,
};
use std::cell::Cell;
use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

#[test]
fn a_creators_future_that_is_dropped_hands_over_to_a_thread() {
    let flights = table();
    let store = Store::empty();
    let (waits, dropped) = (Gate::default(), Gate::default());
    thread::scope(|scope| {
        let next = scope.spawn(|| {
            waits.pass();
            call(&flights, "key", &store, None, || {
                dropped.pass();
                Ok(store.make())
            })
        });
        {
            let mut passage = pin!(call_task(&flights, "key", &store, pending));
            assert!(poll(passage.as_mut(), Waker::noop()).is_pending());
            waits.open();
            until_waiting(&flights, "key", 1);
        }
        dropped.open();
        assert_eq!(next.join().unwrap().unwrap().source, Source::Created);
    });
    assert!(!flights.is_creating(HASH, "key"));
}

/// Counts what creators hold.
struct Holds<'a>(&'a Cell<u32>);

impl Drop for Holds<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[test]
fn what_a_creator_holds_is_gone_before_the_next_one_begins() {
    let flights = table();
    let store = Store::empty();
    let held = Cell::new(0);
    let mut executor = Executor::default();
    let creator = async || {
        assert_eq!(held.replace(held.get() + 1), 0);
        let _holds = Holds(&held);
        yield_now().await;
        Ok(store.number())
    };
    let calls = || async {
        let outcome = call_task(&flights, "key", &store, creator).await.unwrap();
        assert_eq!(outcome.source, Source::Created);
    };
    let first = executor.spawn(async {
        let creator = async || {
            held.set(held.get() + 1);
            let _holds = Holds(&held);
            pending::<()>().await;
            Ok(0)
        };
        drop(call_task(&flights, "key", &store, creator).await);
    });
    executor.spawn(calls());
    executor.run_what_is_ready();
    assert_eq!((flights.waiting(HASH, "key"), held.get()), (1, 1));
    executor.cancel(first);
    executor.run();
    drop(executor);
    assert_eq!(held.get(), 0);
}

#[test]
fn a_waiter_that_is_dropped_leaves_the_line_and_one_that_was_chosen_hands_on() {
    let flights = table();
    let store = Store::empty();
    let turn = flights.try_turn(HASH, "key").unwrap();
    let mut executor = Executor::default();
    let never_creates = async || panic!("it was dropped");
    let gone = executor.spawn(async {
        drop(call_task(&flights, "key", &store, never_creates).await);
    });
    let chosen = executor.spawn(async {
        drop(call_task(&flights, "key", &store, never_creates).await);
    });
    executor.spawn(async {
        let creator = async || Ok(store.number());
        let outcome = call_task(&flights, "key", &store, creator).await.unwrap();
        assert_eq!(outcome.source, Source::Created);
    });
    executor.run_what_is_ready();
    assert_eq!(flights.waiting(HASH, "key"), 3);
    executor.cancel(gone);
    assert_eq!(flights.waiting(HASH, "key"), 2);
    drop(turn);
    // Chosen, and off the line, but not yet polled.
    assert_eq!(flights.waiting(HASH, "key"), 1);
    executor.cancel(chosen);
    executor.run();
    drop(executor);
    assert_eq!(store.creations(), 1);
    assert!(!flights.is_creating(HASH, "key"));
}

#[test]
fn a_call_dropped_with_nobody_waiting_leaves_nothing() {
    let flights = table();
    let store = Store::empty();
    {
        let mut passage = pin!(call_task(&flights, "key", &store, pending));
        assert!(poll(passage.as_mut(), Waker::noop()).is_pending());
        assert!(flights.is_creating(HASH, "key"));
    }
    assert!(!flights.is_creating(HASH, "key"));
}

#[test]
fn a_call_dropped_within_a_creator_is_no_longer_waited_for() {
    let flights = table();
    let (a, b) = (Store::empty(), Store::empty());
    let asks = Cell::new(false);
    let mut executor = Executor::default();
    executor.spawn(async {
        let creator = async || {
            {
                // Creates "b" within "a", and gives it up.
                let mut inner = pin!(call_task(&flights, "b", &b, pending));
                let began = std::future::poll_fn(|context| {
                    Poll::Ready(inner.as_mut().poll(context).is_pending())
                });
                assert!(began.await);
                until(|| flights.waiting(HASH, "b") == 1).await;
            }
            until(|| asks.get()).await;
            Ok(a.number())
        };
        call_task(&flights, "a", &a, creator).await.unwrap();
    });
    executor.spawn(async {
        let creator = async || {
            // Has "b" now and asks for "a", which does not depend on "b" any more.
            asks.set(true);
            let outcome = call_task(&flights, "a", &a, async || Ok(0)).await;
            assert_eq!(outcome.unwrap().value, 1);
            Ok(b.number())
        };
        call_task(&flights, "b", &b, creator).await.unwrap();
    });
    executor.run();
}

/// Its mutex is held by another process at first.
struct Elsewhere<'a, C> {
    task: Task<'a, C>,
    refusals: u32,
    watched: &'a Cell<Option<Turn<u64, String>>>,
}

impl<C, F> Operation for Elsewhere<'_, C>
where
    C: FnMut() -> F,
    F: Future<Output = Result<u64, String>>,
{
    type Value = u64;
    type Error = String;
    type Lease = ();

    async fn acquire(&mut self) -> Result<Acquired<()>, String> {
        if self.refusals == 0 {
            return Ok(Acquired::Unneeded);
        }
        self.refusals -= 1;
        Ok(Acquired::Elsewhere)
    }

    fn watch(&mut self, turn: Turn<u64, String>) {
        self.watched.set(Some(turn));
    }

    async fn read_again(&mut self) -> Result<Reading<u64>, String> {
        self.task.read_again().await
    }

    async fn create(&mut self) -> Result<u64, String> {
        self.task.create().await
    }

    async fn store(
        &mut self,
        value: &u64,
        storing: Storing<u64, String>,
        lease: Option<&()>,
    ) -> Result<(), String> {
        self.task.store(value, storing, lease).await
    }
}

#[test]
fn a_timer_that_has_ended_is_not_polled_again() {
    let flights = table();
    let store = Store::empty();
    let held = Cell::new(flights.try_turn(HASH, "key"));
    let watched = Cell::new(None);
    let mut operation = Elsewhere {
        task: Task {
            store: &store,
            creator: || std::future::ready(Ok(0)),
        },
        refusals: 1,
        watched: &watched,
    };
    let request = Request {
        wait: Some(Duration::from_secs(1)),
        ..Request::new(HASH, "key", Reading::Missing)
    };
    // At the very end of its patience the caller is given the turn; but another process has the mutex.
    let timer = async |_| drop(held.take());
    let mut passage = pin!(flights.get_or_create_async(request, &mut operation, timer));
    let Poll::Ready(Err(error)) = poll(passage.as_mut(), Waker::noop()) else {
        panic!("its patience is over");
    };
    assert_eq!(error, LockError::TimedOut(Duration::from_secs(1)));
    assert!(watched.take().is_some());
}

#[test]
fn a_tasks_patience_is_told_by_its_own_timer() {
    let flights = table();
    let store = Store::empty();
    let _turn = flights.try_turn(HASH, "key").unwrap();
    let over = Cell::new(false);
    let mut task = Task {
        store: &store,
        creator: async || panic!("nobody creates without the turn"),
    };
    let request = Request {
        wait: Some(Duration::from_secs(9)),
        ..Request::new(HASH, "key", Reading::Missing)
    };
    let timer = async |wait| {
        assert_eq!(wait, Duration::from_secs(9));
        until(|| over.get()).await;
    };
    let mut passage = pin!(flights.get_or_create_async(request, &mut task, timer));
    assert!(poll(passage.as_mut(), Waker::noop()).is_pending());
    over.set(true);
    let Poll::Ready(Err(error)) = poll(passage.as_mut(), Waker::noop()) else {
        panic!("its patience is over");
    };
    assert_eq!(error, LockError::TimedOut(Duration::from_secs(9)));
    assert_eq!(flights.waiting(HASH, "key"), 0);
}

/// Asks for a right that is lost as soon as it is there.
struct Losing<'a> {
    asked: &'a AtomicUsize,
    create: &'a (dyn Fn() -> u64 + Sync),
}

impl Operation for Losing<'_> {
    type Value = u64;
    type Error = String;
    type Lease = bool;

    async fn acquire(&mut self) -> Result<Acquired<bool>, String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(Acquired::Held(true))
    }

    async fn read_again(&mut self) -> Result<Reading<u64>, String> {
        Ok(Reading::Missing)
    }

    async fn create(&mut self) -> Result<u64, String> {
        Ok((self.create)())
    }

    async fn store(
        &mut self,
        _: &u64,
        _: Storing<u64, String, bool>,
        _: Option<&bool>,
    ) -> Result<(), String> {
        Ok(())
    }

    fn is_lost(lost: &bool) -> bool {
        *lost
    }
}

#[test]
fn a_lease_that_is_lost_is_not_handed_on() {
    let flights = Flights::<u64, String, bool>::new(WaitGraph::new());
    let asked = AtomicUsize::new(0);
    let call = |create: &(dyn Fn() -> u64 + Sync)| {
        let mut losing = Losing {
            asked: &asked,
            create,
        };
        let request = Request::new(HASH, "key", Reading::Missing);
        flights
            .get_or_create(request, &mut losing)
            .map(|outcome| outcome.value)
    };
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            call(&|| {
                while flights.waiting(HASH, "key") == 0 {
                    thread::yield_now();
                }
                panic!("its lease is handed on")
            })
        });
        while !flights.is_creating(HASH, "key") {
            thread::yield_now();
        }
        assert_eq!(call(&|| 2), Ok(2));
        assert!(first.join().is_err());
    });
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}
