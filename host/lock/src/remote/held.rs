//! A lease that is renewed while it is held.

use super::RemoteMutex;
use super::keeper::Post;
use parking_lot::{Mutex, MutexGuard};
use std::fmt::{self, Debug, Formatter};
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A mutex in hand. It is renewed until it is released; dropped instead, it is released by another thread soon.
pub struct Held<M: RemoteMutex> {
    pub(super) state: Arc<State<M>>,
    /// It was given back by its holder.
    returned: bool,
}

/// What the holder of a lease, its users and the threads that renew it share.
pub(super) struct State<M: RemoteMutex> {
    pub(super) mutex: Arc<M>,
    pub(super) length: Duration,
    /// Never locked during a call. To be reached by [`State::slot`] alone.
    locked: Mutex<Slot<M::Lease>>,
    post: Arc<Post<M>>,
}

struct Slot<L> {
    /// None once it is on its way back.
    lease: Option<L>,
    passes_at: Option<Instant>,
    /// The mutex said so.
    lost: bool,
    renewing: bool,
    uses: usize,
    /// The holder does not need it any more.
    left: bool,
}

impl<L> Slot<L> {
    /// The lease, if it is to be given back and nobody is at work with it.
    fn take_back(&mut self) -> Option<L> {
        if !self.left || self.renewing || self.uses > 0 {
            return None;
        }
        self.lease.take().filter(|_| !self.lost)
    }
}

impl<M: RemoteMutex> State<M> {
    pub(super) fn new(
        mutex: Arc<M>,
        lease: M::Lease,
        length: Duration,
        passes_at: Option<Instant>,
        post: Arc<Post<M>>,
    ) -> Self {
        let slot = Slot {
            lease: Some(lease),
            passes_at,
            lost: false,
            renewing: false,
            uses: 0,
            left: false,
        };
        Self {
            mutex,
            length,
            locked: Mutex::new(slot),
            post,
        }
    }

    /// What is known of the lease. `None` in a child of the process whose lease it is: there it is lost, and may be locked
    /// for ever.
    fn slot(&self) -> Option<MutexGuard<'_, Slot<M::Lease>>> {
        self.post.is_own().then(|| self.locked.lock())
    }

    /// Whether the mutex said so, or the lease has passed by this process's own clock.
    fn is_lost(&self) -> bool {
        self.slot()
            .is_none_or(|slot| slot.lost || slot.passes_at.is_some_and(|at| at <= Instant::now()))
    }

    /// When it passes, as far as is known. `None`: never by itself.
    pub(super) fn passes_at(&self) -> Option<Instant> {
        self.slot()?.passes_at
    }

    /// A copy to renew, for whoever calls [`State::renewed`] afterwards. `None`: there is nothing to renew.
    pub(super) fn begin_renewal(&self) -> Option<M::Lease> {
        let mut slot = self.slot()?;
        let lease = slot.lease.clone().filter(|_| !slot.lost)?;
        slot.renewing = true;
        Some(lease)
    }

    /// What became of it: the lease as it is now and when it passes, or that it is lost, or neither.
    pub(super) fn renewed(&self, outcome: Renewed<M::Lease>) {
        self.leave_slot(|slot| {
            slot.renewing = false;
            match outcome {
                Renewed::Held(lease, passes_at) => {
                    slot.lease = Some(lease);
                    slot.passes_at = passes_at;
                }
                Renewed::Lost => slot.lost = true,
                Renewed::Unknown => {}
            }
        });
    }

    /// The lease, for its holder to give back. `None`: it is lost, or is given back by who is at work with it.
    fn leave(&self) -> Option<M::Lease> {
        let mut slot = self.slot()?;
        slot.left = true;
        slot.take_back()
    }

    /// Somebody is no longer at work with the lease: if it was waited for alone, it is given back.
    fn leave_slot(&self, change: impl FnOnce(&mut Slot<M::Lease>)) {
        let Some(mut slot) = self.slot() else {
            return;
        };
        change(&mut slot);
        let back = slot.take_back();
        drop(slot);
        if let Some(lease) = back {
            self.post.send_back(Arc::clone(&self.mutex), lease);
        }
    }
}

