//! What a caller brings to the lock, and what it gets back.

use crate::storing::Storing;
use crate::turn::Turn;

/// What a read of the stored value gave, judged by the caller's own terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading<V> {
    /// It may be served.
    Fresh(V),
    /// It may be served in some cases.
    Stale {
        /// The value.
        value: V,
        /// It may be served while another is created.
        meanwhile: bool,
        /// It may be served if the creation fails.
        on_error: bool,
    },
    /// Nothing that may be served: absent, invalidated hard, or too stale.
    Missing,
    /// It could not be read: what an earlier read gave still counts.
    Unknown,
}

/// Whether a creation needs leave from elsewhere, beside its turn in this process.
#[derive(Debug)]
pub enum Acquired<L> {
    /// It needs none.
    Unneeded,
    /// It has it: a lease, which is given back by [`Operation::release`], passed on with the turn, or dropped.
    Held(L),
    /// Another process has it.
    Elsewhere,
}

/// How one caller reads, creates and stores the value of one key.
///
/// The methods of blocking callers run on the caller's own thread and may block; those of asynchronous callers run
/// where they are polled, and must not. No internal lock is held meanwhile, but for [`Operation::store`]'s. A panic, or
/// dropping the future, gives the turn to the next waiter.
pub trait Operation {
    /// What is cached. Clones go to who waits.
    type Value: Clone;
    /// Why it could not be read or created. Clones go to who waits.
    type Error: Clone;
    /// The right to create that other processes respect.
    type Lease;

    /// Asks for that right, without waiting. Default: none is needed.
    fn acquire(&mut self) -> impl Future<Output = Result<Acquired<Self::Lease>, Self::Error>> {
        async { Ok(Acquired::Unneeded) }
    }

    /// Another process has the right: from now on this key's turn is in the operation's hands, to be kept while that
    /// lasts, and dropped then, with the lease in it ([`Turn::give_lease`]) or without. Default: it is dropped at once,
    /// so that callers ask again and again.
    fn watch(&mut self, turn: Turn<Self::Value, Self::Error, Self::Lease>) {
        drop(turn);
    }

    /// May take the turn of a creation whose caller can be served a stale value, to create elsewhere
    /// ([`Turn::run`]). Default: it gives it back, and the caller creates.
    fn take_away(
        &mut self,
        turn: Turn<Self::Value, Self::Error, Self::Lease>,
    ) -> Option<Turn<Self::Value, Self::Error, Self::Lease>> {
        Some(turn)
    }

    /// Reads once more, with the turn to create in hand: somebody may have stored a value since the first read. An
    /// error ends the creation as one of the creator does.
    fn read_again(&mut self) -> impl Future<Output = Result<Reading<Self::Value>, Self::Error>>;

    /// Creates the value. Called at most once.
    fn create(&mut self) -> impl Future<Output = Result<Self::Value, Self::Error>>;

    /// Stores the value, within [`Storing::run`], so that whoever reads after this has returned finds it. An error ends
    /// the creation as one of the creator does.
    ///
    /// Deletions of the key wait for what runs there. So nothing may run there that deletes the key or waits for who does,
    /// such as the `Drop` of a value that is stored over: put that off until the call has ended.
    fn store(
        &mut self,
        value: &Self::Value,
        storing: Storing<Self::Value, Self::Error, Self::Lease>,
        lease: Option<&Self::Lease>,
    ) -> impl Future<Output = Result<(), Self::Error>>;

    /// Whether a stale value may stand in for that error, and creation is left alone for a while after it. Default: yes,
    /// whatever the error.
    fn is_excused(error: &Self::Error) -> bool {
        let _ = error;
        true
    }

    /// Whether that lease is known to have passed, so that the right is to be asked for again. Default: no.
    fn is_lost(lease: &Self::Lease) -> bool {
        let _ = lease;
        false
    }

    /// Gives the right back. Default: the lease is dropped.
    fn release(&mut self, lease: Self::Lease) -> impl Future<Output = ()> {
        drop(lease);
        async {}
    }
}

/// A value, and how its caller came by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome<V> {
    /// The value.
    pub value: V,
    /// Where it came from.
    pub source: Source,
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// It was stored and fresh.
    Fresh,
    /// It was stored and stale: another caller creates a new one, or it could not be created.
    Stale,
    /// This caller created it.
    Created,
    /// This caller waited while another created it.
    Waited,
}
