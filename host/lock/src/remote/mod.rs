//! The right to create that other processes respect: leases, which are renewed while a creation takes, and waits for
//! those that others hold.

mod desk;
mod held;
mod keeper;
mod watch;

use std::fmt::{self, Debug, Display, Formatter};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use crate::turn::Turn;

pub use held::{Held, InUse, Lent};

use keeper::Keeper;
use watch::{Watched, Watchers};

/// A mutex of one key that other processes respect, and that its holder loses when its lease passes without renewal.
///
/// Methods may block, and are called from any thread, never two of one lease at once; but while a store uses the lease
/// ([`Lent`]) it is renewed. On the threads of a [`Remote`] a panic counts as an error.
pub trait RemoteMutex: Send + Sync + 'static {
    /// The proof of holding it. A clone is the same lease.
    type Lease: Clone + Send + 'static;
    /// Why it could not be asked.
    type Error: Display + Send + 'static;

    /// Takes it if it is free, without waiting.
    fn try_acquire(&self, lease: Duration) -> Result<Option<Self::Lease>, Self::Error>;

    /// Comes back when it may be free, after `timeout` at the latest.
    fn wait(&self, timeout: Duration) -> Result<(), Self::Error>;

    /// Begins the lease anew, with its full length; false if it is lost.
    fn renew(&self, lease: &mut Self::Lease) -> Result<bool, Self::Error>;

    /// Gives it back, unless the lease is lost.
    fn release(&self, lease: Self::Lease) -> Result<(), Self::Error>;

    /// Whether anybody holds it.
    fn is_locked(&self) -> Result<bool, Self::Error>;

    /// Whether such a lease passes by itself when it is not renewed. Default: it does.
    fn passes(&self, lease: &Self::Lease) -> bool {
        let _ = lease;
        true
    }
}

/// The leases of one store that this process holds or waits for.
///
/// One thread, begun with the first lease, renews all of them each third of their length, the one that passes first before
/// the others, and gives back those that were dropped. While it is in a call a second one watches, and does what falls
/// due meanwhile: a call that hangs holds up its own lease alone, until 8 of them do. A lease whose time has passed without
/// a renewal counts as lost.
///
/// Each key that another process has is waited for by a thread of its own, up to 64 of them. Beyond that one thread looks
/// at the rest in turn, until one of the 64 is free to take a key over. Threads end with the last clone, lease and wait.
///
/// Where the system gives no thread, that is logged, once for a row of waits. Leases are not renewed then, so that what
/// takes longer is not stored, and those that are dropped pass by themselves; and whoever waits for another process asks
/// for the mutex itself, every 5 ms.
///
/// A holder that dies is followed as soon as the mutex tells, and else within its lease, [`Remote::LONGEST_WAIT`] and the
/// length of one call; beyond the 64 keys, within the time of one call for each of the rest.
///
/// After a fork the child has threads of its own for the leases that it takes. Those of its parent are lost to it: it neither
/// renews nor gives back what the parent still has.
pub struct Remote<M: RemoteMutex>(Arc<ArcSwap<Shared<M>>>);

/// What belongs to one process: a child has none of its parent's threads, and a lock that one of them had at the fork is
/// never free there.
struct Shared<M: RemoteMutex> {
    process: u32,
    keeper: Keeper<M>,
    watchers: Arc<Watchers>,
}

impl<M: RemoteMutex> Shared<M> {
    fn new() -> Arc<Self> {
        let process = process::id();
        Arc::new(Self {
            process,
            keeper: Keeper::new(process),
            watchers: Arc::new(Watchers::default()),
        })
    }
}

impl<M: RemoteMutex> Remote<M> {
    /// How long a wait for another process goes on before it looks for itself.
    pub const LONGEST_WAIT: Duration = watch::LONGEST_WAIT;

    /// None held, none waited for.
    pub fn new() -> Self {
        Self(Arc::new(ArcSwap::new(Shared::new())))
    }

    /// What this process has of it, which is made if it is a child. Waits for nobody.
    fn own(&self) -> Arc<Shared<M>> {
        let known = self.0.load_full();
        if known.process == process::id() {
            return known;
        }
        let own = Shared::new();
        let before = self.0.compare_and_swap(&known, Arc::clone(&own));
        if Arc::ptr_eq(&before, &known) {
            own
        } else {
            Arc::clone(&before)
        }
    }

    /// Takes the mutex if it is free, for `lease`, and renews it from then on. Blocks as the mutex does.
    ///
    /// # Errors
    /// The mutex's own.
    pub fn try_acquire(
        &self,
        mutex: &Arc<M>,
        lease: Duration,
    ) -> Result<Option<Held<M>>, M::Error> {
        let began = Instant::now();
        let taken = mutex.try_acquire(lease)?;
        Ok(taken.map(|taken| {
            let mutex = Arc::clone(mutex);
            self.own().keeper.keep(mutex, taken, lease, began)
        }))
    }

    /// Keeps the turn of a key whose mutex another process holds until that may be over. If somebody waits for the key
    /// then, the turn goes to the first of them with the mutex in hand; else the next caller finds the key free. Does
    /// not block, but for 5 ms where the system gives no thread to wait on: then the turn goes to the first of them
    /// without the mutex, to ask for it again.
    pub fn watch<V, E>(&self, mutex: Arc<M>, lease: Duration, turn: Turn<V, E, Held<M>>)
    where
        V: Send + Sync + 'static,
        E: Send + Sync + 'static,
    {
        let watched = Watched::new(self.clone(), mutex, lease, turn);
        self.own().watchers.add(Box::new(watched));
    }
}

/// Asks a mutex on a thread that must not end with it.
fn caught<T, E: Display>(ask: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(ask)) {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err("the mutex panicked".to_owned()),
    }
}

impl<M: RemoteMutex> Clone for Remote<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: RemoteMutex> Default for Remote<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: RemoteMutex> Debug for Remote<M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").finish_non_exhaustive()
    }
}
