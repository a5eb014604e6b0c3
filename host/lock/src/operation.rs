//! What a caller brings to the lock, and what it gets back.

/// What a read of the stored value gave, judged by the caller's own terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading<V> {
    /// It may be served.
    Fresh(V),
    /// It may be served while another is created.
    Stale(V),
    /// Nothing that may be served: absent, invalidated hard, or too stale.
    Missing,
}

/// How one caller reads and creates the value of one key.
///
/// Both run on the caller's own thread, may block, and may use the lock for other keys. No internal lock is held
/// meanwhile. A panic in either goes to this caller, and the next waiter has the turn.
pub trait Operation {
    /// What is cached.
    type Value;
    /// Why it could not be read or created.
    type Error;

    /// Reads once more, with the turn to create in hand: somebody may have stored a value since the first read. An
    /// error ends the creation as one of the creator does.
    fn read_again(&mut self) -> Result<Reading<Self::Value>, Self::Error>;

    /// Creates the value and stores it, so that whoever reads after this has returned finds it. Called at most once.
    fn create(&mut self) -> Result<Self::Value, Self::Error>;
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
    /// It was stored and stale, while another caller creates a new one.
    Stale,
    /// This caller created it.
    Created,
    /// This caller waited while another created it.
    Waited,
}
