//! The mutex by which processes agree on who creates a value.

use std::time::Duration;

use abi_stable::StableAbi;

use crate::Result;

/// A mutex for one key, shared by all processes that use the same storage.
///
/// A holder that dies is followed by the next once its lease has passed, or at once where the storage notices. The
/// host renews leases and calls from any thread, never two methods of one lease at once: but a lease may be renewed
/// while a store uses it ([`Backend::set_guarded`](crate::Backend::set_guarded)).
///
/// A call that hangs holds up its own lease, and those of other keys only when 8 hang at once. The host counts a lease as
/// lost that was not renewed in time, whatever the storage says.
pub trait Mutex: Send + Sync {
    /// Takes the mutex if it is free, for `lease`, without waiting for it. `None`: somebody has it. Called on the thread that
    /// is to create, or on the host's that waited; it may block as any call of the storage does. After an error, the value is
    /// created without the mutex, unless the region wants errors.
    fn try_acquire(&self, lease: Duration) -> Result<Option<Lease>>;

    /// Waits until it may be free, at most `timeout`: for a push from the storage, or for a jittered while. Returning
    /// early is allowed; returning late makes the next holder late. Called on a thread of the host's that may block, with a
    /// `timeout` of 200 ms or less, again and again until the mutex could be taken. What returns at once without a reason, or
    /// with an error, is called again after a pause.
    fn wait(&self, timeout: Duration) -> Result<()>;

    /// Begins the lease anew, with its full length. `false`: it was lost, and what is created under it is not stored. Called on
    /// a thread of the host's that may block, when a third of the lease has passed; after an error again, each tenth of it,
    /// until it has passed.
    fn renew(&self, lease: &mut Lease) -> Result<bool>;

    /// Gives the mutex up, if the lease still holds it: never somebody else's. Called once for each lease, on any thread, which
    /// may block. An error is logged: the mutex is free when the lease has passed.
    fn release(&self, lease: Lease) -> Result<()>;

    /// Whether anybody holds it. Called on the thread of who asks, and where nobody waits for the key any more; it may block.
    /// An error goes to who asks.
    fn is_locked(&self) -> Result<bool>;
}

/// The right to create, until it passes or is given up. Made by [`Lease::new`].
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, StableAbi)]
pub struct Lease {
    /// Tells this holder from every other: random, or a number that the storage counts up.
    pub token: [u8; 16],
    /// When it passes unless renewed, in nanoseconds since 1970; 0: never by itself.
    pub expires: u64,
    /// For the backend's own use, such as a revision to compare.
    pub tag: u64,
    /// Zeros.
    reserved: [u64; 2],
}

impl Lease {
    /// A lease whose tag is 0.
    pub const fn new(token: [u8; 16], expires: u64) -> Self {
        Self {
            token,
            expires,
            tag: 0,
            reserved: [0; 2],
        }
    }

    /// The same lease with that tag.
    #[must_use]
    pub const fn tagged(self, tag: u64) -> Self {
        Self { tag, ..self }
    }
}
