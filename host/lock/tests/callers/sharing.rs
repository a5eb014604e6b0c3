//! Tasks and threads with one key.

use crate::executor::{Executor, block_on, poll, until};
use crate::support::{Gate, HASH, Store, call, table, until_waiting};
use crate::task::{Task, call_task, never};
use dogpile_lock::{Flights, Reading, Request, Source, Turn, WaitGraph};
use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Wake, Waker};
use std::thread;

const CALLERS: usize = 8;

#[test]
fn tasks_on_one_thread_share_one_creation_that_takes_many_polls() {
    let flights = table();
    let store = Store::empty();
    let sources = RefCell::new(HashMap::new());
    let mut executor = Executor::default();
    for _ in 0..CALLERS {
        executor.spawn(async {
            let creator = async || {
                until(|| flights.waiting(HASH, "key") == CALLERS - 1).await;
                Ok(store.number())
            };
            let outcome = call_task(&flights, "key", &store, creator).await.unwrap();
            assert_eq!(outcome.value, 1);
            *sources.borrow_mut().entry(outcome.source).or_insert(0) += 1;
        });
    }
    executor.run();
    drop(executor);
    let expected = HashMap::from([(Source::Created, 1), (Source::Waited, CALLERS - 1)]);
    assert_eq!(sources.into_inner(), expected);
    assert_eq!(store.creations(), 1);
    assert_eq!(store.reads(), CALLERS + 1);
    assert_eq!(store.stored(), Some(1));
}

#[test]
fn threads_wait_for_a_task_that_creates() {
    let flights = table();
    let store = Store::empty();
    let creating = Gate::default();
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            creating.pass();
            call(&flights, "key", &store, None, || {
                panic!("a task creates it")
            })
        });
        let outcome = block_on(call_task(&flights, "key", &store, async || {
            creating.open();
            until(|| flights.waiting(HASH, "key") == 1).await;
            Ok(store.number())
        }));
        assert_eq!(outcome.unwrap().source, Source::Created);
        let outcome = waits.join().unwrap().unwrap();
        assert_eq!((outcome.value, outcome.source), (1, Source::Waited));
    });
}

#[test]
fn tasks_wait_for_a_thread_that_creates_and_do_not_hold_their_own_up() {
    let flights = table();
    let (store, other) = (Store::empty(), Store::empty());
    let (creating, finish) = (Gate::default(), Gate::default());
    thread::scope(|scope| {
        scope.spawn(|| {
            let outcome = call(&flights, "key", &store, None, || {
                creating.open();
                finish.pass();
                Ok(store.make())
            });
            assert_eq!(outcome.unwrap().source, Source::Created);
        });
        creating.pass();
        let waited = AtomicUsize::new(0);
        let mut executor = Executor::default();
        for _ in 0..CALLERS {
            executor.spawn(async {
                let creator = async || panic!("a thread creates it");
                let outcome = call_task(&flights, "key", &store, creator).await.unwrap();
                assert_eq!((outcome.value, outcome.source), (1, Source::Waited));
                waited.fetch_add(1, Ordering::SeqCst);
            });
        }
        executor.spawn(async {
            // The one thread of the executor is free for another key.
            let creator = async || Ok(other.number());
            let outcome = call_task(&flights, "other", &other, creator).await;
            assert_eq!(outcome.unwrap().source, Source::Created);
            until(|| flights.waiting(HASH, "key") == CALLERS).await;
            finish.open();
        });
        executor.run();
        drop(executor);
        assert_eq!(waited.into_inner(), CALLERS);
    });
}

#[test]
fn a_passage_may_go_from_thread_to_thread() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let flights = table();
    let store = Store::empty();
    let turn = flights.try_turn(HASH, "key").unwrap();
    let creator = || std::future::ready(Ok(store.number()));
    let mut task = Task {
        store: &store,
        creator,
    };
    let request = Request::new(HASH, "key", Reading::Missing);
    let mut passage = Box::pin(is_send(
        flights.get_or_create_async(request, &mut task, never),
    ));
    assert!(poll(passage.as_mut(), Waker::noop()).is_pending());
    let outcome = thread::scope(|scope| {
        let elsewhere = scope.spawn(|| block_on(passage));
        drop(turn);
        elsewhere.join().unwrap().unwrap()
    });
    assert_eq!(outcome.source, Source::Created);
}

/// Counts its wake-ups.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn the_waker_of_the_last_poll_is_woken_once() {
    let flights = table();
    let store = Store::empty();
    let wakers: [Arc<Counter>; 3] = std::array::from_fn(|_| Arc::default());
    let outcome = call(&flights, "key", &store, None, || {
        thread::scope(|scope| {
            let passage = scope.spawn(|| {
                let creator = async || panic!("a thread creates it");
                let mut passage = Box::pin(call_task(&flights, "key", &store, creator));
                for waker in &wakers {
                    let waker = Waker::from(Arc::clone(waker));
                    assert!(poll(passage.as_mut(), &waker).is_pending());
                    assert!(poll(passage.as_mut(), &waker).is_pending());
                }
                assert_eq!(flights.waiting(HASH, "key"), 1);
            });
            passage.join().unwrap();
        });
        // That one is gone: another in its place, this time to the end.
        Ok(store.make())
    });
    assert_eq!(outcome.unwrap().value, 1);
    assert!(
        wakers
            .iter()
            .all(|waker| waker.0.load(Ordering::SeqCst) == 0)
    );

    let turn = flights.try_turn(HASH, "other").unwrap();
    let creator = async || Ok(7);
    let other = Store::empty();
    let mut passage = pin!(call_task(&flights, "other", &other, creator));
    for waker in &wakers {
        let waker = Waker::from(Arc::clone(waker));
        assert!(poll(passage.as_mut(), &waker).is_pending());
    }
    drop(turn);
    let woken = wakers
        .each_ref()
        .map(|waker| waker.0.load(Ordering::SeqCst));
    assert_eq!(woken, [0, 0, 1]);
    assert!(poll(passage.as_mut(), Waker::noop()).is_ready());
}

#[test]
fn a_waker_that_is_replaced_is_dropped_under_no_lock() {
    /// Its drop hands a turn over: to the very caller whose waker it was.
    struct Holds(Mutex<Option<Turn<u64, String>>>);
    impl Wake for Holds {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Holds {
        fn drop(&mut self) {
            drop(self.0.lock().unwrap().take());
        }
    }

    let flights = Flights::<u64, String>::new(WaitGraph::new());
    let store = Store::empty();
    let turn = flights.try_turn(HASH, "key").unwrap();
    let creator = async || Ok(store.number());
    let mut passage = pin!(call_task(&flights, "key", &store, creator));
    let holds = Waker::from(Arc::new(Holds(Mutex::new(Some(turn)))));
    assert!(poll(passage.as_mut(), &holds).is_pending());
    drop(holds);
    let counter = Arc::<Counter>::default();
    let waker = Waker::from(Arc::clone(&counter));
    // It is chosen by this poll itself, and woken if that came too late for it.
    let mut polled = poll(passage.as_mut(), &waker);
    if polled.is_pending() {
        assert_eq!(counter.0.load(Ordering::SeqCst), 1);
        polled = poll(passage.as_mut(), &waker);
    }
    let Poll::Ready(outcome) = polled else {
        panic!("it has the turn");
    };
    assert_eq!(outcome.unwrap().source, Source::Created);
    until_waiting(&flights, "key", 0);
}