/// What a renewal gave.
pub(super) enum Renewed<L> {
    Held(L, Option<Instant>),
    Lost,
    Unknown,
}

/// A thread may have waited for this lease alone.
impl<M: RemoteMutex> Drop for State<M> {
    fn drop(&mut self) {
        self.post.look_again();
    }
}

/// A lease to be used, not to be given back. From [`Held::lend`].
pub struct Lent<M: RemoteMutex>(Arc<State<M>>);

impl<M: RemoteMutex> Lent<M> {
    /// The lease, which is renewed as before meanwhile, and given back after that at the earliest. `None` if the mutex
    /// said that it is lost, or it was given back already. One that has passed by this process's clock is given: the
    /// store knows better.
    pub fn hold(&self) -> Option<InUse<'_, M>> {
        let mut slot = self.0.slot()?;
        let lease = slot.lease.clone().filter(|_| !slot.lost)?;
        slot.uses += 1;
        let state = &self.0;
        Some(InUse { lease, state })
    }

    /// As [`Lent::hold`], for as long as `use_lease` takes.
    pub fn with<T>(&self, use_lease: impl FnOnce(&M::Lease) -> T) -> Option<T> {
        let lease = self.hold()?;
        Some(use_lease(&lease))
    }
}

impl<M: RemoteMutex> Debug for Lent<M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").finish_non_exhaustive()
    }
}

/// A lease as it was when its use began. From [`Lent::hold`].
pub struct InUse<'a, M: RemoteMutex> {
    lease: M::Lease,
    state: &'a State<M>,
}

impl<M: RemoteMutex> Deref for InUse<'_, M> {
    type Target = M::Lease;

    fn deref(&self) -> &M::Lease {
        &self.lease
    }
}

impl<M: RemoteMutex> Drop for InUse<'_, M> {
    fn drop(&mut self) {
        self.state.leave_slot(|slot| slot.uses -= 1);
    }
}

impl<M: RemoteMutex> Debug for InUse<'_, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("InUse").finish_non_exhaustive()
    }
}

impl<M: RemoteMutex> Held<M> {
    pub(super) fn new(state: Arc<State<M>>) -> Self {
        Self {
            state,
            returned: false,
        }
    }

    /// Whether another process may have the mutex: it said that the lease is lost, or the lease has passed without a
    /// renewal; or this process was forked from the one that took it. That the lease has passed may end: a renewal that comes
    /// late can still be in time for the mutex.
    pub fn is_lost(&self) -> bool {
        self.state.is_lost()
    }

    /// The lease for use elsewhere, such as on another thread, for as long as this is held.
    pub fn lend(&self) -> Lent<M> {
        Lent(Arc::clone(&self.state))
    }

    /// Gives the mutex back. Blocks as it does; nothing is done if it said that the lease is lost. A lease that is being
    /// renewed or used at this moment is given back by another thread after that.
    ///
    /// # Errors
    /// The mutex's own; it is free when the lease has passed.
    pub fn release(mut self) -> Result<(), M::Error> {
        self.returned = true;
        match self.state.leave() {
            Some(lease) => self.state.mutex.release(lease),
            None => Ok(()),
        }
    }
}

impl<M: RemoteMutex> Drop for Held<M> {
    /// Blocks for nothing.
    fn drop(&mut self) {
        if self.returned {
            return;
        }
        if let Some(lease) = self.state.leave() {
            let mutex = Arc::clone(&self.state.mutex);
            self.state.post.send_back(mutex, lease);
        }
    }
}

impl<M: RemoteMutex> Debug for Held<M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("lost", &self.is_lost())
            .finish_non_exhaustive()
    }
}
