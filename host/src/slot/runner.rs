//! Creations in the background, as they are handed to who runs them.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use dogpile_lock::Blocking;

/// Takes creations over: dogpile's `async_creation_runner`.
pub(crate) type Runner = Arc<dyn Fn(Creation) + Send + Sync>;

/// The creation of a value that nobody waits for, with the lock of its key in hand.
///
/// [`Creation::run`] creates and stores the value and frees the lock, on whatever thread it is called. That of an
/// [asynchronous creator](crate::Entry::background_async) is a future: `.await` it, or give it to a runtime by
/// [`IntoFuture::into_future`]. Dropped instead, it frees the lock, or gives it to a caller that waits for the value by
/// now.
#[must_use = "dropped, it creates nothing and frees the key"]
pub struct Creation {
    region: String,
    key: String,
    work: Work,
}

/// What is to be done.
pub(crate) enum Work {
    Call(Box<dyn FnOnce() + Send>),
    Future(Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl Creation {
    pub(crate) fn new(region: &str, key: &str, work: Work) -> Self {
        Self {
            region: region.to_owned(),
            key: key.to_owned(),
            work,
        }
    }

    /// The region's name.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The key, as the caller spells it.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether its creator is asynchronous, so that it may want to be polled by a runtime.
    pub fn is_async(&self) -> bool {
        matches!(self.work, Work::Future(_))
    }

    /// Creates and stores the value. Blocks as the creator and the backend do; an asynchronous creator is polled here,
    /// outside any runtime unless this thread has entered one. A creator's error is logged, and so is its panic, which
    /// goes through.
    pub fn run(self) {
        match self.work {
            Work::Call(call) => call(),
            Work::Future(future) => Blocking::new().on(future),
        }
    }
}

/// Creates and stores the value. The future blocks whoever polls it if the creator is [not asynchronous](Creation::is_async).
impl IntoFuture for Creation {
    type Output = ();
    type IntoFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        match self.work {
            Work::Call(call) => Box::pin(async move { call() }),
            Work::Future(future) => future,
        }
    }
}

impl fmt::Debug for Creation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Creation")
            .field("region", &self.region)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
