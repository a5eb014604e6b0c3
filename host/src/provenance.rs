//! Where a cached value was had from, and by whose clock its age is told.

use dogpile_lock::{Clock, Source};

/// Both, for one of the ways to have a value: so that a [`Cached`](crate::Cached) is two words, which a hit gives back
/// in registers.
pub(crate) struct Provenance {
    pub(crate) source: Source,
    pub(crate) clock: Clock,
}

/// Those of a host. They are kept for the life of the process, as its clock is.
pub(crate) struct Provenances {
    fresh: Provenance,
    stale: Provenance,
    created: Provenance,
    waited: Provenance,
}

/// What is in no host's cache.
pub(crate) static UNCACHED: Provenance = Provenance {
    source: Source::Created,
    clock: Clock::system(),
};

impl Provenances {
    pub(crate) fn new(clock: &Clock) -> Self {
        let of = |source| Provenance {
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
    pub(crate) fn of(&self, source: Source) -> &Provenance {
        match source {
            Source::Fresh => &self.fresh,
            Source::Stale => &self.stale,
            Source::Created => &self.created,
            Source::Waited => &self.waited,
        }
    }
}
