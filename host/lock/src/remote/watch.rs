//! Waiting for the mutexes that other processes hold.

use super::held::Held;
use super::{Remote, RemoteMutex, caught};
use crate::turn::Turn;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tracing::{debug, error};

/// How long a wait goes on before it looks for itself whether the mutex is free. A lease that passes is noticed within
/// this and one call, however the mutex waits: together they are to be less than a quarter of a second.
pub(super) const LONGEST_WAIT: Duration = Duration::from_millis(200);

/// A mutex whose wait comes back sooner than this, though it is not free or with an error, is left alone for as long.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);

/// Keys that are waited for by a thread each.
const MOST_THREADS: usize = 64;

/// How often the keys beyond these are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A key whose mutex another process holds.
pub(super) struct Watched<M: RemoteMutex, V, E> {
    remote: Remote<M>,
    mutex: Arc<M>,
    lease: Duration,
    /// None once it is handed on.
    turn: Option<Turn<V, E, Held<M>>>,
    /// Whether the last wait did, sooner than after [`SHORTEST_WAIT`].
    came_back_early: bool,
}

/// A [`Watched`] of any types.
pub(super) trait Watch: Send {
    /// Blocks until the mutex may be free.
    fn wait(&mut self);

    /// Whether it is over: the turn is handed on.
    fn look(&mut self) -> bool;
}

impl<M: RemoteMutex, V, E> Watched<M, V, E> {
    pub(super) fn new(
        remote: Remote<M>,
        mutex: Arc<M>,
        lease: Duration,
        turn: Turn<V, E, Held<M>>,
    ) -> Self {
        Self {
            remote,
            mutex,
            lease,
            turn: Some(turn),
            came_back_early: false,
        }
    }

    fn hand_on(&mut self, held: Option<Held<M>>) -> bool {
        if let Some(mut turn) = self.turn.take() {
            if let Some(held) = held {
                turn.give_lease(held);
            }
            drop(turn);
        }
        true
    }

    /// The next one asks for itself, and is told the same.
    fn unreachable(&mut self, error: &str) -> bool {
        debug!(target: "dogpile.lock", %error, "the mutex cannot be asked any more");
        self.hand_on(None)
    }
}

impl<M, V, E> Watch for Watched<M, V, E>
where
    M: RemoteMutex,
    V: Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    fn wait(&mut self) {
        // After a look by which it was not free. Before that look the mutex may have been got for us, and kept from others.
        if self.came_back_early {
            thread::sleep(SHORTEST_WAIT);
        }
        let began = Instant::now();
        let waited = caught(|| self.mutex.wait(LONGEST_WAIT));
        self.came_back_early = began.elapsed() < SHORTEST_WAIT;
        if let Err(error) = waited {
            // Not before: who has the turn then may be back at once.
            if self.came_back_early {
                thread::sleep(SHORTEST_WAIT);
            }
            self.unreachable(&error);
        }
    }

    fn look(&mut self) -> bool {
        let Some(turn) = &self.turn else {
            return true;
        };
        if !turn.is_awaited() {
            return match caught(|| self.mutex.is_locked()) {
                Ok(true) => false,
                Ok(false) => self.hand_on(None),
                Err(error) => self.unreachable(&error),
            };
        }
        match caught(|| self.remote.try_acquire(&self.mutex, self.lease)) {
            Ok(None) => false,
            Ok(held) => self.hand_on(held),
            Err(error) => self.unreachable(&error),
        }
    }
}

/// The threads that wait.
#[derive(Default)]
pub(super) struct Watchers {
    waits: Mutex<Waits>,
    /// The last thread that was wanted could not be had.
    none: AtomicBool,
}

#[derive(Default)]
struct Waits {
    threads: usize,
    looking: bool,
    beyond: Vec<Box<dyn Watch>>,
}

impl Watchers {
    /// Without a thread the key is free again, and whoever waits for it asks for its mutex anew.
    pub(super) fn add(self: &Arc<Self>, watch: Box<dyn Watch>) {
        let mut waits = self.waits.lock();
        if waits.threads < MOST_THREADS {
            waits.threads += 1;
            drop(waits);
            let (counted, mut watch) = (Counted(Arc::clone(self)), watch);
            let run = move || {
                let _counted = counted;
                loop {
                    watch.wait();
                    if watch.look() {
                        break;
                    }
                }
            };
            self.spawn("dogpile-wait", run);
            return;
        }
        waits.beyond.push(watch);
        if waits.looking {
            return;
        }
        waits.looking = true;
        drop(waits);
        let own = Arc::clone(self);
        if !self.spawn("dogpile-look", move || own.look()) {
            let mut waits = self.waits.lock();
            waits.looking = false;
            let beyond = std::mem::take(&mut waits.beyond);
            drop(waits);
            drop(beyond);
        }
    }

    /// If there is no thread, what it was to run is dropped, and the caller held up for a moment: it may be one who asks
    /// again and again.
    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> bool {
        let spawned = thread::Builder::new().name(name.to_owned()).spawn(run);
        let Err(error) = spawned else {
            self.none.store(false, Ordering::Relaxed);
            return true;
        };
        if !self.none.swap(true, Ordering::Relaxed) {
            error!(target: "dogpile.lock", %error, "no thread to wait for another process on");
        }
        thread::sleep(SHORTEST_WAIT);
        false
    }

    /// Looks at all keys beyond the threads, in turn, until there are none. Those for which there is a thread by now get
    /// it.
    fn look(self: &Arc<Self>) {
        loop {
            thread::sleep(LOOK);
            let looked_at = std::mem::take(&mut self.waits.lock().beyond);
            for mut watch in looked_at {
                if !watch.look() {
                    self.add(watch);
                }
            }
            let mut waits = self.waits.lock();
            if waits.beyond.is_empty() {
                waits.looking = false;
                return;
            }
        }
    }
}

/// One of the threads, until it is dropped.
struct Counted(Arc<Watchers>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.waits.lock().threads -= 1;
    }
}
