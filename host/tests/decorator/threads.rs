//! Many threads call one function.

use std::sync::Barrier;
use std::thread;

use dogpile::{Source, cached};

use crate::counter::Counter;
use crate::region_support::until_waiting;

const THREADS: usize = 64;

impl Counter {
    /// Ends when all the other threads wait for it.
    #[cached(region = &self.users)]
    fn awaited(&self, id: u32) -> u32 {
        until_waiting(&self.awaited_key(id).unwrap(), THREADS - 1);
        self.next()
    }

    #[cached(region = &self.users)]
    fn refused(&self, id: u32) -> Result<u32, u32> {
        until_waiting(&self.refused_key(id).unwrap(), THREADS - 1);
        Err(self.next())
    }
}

#[test]
fn sixty_four_threads_are_one_run() {
    let (counter, _) = Counter::new();
    let start = Barrier::new(THREADS);
    let sources: Vec<_> = thread::scope(|scope| {
        let call = || {
            start.wait();
            let value = counter.awaited(1);
            assert_eq!(*value, 1);
            value.source()
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(call)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let created = sources
        .iter()
        .filter(|source| **source == Source::Created)
        .count();
    let waited = sources
        .iter()
        .filter(|source| **source == Source::Waited)
        .count();
    assert_eq!((created, waited, counter.runs()), (1, THREADS - 1, 1));
}

#[test]
fn all_who_wait_for_a_run_that_fails_get_its_error() {
    let (counter, _) = Counter::new();
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                assert_eq!(counter.refused(1), Err(1));
            });
        }
    });
    assert_eq!(counter.runs(), 1);
}
