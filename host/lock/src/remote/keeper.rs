//! The threads that renew leases, and give back those that were dropped.

use super::desk::{Desk, Kept, Next, Times};
use super::held::{Held, Renewed, State};
use super::{RemoteMutex, caught};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::process;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};
use tracing::{debug, error, warn};

/// A lease is renewed when this part of it has passed, and tried again after a tenth where that fails.
const RENEWAL: u32 = 3;
const RETRY: u32 = 10;

/// A renewal that takes longer is told of when its lease has passed.
const PATIENCE: Duration = Duration::from_millis(100);

/// As many calls of mutexes can hang before leases of others are not renewed any more.
const MOST_THREADS: usize = 8;

/// Threads that may wait for work at once; beyond them they end.
const MOST_WAITING: usize = 2;

/// Keeps the leases of one store.
pub(super) struct Keeper<M: RemoteMutex>(Arc<Post<M>>);

/// What the threads and the holders of leases share.
pub(super) struct Post<M: RemoteMutex> {
    process: u32,
    work: Mutex<Work<M>>,
    news: Condvar,
}

struct Work<M: RemoteMutex> {
    desk: Desk<M>,
    threads: usize,
    /// Of these, those that wait for work.
    waiting: usize,
    closed: bool,
}

impl<M: RemoteMutex> Keeper<M> {
    /// For leases of that process, which is the caller's.
    pub(super) fn new(process: u32) -> Self {
        let work = Work {
            desk: Desk::new(),
            threads: 0,
            waiting: 0,
            closed: false,
        };
        Self(Arc::new(Post {
            process,
            work: Mutex::new(work),
            news: Condvar::new(),
        }))
    }

    /// From now on the lease, which began at `began` at the latest, is renewed.
    pub(super) fn keep(
        &self,
        mutex: Arc<M>,
        lease: M::Lease,
        length: Duration,
        began: Instant,
    ) -> Held<M> {
        let times = Times {
            renew_at: began + length / RENEWAL,
            passes_at: mutex.passes(&lease).then(|| began + length),
        };
        let post = Arc::clone(&self.0);
        let state = Arc::new(State::new(mutex, lease, length, times.passes_at, post));
        let kept = Kept {
            state: Arc::downgrade(&state),
            times,
            renewing: false,
            note_at: None,
        };
        self.0.add(|desk| desk.kept.push(kept));
        Held::new(state)
    }
}

impl<M: RemoteMutex> Drop for Keeper<M> {
    fn drop(&mut self) {
        if !self.0.is_own() {
            return;
        }
        self.0.work.lock().closed = true;
        self.0.news.notify_all();
    }
}

impl<M: RemoteMutex> Post<M> {
    /// Whether it is this process's. What is another's must not be locked: its threads, which may have it locked, are
    /// not here.
    pub(super) fn is_own(&self) -> bool {
        self.process == process::id()
    }

    /// A lease that its holder does not give back itself. Blocks for nothing.
    pub(super) fn send_back(self: &Arc<Self>, mutex: Arc<M>, lease: M::Lease) {
        self.add(|desk| desk.returns.push_back((mutex, lease)));
    }

    /// A lease is gone: it may have been the last.
    pub(super) fn look_again(&self) {
        if self.is_own() && self.work.lock().closed {
            self.news.notify_all();
        }
    }

    fn add(self: &Arc<Self>, add: impl FnOnce(&mut Desk<M>)) {
        let mut work = self.work.lock();
        add(&mut work.desk);
        let there = work.threads > 0 || self.start(&mut work);
        drop(work);
        self.news.notify_one();
        if !there {
            error!(
                target: "dogpile.lock",
                "no thread to renew leases on: creations that take longer are not stored"
            );
        }
    }

    /// One thread more, if there can be one.
    fn start(self: &Arc<Self>, work: &mut Work<M>) -> bool {
        let own = Arc::clone(self);
        let thread = thread::Builder::new().name("dogpile-leases".to_owned());
        let started = thread.spawn(move || own.work()).is_ok();
        work.threads += usize::from(started);
        started
    }

    fn work(self: &Arc<Self>) {
        let mut work = self.work.lock();
        loop {
            work.desk.forget_the_gone();
            if work.closed && work.desk.is_empty() {
                break;
            }
            let now = Instant::now();
            match work.desk.next(now) {
                Next::Renew(at) => {
                    work.desk.begin_renewal(at, now, PATIENCE);
                    let state = Weak::clone(&work.desk.kept[at].state);
                    let times = self.call(&mut work, || renew(&state));
                    work.desk.renewed(&state, times);
                }
                Next::GiveBack => {
                    let back = work.desk.returns.pop_front();
                    work.desk.returning = true;
                    self.call(&mut work, || back.map(give_back));
                    work.desk.returning = false;
                }
                Next::Note(at) => {
                    work.desk.kept[at].note_at = None;
                    MutexGuard::unlocked(&mut work, || {
                        warn!(
                            target: "dogpile.lock",
                            "a lease has passed, and its renewal has not come back: it counts as lost"
                        );
                    });
                }
                Next::Wait(_) if work.waiting >= MOST_WAITING => break,
                Next::Wait(until) => {
                    work.waiting += 1;
                    match until {
                        Some(until) => drop(self.news.wait_until(&mut work, until)),
                        None => self.news.wait(&mut work),
                    }
                    work.waiting -= 1;
                }
            }
        }
        work.threads -= 1;
        drop(work);
        // Others have the same reason to end, or are to look at what this one has seen last.
        self.news.notify_all();
    }

    /// Runs what may hang, while another thread watches what falls due.
    fn call<T>(
        self: &Arc<Self>,
        work: &mut MutexGuard<'_, Work<M>>,
        call: impl FnOnce() -> T,
    ) -> T {
        if work.waiting > 0 {
            // It may wait for a later moment than it would now.
            self.news.notify_one();
        } else if work.threads < MOST_THREADS {
            // Without one, this thread goes on alone.
            self.start(work);
        }
        MutexGuard::unlocked(work, call)
    }
}

fn give_back<M: RemoteMutex>((mutex, lease): (Arc<M>, M::Lease)) {
    if let Err(error) = caught(|| mutex.release(lease)) {
        warn!(target: "dogpile.lock", %error, "a lease was not given back: it passes by itself");
    }
}

/// Renews a lease, and gives when it is to be renewed again; `None` if there is nothing more to renew.
fn renew<M: RemoteMutex>(state: &Weak<State<M>>) -> Option<Times> {
    let state = state.upgrade()?;
    let mut lease = state.begin_renewal()?;
    let before = state.passes_at();
    let began = Instant::now();
    let renewed = caught(|| state.mutex.renew(&mut lease));
    let passed = before.is_some_and(|at| at <= Instant::now());
    let mut times = Times {
        renew_at: began + state.length / RETRY,
        passes_at: before,
    };
    match renewed {
        Ok(true) => {
            times.renew_at = began + state.length / RENEWAL;
            times.passes_at = before.map(|_| began + state.length);
            state.renewed(Renewed::Held(lease, times.passes_at));
            Some(times)
        }
        Ok(false) => {
            state.renewed(Renewed::Lost);
            warn!(target: "dogpile.lock", "a lease is lost: what is being created under it is not stored");
            None
        }
        Err(error) => {
            state.renewed(Renewed::Unknown);
            if passed {
                warn!(target: "dogpile.lock", %error, "a lease has passed, and could not be renewed in time: it counts as lost");
                return None;
            }
            debug!(target: "dogpile.lock", %error, "a lease could not be renewed yet");
            Some(times)
        }
    }
}
