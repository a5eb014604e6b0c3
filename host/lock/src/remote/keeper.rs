//! The thread that renews leases, and gives back those that were dropped.

use super::held::{Held, State};
use super::{RemoteMutex, caught};
use parking_lot::{Condvar, Mutex};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};
use tracing::{debug, error, warn};

/// A lease is renewed when this part of it has passed, and tried again after a tenth where that fails.
const RENEWAL: u32 = 3;
const RETRY: u32 = 10;

/// When a lease that is to be given back, and in use, is looked at again.
const AGAIN: Duration = Duration::from_millis(5);

/// Keeps the leases of one store.
pub(super) struct Keeper<M: RemoteMutex>(Arc<Post<M>>);

/// What the thread and the holders of leases share.
pub(super) struct Post<M: RemoteMutex> {
    desk: Mutex<Desk<M>>,
    news: Condvar,
}

struct Desk<M: RemoteMutex> {
    running: bool,
    closed: bool,
    kept: Vec<Kept<M>>,
    /// Leases that their holders dropped, and when each is looked at.
    returns: Vec<(Instant, Arc<State<M>>)>,
}

struct Kept<M: RemoteMutex> {
    state: Weak<State<M>>,
    renew_at: Instant,
    passes_at: Instant,
}

impl<M: RemoteMutex> Keeper<M> {
    pub(super) fn new() -> Self {
        let desk = Desk {
            running: false,
            closed: false,
            kept: Vec::new(),
            returns: Vec::new(),
        };
        Self(Arc::new(Post {
            desk: Mutex::new(desk),
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
        let state = Arc::new(State::new(mutex, lease, length));
        let kept = Kept {
            state: Arc::downgrade(&state),
            renew_at: began + length / RENEWAL,
            passes_at: began + length,
        };
        let mut desk = self.0.desk.lock();
        desk.kept.push(kept);
        Post::start(&self.0, &mut desk);
        drop(desk);
        self.0.news.notify_one();
        Held {
            state,
            post: Away(Arc::clone(&self.0)),
            returned: false,
        }
    }
}

/// A holder's way back, to be dropped after the lease's state: the thread may have waited for that alone.
pub(super) struct Away<M: RemoteMutex>(pub(super) Arc<Post<M>>);

impl<M: RemoteMutex> Drop for Away<M> {
    fn drop(&mut self) {
        if self.0.desk.lock().closed {
            self.0.news.notify_one();
        }
    }
}

impl<M: RemoteMutex> Drop for Keeper<M> {
    fn drop(&mut self) {
        self.0.desk.lock().closed = true;
        self.0.news.notify_one();
    }
}

impl<M: RemoteMutex> Post<M> {
    /// A lease that its holder does not give back itself. Blocks for nothing.
    pub(super) fn send_back(self: &Arc<Self>, state: Arc<State<M>>) {
        let mut desk = self.desk.lock();
        desk.returns.push((Instant::now(), state));
        Self::start(self, &mut desk);
        drop(desk);
        self.news.notify_one();
    }

    fn start(post: &Arc<Self>, desk: &mut Desk<M>) {
        if desk.running {
            return;
        }
        let own = Arc::clone(post);
        let spawned = thread::Builder::new()
            .name("dogpile-leases".to_owned())
            .spawn(move || own.work());
        match spawned {
            Ok(_) => desk.running = true,
            Err(error) => error!(
                target: "dogpile.lock", %error,
                "no thread to renew leases on: creations that take longer are not stored"
            ),
        }
    }

    fn work(&self) {
        let mut desk = self.desk.lock();
        loop {
            desk.kept.retain(|kept| kept.state.strong_count() > 0);
            if desk.closed && desk.kept.is_empty() && desk.returns.is_empty() {
                desk.running = false;
                return;
            }
            let now = Instant::now();
            let renewal = desk.kept.iter().map(|kept| kept.renew_at).min();
            let back = desk.returns.iter().map(|(at, _)| *at).min();
            // A lease in use comes first: what is given back late passes by itself.
            if let Some(due) = renewal.filter(|due| *due <= now) {
                let at = desk.kept.iter().position(|kept| kept.renew_at == due);
                let mut kept = desk.kept.swap_remove(at.expect("it is the least of them"));
                drop(desk);
                let go_on = kept.renew();
                desk = self.desk.lock();
                if go_on {
                    desk.kept.push(kept);
                }
            } else if let Some(due) = back.filter(|due| *due <= now) {
                let at = desk.returns.iter().position(|(at, _)| *at == due);
                let (_, state) = desk
                    .returns
                    .swap_remove(at.expect("it is the least of them"));
                drop(desk);
                let used = give_back(state);
                desk = self.desk.lock();
                desk.returns.extend(used.map(|state| (now + AGAIN, state)));
            } else if let Some(next) = renewal.into_iter().chain(back).min() {
                let _timed_out = self.news.wait_until(&mut desk, next);
            } else {
                self.news.wait(&mut desk);
            }
        }
    }
}

/// Gives a lease back that its holder has dropped; or gives the lease, if a store still uses it.
fn give_back<M: RemoteMutex>(state: Arc<State<M>>) -> Option<Arc<State<M>>> {
    let Some(lease) = state.lease.try_lock().map(|mut lease| lease.take()) else {
        return Some(state);
    };
    if let Some(lease) = lease.filter(|_| !state.is_lost())
        && let Err(error) = caught(|| state.mutex.release(lease))
    {
        warn!(target: "dogpile.lock", %error, "a lease was not given back: it passes by itself");
    }
    None
}

impl<M: RemoteMutex> Kept<M> {
    /// False if there is nothing more to renew.
    fn renew(&mut self) -> bool {
        let Some(state) = self.state.upgrade() else {
            return false;
        };
        let began = Instant::now();
        // Who uses the lease keeps it for the moment.
        let Some(mut lease) = state.lease.try_lock() else {
            self.renew_at = began + state.length / RETRY;
            return true;
        };
        let Some(own) = &mut *lease else {
            return false;
        };
        match caught(|| state.mutex.renew(own)) {
            Ok(true) => {
                self.renew_at = began + state.length / RENEWAL;
                self.passes_at = began + state.length;
                true
            }
            Ok(false) => {
                state.lose();
                warn!(target: "dogpile.lock", "a lease is lost: what is being created under it is not stored");
                false
            }
            Err(error) if Instant::now() >= self.passes_at => {
                state.lose();
                warn!(target: "dogpile.lock", %error, "a lease could not be renewed in time, what is being created under it is not stored");
                false
            }
            Err(error) => {
                debug!(target: "dogpile.lock", %error, "a lease could not be renewed yet");
                self.renew_at = began + state.length / RETRY;
                true
            }
        }
    }
}
