//! A bounded pool of threads that may block.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_channel::oneshot;
use parking_lot::{Condvar, Mutex};

/// How long a thread waits for work before it ends.
const IDLE: Duration = Duration::from_secs(10);

/// How many threads a pool may have beside its number, while as many sleep.
const MOST_ASLEEP: usize = 120;

/// Threads are made as they are needed, up to a number, and end when there was nothing to do for a while. What is queued
/// when the pool is dropped is still done. Threads that sleep in [`asleep`] do not count, and others take their places, up to
/// 120: what they wait for may be queued.
pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    name: &'static str,
    threads: usize,
    queue: usize,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Without those that are asleep.
    threads: usize,
    asleep: usize,
    idle: usize,
    closed: bool,
}

type Job = Box<dyn FnOnce() + Send>;

impl Pool {
    /// At most `threads` threads, and at most `queue` jobs that wait for one.
    pub(crate) fn new(name: &'static str, threads: usize, queue: usize) -> Self {
        Self(Arc::new(Shared {
            name,
            threads,
            queue,
            state: Mutex::default(),
            work: Condvar::new(),
        }))
    }

    /// Runs it on a thread of the pool, whose panic is the caller's. If the future is dropped, it is run all the same.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let (give, given) = oneshot::channel();
        let job = move || {
            let outcome = catch_unwind(AssertUnwindSafe(work));
            // Who does not wait any more does not want it.
            let _unwanted = give.send(outcome);
        };
        if let Err(job) = self.submit(Box::new(job)) {
            // There is no thread, or too much to do: the caller's own has to do.
            job();
        }
        match given.await {
            Ok(Ok(value)) => value,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => unreachable!("a job that was taken is run, and sends before it ends"),
        }
    }

    /// Queues a job, or gives it back if the queue is full or there is no thread to be had.
    pub(crate) fn submit(&self, job: Job) -> Result<(), Job> {
        let mut state = self.0.state.lock();
        if state.jobs.len() >= self.0.queue {
            return Err(job);
        }
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() {
            drop(state);
            self.0.work.notify_one();
            return Ok(());
        }
        // Without one more thread, those that there are come to it.
        if self.0.start(&mut state).is_err() && state.threads + state.asleep == 0 {
            let job = state.jobs.pop_back();
            return Err(job.expect("it was put there just now"));
        }
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.0.state.lock().closed = true;
        self.0.work.notify_all();
    }
}

thread_local! {
    /// The pool that this thread is of.
    static OWN: RefCell<Option<Arc<Shared>>> = const { RefCell::new(None) };
}

/// Sleeps. If this thread is one of a pool, another one takes its place there meanwhile, as far as there is something to do.
pub(crate) fn asleep(sleep: &mut dyn FnMut()) {
    let own = OWN.try_with(|own| own.borrow().clone()).ok().flatten();
    let Some(pool) = own else {
        return sleep();
    };
    let _away = Away::of(&pool);
    sleep();
}

/// A thread that does not count until it is back.
struct Away<'p>(&'p Shared);

impl<'p> Away<'p> {
    fn of(pool: &'p Arc<Shared>) -> Self {
        let mut state = pool.state.lock();
        state.threads -= 1;
        state.asleep += 1;
        if state.jobs.len() > state.idle {
            // Without one more thread, those that there are come to it, this one among them.
            let _started = pool.start(&mut state);
        }
        Self(pool)
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.asleep -= 1;
        state.threads += 1;
    }
}

impl Shared {
    /// Starts one more thread, if there may be one more.
    fn start(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        let all = state.threads + state.asleep;
        if state.threads >= self.threads || all >= self.threads + MOST_ASLEEP {
            return Ok(());
        }
        let own = Arc::clone(self);
        let thread = thread::Builder::new().name(self.name.to_owned());
        let started = thread.spawn(move || {
            OWN.set(Some(Arc::clone(&own)));
            own.work();
        });
        if let Err(error) = &started
            && state.threads == 0
        {
            tracing::error!(target: "dogpile.cache", pool = self.name, %error, "no thread for the pool");
        }
        started?;
        state.threads += 1;
        Ok(())
    }

