//! The dogpile lock: when many callers want the same missing or expired value at once, exactly one of them creates it.
//! The others get the previous value at once, or wait if there is none.
//!
//! [`Lock`] is the whole of it for one key: give it a reader and a creator. [`Flights`] is the table underneath, for
//! who has a cache of their own around it; [`freshness`] judges a value's age, and [`Clock`] tells the time.
//!
//! | stored value | what a caller does |
//! |---|---|
//! | fresh | returns it: no lock, no allocation |
//! | stale, but may still be served | tries the lock without waiting. Got it: reads again and creates. Not got: returns the stale value at once |
//! | missing | waits for the lock, reads again, creates only if still needed |
//!
//! Who waits gets what the creation under way gives, value or error, with no second read. A creator that panics takes
//! the panic to its own caller, and the next waiter has the turn.
//!
//! # Not seen
//!
//! A wait that would close a circle (a creator which waits for its own key, or two which wait for each other's) is
//! refused with [`LockError::Circle`]. A creator that hands work to another thread and waits for that thread cannot be
//! seen; a deadline for waiting bounds it. Nor is a circle of which a part
//! lies in another process, or in another [`Flights`] of this one that guards the same storage by a mutex in common;
//! [`in_creation`] tells when a wait is to be bounded for that.
//!
//! # Logging
//!
//! Each branch is logged at debug level with the target `dogpile.lock`, never while an internal lock is held.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod batch;
mod block;
mod circle;
mod clock;
mod error;
mod failures;
mod flight;
mod flights;
pub mod freshness;
mod lock;
mod multi;
mod operation;
mod passage;
// Its threads and time-outs are the operating system's: the model checker stands in for another process itself.
#[cfg(not(feature = "model-check"))]
mod remote;
mod scope;
mod shown;
mod storing;
mod sync;
mod table;
mod turn;
mod waiters;
mod waiting;

pub use block::{Blocking, Deadline};
pub use circle::WaitGraph;
pub use clock::{Clock, ManualClock};
pub use error::LockError;
pub use failures::Retry;
pub use flights::Flights;
pub use freshness::{
    Expiry, FUTURE_TOLERANCE, Freshness, Outdated, Reason, is_plainly_fresh, judge,
};
pub use lock::Lock;
pub use multi::{Made, MultiOperation, MultiRequest, OrLeftOut, ToStore};
pub use operation::{Acquired, Operation, Outcome, Reading, Source};
pub use passage::Request;
#[cfg(not(feature = "model-check"))]
pub use remote::{Held, InUse, Lent, Remote, RemoteMutex};
pub use scope::in_creation;
pub use shown::shown;
pub use storing::{Storing, Undeleted};
pub use turn::Turn;
