//! Deletions while a value is created and stored.

use crate::executor::{Executor, until};
use crate::support::{Gate, HASH, Store, call, table, until_waiting};
use crate::task::{Task, call_task};
use dogpile_lock::{Flights, LockError, Operation, Reading, Request, Source, Storing, WaitGraph};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

#[test]
fn who_waited_before_gets_the_old_value_and_who_came_after_a_new_one() {
    let flights = table();
    let store = Store::empty();
    let deleted = Cell::new(false);
    let mut executor = Executor::default();
    let creator = async || {
        let number = store.number();
        if number == 1 {
            until(|| deleted.get() && flights.waiting(HASH, "key") == 3).await;
        }
        Ok(number)
    };
    let expect = |value, source| {
        let (flights, store) = (&flights, &store);
        async move {
            let outcome = call_task(flights, "key", store, creator).await.unwrap();
            assert_eq!((outcome.value, outcome.source), (value, source));
        }
    };
    executor.spawn(expect(1, Source::Created));
    executor.spawn(expect(1, Source::Waited));
    executor.spawn(async {
        until(|| flights.waiting(HASH, "key") == 1).await;
        flights.delete(HASH, "key");
        deleted.set(true);
    });
    executor.spawn(async {
        until(|| deleted.get()).await;
        expect(2, Source::Created).await;
    });
    executor.spawn(async {
        until(|| flights.waiting(HASH, "key") == 2).await;
        let outcome = call_task(&flights, "key", &store, creator).await.unwrap();
        assert_eq!(outcome.value, 2);
    });
    executor.run();
    drop(executor);
    assert_eq!(store.creations(), 2);
    assert_eq!(store.stored(), Some(2));
}

#[test]
fn who_waited_before_gets_the_old_error_and_who_came_after_creates() {
    let flights = table();
    let store = Store::empty();
    let deleted = Cell::new(false);
    let mut executor = Executor::default();
    let fails = async || {
        until(|| deleted.get() && flights.waiting(HASH, "key") == 2).await;
        Err("no row".to_owned())
    };
    let failed = async || {
        let error = call_task(&flights, "key", &store, fails).await;
        assert_eq!(error, Err(LockError::Creation("no row".to_owned())));
    };
    executor.spawn(failed());
    executor.spawn(failed());
    executor.spawn(async {
        until(|| flights.waiting(HASH, "key") == 1).await;
        flights.delete(HASH, "key");
        deleted.set(true);
    });
    executor.spawn(async {
        until(|| deleted.get()).await;
        let outcome = call_task(&flights, "key", &store, async || Ok(store.number())).await;
        assert_eq!(outcome.unwrap().source, Source::Created);
    });
    executor.run();
    drop(executor);
    assert_eq!(store.stored(), Some(1));
}

#[test]
fn what_was_deleted_while_it_was_created_is_not_stored() {
    let flights = table();
    let store = Store::empty();
    let mut task = Task {
        store: &store,
        creator: async || {
            flights.delete(HASH, "key");
            Ok(store.number())
        },
    };
    let outcome = flights.get_or_create(Request::new(HASH, "key", Reading::Missing), &mut task);
    assert_eq!(outcome.unwrap().source, Source::Created);
    assert_eq!(store.stored(), None);
    let outcome = call(&flights, "key", &store, None, || Ok(store.make())).unwrap();
    assert_eq!((outcome.value, outcome.source), (2, Source::Created));
}

#[test]
fn a_deletion_of_another_key_or_before_the_creation_changes_nothing() {
    let flights = table();
    let store = Store::empty();
    flights.delete(HASH, "key");
    let mut task = Task {
        store: &store,
        creator: async || {
            flights.delete(HASH, "other");
            flights.delete(HASH + 1, "key");
            Ok(store.number())
        },
    };
    let outcome = flights.get_or_create(Request::new(HASH, "key", Reading::Missing), &mut task);
    assert_eq!(outcome.unwrap().source, Source::Created);
    assert_eq!(store.stored(), Some(1));
}

/// Stores for as long as a gate is closed.
struct StoresSlowly<'a> {
    storing: &'a Gate,
    finish: &'a Gate,
    stored: &'a AtomicBool,
    holds: bool,
}

impl Operation for StoresSlowly<'_> {
    type Value = u64;
    type Error = String;
    type Lease = ();

    async fn read_again(&mut self) -> Result<Reading<u64>, String> {
        Ok(Reading::Missing)
    }

    async fn create(&mut self) -> Result<u64, String> {
        Ok(1)
    }

    async fn store(
        &mut self,
        _: &u64,
        storing: Storing<u64, String>,
        _: Option<&()>,
    ) -> Result<(), String> {
        let slowly = || {
            self.storing.open();
            self.finish.pass();
            self.stored.store(true, Ordering::SeqCst);
        };
        if self.holds {
            let kept = storing.hold().expect("nothing was deleted");
            slowly();
            drop(kept);
        } else {
            storing.run(slowly).expect("nothing was deleted");
        }
        Ok(())
    }
}

#[test]
fn a_deletion_waits_for_a_store_under_way_so_that_it_comes_after_it() {
    for holds in [false, true] {
        let flights = Flights::<u64, String>::new(WaitGraph::new());
        let (storing, finish, stored) = (Gate::default(), Gate::default(), AtomicBool::new(false));
        let deleting = Gate::default();
        thread::scope(|scope| {
            let creator = scope.spawn(|| {
                let mut slow = StoresSlowly {
                    storing: &storing,
                    finish: &finish,
                    stored: &stored,
                    holds,
                };
                flights.get_or_create(Request::new(HASH, "key", Reading::Missing), &mut slow)
            });
            storing.pass();
            scope.spawn(|| {
                deleting.open();
                flights.delete(HASH, "key");
                assert!(
                    stored.load(Ordering::SeqCst),
                    "deleted in the middle of a store"
                );
            });
            deleting.pass();
            // Other keys of the table, and waiters of this one, are not held up.
            flights.delete(HASH, "other");
            assert!(flights.is_creating(HASH, "key"));
            until_waiting(&flights, "key", 0);
            finish.open();
            creator.join().unwrap().unwrap();
        });
    }
}
