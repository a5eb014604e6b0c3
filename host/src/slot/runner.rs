//! Creations in the background, as they are handed to who runs them.

use std::fmt;
use std::sync::Arc;

/// Takes creations over: dogpile's `async_creation_runner`.
pub(crate) type Runner = Arc<dyn Fn(Creation) + Send + Sync>;

/// The creation of a value that nobody waits for, with the lock of its key in hand.
///
/// [`Creation::run`] creates and stores the value and frees the lock, on whatever thread it is called. Dropped instead,
/// it frees the lock, or gives it to a caller that waits for the value by now.
#[must_use = "dropped, it creates nothing and frees the key"]
pub struct Creation {
    region: String,
    key: String,
    run: Box<dyn FnOnce() + Send>,
}

impl Creation {
    pub(crate) fn new(region: &str, key: &str, run: Box<dyn FnOnce() + Send>) -> Self {
        Self {
            region: region.to_owned(),
            key: key.to_owned(),
            run,
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

    /// Creates and stores the value. Blocks as the creator and the backend do. A creator's error is logged, and so
    /// is its panic, which goes through.
    pub fn run(self) {
        (self.run)();
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