    fn work(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                // A job that panics has nobody to tell but the panic hook; the thread goes on. What the panic carries is
                // dropped under no lock, and may panic again.
                let panicked = catch_unwind(AssertUnwindSafe(job));
                if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panicked))) {
                    std::mem::forget(again);
                }
                state = self.state.lock();
                if state.threads > self.threads {
                    // One that had slept is back.
                    break;
                }
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let idle = self.work.wait_for(&mut state, IDLE);
            state.idle -= 1;
            if idle.timed_out() && state.jobs.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use dogpile_lock::Blocking;

    use super::*;

    /// What a job panics with, which panics again when it is dropped.
    struct Again;

    impl Drop for Again {
        fn drop(&mut self) {
            panic!("again");
        }
    }

    #[test]
    fn a_panic_whose_payload_panics_when_it_is_dropped_leaves_the_thread() {
        let pool = Pool::new("test", 1, 100);
        for _ in 0..3 {
            assert!(
                pool.submit(Box::new(|| std::panic::panic_any(Again)))
                    .is_ok()
            );
        }
        let (tell, told) = mpsc::channel();
        assert!(
            pool.submit(Box::new(move || tell.send(()).unwrap()))
                .is_ok()
        );
        told.recv().unwrap();
    }

    #[test]
    fn as_many_jobs_as_threads_run_at_once_and_no_more() {
        let pool = Pool::new("test", 3, 100);
        let (together, most, at_work) = (
            Arc::new(Barrier::new(3)),
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicUsize::new(0)),
        );
        let (done, ended) = mpsc::channel();
        for _ in 0..12 {
            let (together, most, at_work) = (together.clone(), most.clone(), at_work.clone());
            let done = done.clone();
            let job = move || {
                let now = at_work.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                // Only three that run at once get past it.
                together.wait();
                at_work.fetch_sub(1, Ordering::SeqCst);
                done.send(()).unwrap();
            };
            assert!(pool.submit(Box::new(job)).is_ok());
        }
        for _ in 0..12 {
            ended.recv().unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn threads_that_sleep_are_replaced_up_to_a_number() {
        const THREADS: usize = 2;
        let pool = Pool::new("test", THREADS, 1000);
        let (begun, has_begun) = mpsc::channel();
        let (go, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let jobs = MOST_ASLEEP + THREADS + 5;
        for _ in 0..jobs {
            let (begun, gate) = (begun.clone(), Arc::clone(&gate));
            let job = move || {
                asleep(&mut || {
                    begun.send(()).unwrap();
                    gate.lock().recv().unwrap();
                });
            };
            assert!(pool.submit(Box::new(job)).is_ok());
        }
        for _ in 0..MOST_ASLEEP + THREADS {
            has_begun.recv().unwrap();
        }
        // All that may be there are asleep, and the first that is back comes to the rest.
        let state = pool.0.state.lock();
        assert_eq!((state.asleep, state.threads), (MOST_ASLEEP + THREADS, 0));
        assert_eq!(state.jobs.len(), jobs - MOST_ASLEEP - THREADS);
        drop(state);
        (0..jobs).for_each(|_| go.send(()).unwrap());
        for _ in 0..jobs - MOST_ASLEEP - THREADS {
            has_begun.recv().unwrap();
        }
    }

    #[test]
    fn a_thread_that_sleeps_again_and_again_is_replaced_once() {
        const THREADS: usize = 2;
        let pool = Pool::new("test", THREADS, 1000);
        let (begun, has_begun) = mpsc::channel();
        let (go, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        for _ in 0..10 {
            let (begun, gate) = (begun.clone(), Arc::clone(&gate));
            let job = move || {
                begun.send(()).unwrap();
                gate.lock().recv().unwrap();
            };
            assert!(pool.submit(Box::new(job)).is_ok());
        }
        for _ in 0..THREADS {
            has_begun.recv().unwrap();
        }
        go.send(()).unwrap();
        has_begun.recv().unwrap();
        let away = |_| drop(Away::of(&pool.0));
        // As if the first of them slept five times.
        (0..5).for_each(away);
        let state = pool.0.state.lock();
        assert_eq!((state.asleep, state.threads), (0, THREADS + 1));
        drop(state);
        // Of the three that are at work now, the first that is done ends.
        has_begun.recv().unwrap();
        go.send(()).unwrap();
        while pool.0.state.lock().threads > THREADS {
            assert!(has_begun.try_recv().is_err(), "it took another job");
            thread::yield_now();
        }
        (0..8).for_each(|_| go.send(()).unwrap());
    }

    #[test]
    fn a_thread_that_sleeps_is_not_replaced_while_nothing_waits() {
        let pool = Pool::new("test", 1, 10);
        let (tell, told) = mpsc::channel();
        let shared = Arc::clone(&pool.0);
        let job = move || {
            asleep(&mut || {
                let state = shared.state.lock();
                tell.send((state.asleep, state.threads)).unwrap();
            });
        };
        assert!(pool.submit(Box::new(job)).is_ok());
        assert_eq!(told.recv().unwrap(), (1, 0));
    }

    #[test]
    fn a_full_queue_gives_the_job_back() {
        let pool = Pool::new("test", 1, 1);
        let (begun, has_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel();
        let job = move || {
            begun.send(()).unwrap();
            may_go_on.recv().unwrap();
        };
        assert!(pool.submit(Box::new(job)).is_ok());
        has_begun.recv().unwrap();
        assert!(pool.submit(Box::new(|| {})).is_ok());
        assert!(pool.submit(Box::new(|| {})).is_err());
        go_on.send(()).unwrap();
    }

    #[test]
    fn a_panic_is_the_callers_and_the_pool_goes_on() {
        let pool = Pool::new("test", 1, 10);
        let blocking = Blocking::new();
        let panics = pool.run(|| -> u32 { panic!("on purpose") });
        let caught = catch_unwind(AssertUnwindSafe(|| blocking.on(panics)));
        assert!(caught.is_err());
        assert_eq!(blocking.on(pool.run(|| 7)), 7);
    }
}
