//! Where a cached value was had from, and by whose clock its age is told.

use dogpile_lock::{Clock, Source};

/// Both, for one of the ways to have a value: so that a [`Cached`](super::Cached) is two words, which a hit gives back
/// in registers.
pub(super) struct Origin {
    pub(super) source: Source,
    pub(super) clock: Clock,
}

/// Those of a host. They are kept for the life of the process, as its clock is.
pub(crate) struct Origins {
    fresh: Origin,
    stale: Origin,
    created: Origin,
    waited: Origin,
}

/// What is in no host's cache.
pub(super) static UNCACHED: Origin = Origin {
    source: Source::Created,
    clock: Clock::system(),
};

impl Origins {
    pub(crate) fn new(clock: &Clock) -> Self {
        let of = |source| Origin {
            source,
            clock: clock.clone(),
        };
        Self {
            fresh: of(Source::Fresh),
            stale: of(Source::Stale),
            created: of(Source::Created),
            waited: of(Source::Waited),
        }
    }

    #[inline]
    pub(super) fn of(&self, source: Source) -> &Origin {
        match source {
            Source::Fresh => &self.fresh,
            Source::Stale => &self.stale,
            Source::Created => &self.created,
            Source::Waited => &self.waited,
        }
    }
}
