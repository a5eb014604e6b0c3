//! Stores on another thread, which outlive the call that made them.

use crate::check::{Reached, check};
use crate::world::{A, AtWork, HASH, KEYS, Leave, Terms, World, makes};
use dogpile_lock::{Acquired, Operation, Reading, Request, Storing};
use shuttle::rand::{self, Rng};
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::thread::{self, JoinHandle};
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Creates, and has its value stored by a thread, as an asynchronous caller of a backend that blocks does.
struct Elsewhere<'a> {
    world: &'a Arc<World>,
    jobs: &'a Mutex<Vec<JoinHandle<()>>>,
}

impl Operation for Elsewhere<'_> {
    type Value = usize;
    type Error = String;
    type Lease = Leave;

    async fn acquire(&mut self) -> Result<Acquired<Leave>, String> {
        Ok(self.world.elsewhere.acquire())
    }

    async fn read_again(&mut self) -> Result<Reading<usize>, String> {
        Ok(self.world.stores[A].read())
    }

    async fn create(&mut self) -> Result<usize, String> {
        let store = &self.world.stores[A];
        let _at_work = AtWork::on(store);
        Ok(store.begin().1)
    }

    async fn store(
        &mut self,
        value: &usize,
        storing: Storing<usize, String, Leave>,
        _: Option<&Leave>,
    ) -> Result<(), String> {
        let done = Arc::new(AtomicBool::new(false));
        let (world, value, tell) = (Arc::clone(self.world), *value, Arc::clone(&done));
        let job = thread::spawn(move || {
            storing.run(|| {
                let store = &world.stores[A];
                // Nobody creates meanwhile.
                let _at_work = AtWork::on(store);
                thread::yield_now();
                store.write(value);
            });
            tell.store(true, Ordering::SeqCst);
        });
        self.jobs.lock().unwrap().push(job);
        poll_fn(|_| {
            if done.load(Ordering::SeqCst) {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        })
        .await
    }
}

#[test]
fn a_store_that_outlives_its_call_is_waited_for_by_deletions_and_creators() {
    static LEFT: Reached = Reached::new("a call dropped while its value is stored");
    static DONE: Reached = Reached::new("a call that came to its end");
    check(&[&LEFT, &DONE], || {
        let world = World::empty();
        let jobs = Arc::new(Mutex::new(Vec::new()));
        let (own, own_jobs) = (Arc::clone(&world), Arc::clone(&jobs));
        let dropped = thread::spawn(move || {
            let mut operation = Elsewhere {
                world: &own,
                jobs: &own_jobs,
            };
            let request = Request::new(HASH, KEYS[A], own.stores[A].read());
            let never = |_| pending::<()>();
            let call = own
                .flights
                .get_or_create_async(request, &mut operation, never);
            let mut call = pin!(call);
            let mut context = Context::from_waker(Waker::noop());
            for _ in 0..rand::thread_rng().gen_range(1..6) {
                if call.as_mut().poll(&mut context).is_ready() {
                    return true;
                }
                thread::yield_now();
            }
            false
        });
        let own = Arc::clone(&world);
        let deletes = thread::spawn(move || {
            for _ in 0..rand::thread_rng().gen_range(0..30) {
                thread::yield_now();
            }
            own.stores[A].delete(&own.flights, KEYS[A]);
        });
        let own = Arc::clone(&world);
        let creates = thread::spawn(move || own.call(A, &Terms::default(), makes).unwrap().value);
        let ended = dropped.join().unwrap();
        deletes.join().unwrap();
        creates.join().unwrap();
        let jobs = std::mem::take(&mut *jobs.lock().unwrap());
        LEFT.note(!ended && !jobs.is_empty());
        DONE.note(ended);
        for job in jobs {
            job.join().unwrap();
        }
        // The key is free: whoever asks gets what is wanted now.
        assert!(world.is_at_rest());
        assert_eq!(world.call(A, &Terms::default(), makes).unwrap().value, 2);
    });
}
