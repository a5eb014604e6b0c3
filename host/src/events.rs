//! What happens in a host's regions, for who wants to be told.

use crate::slot::Invalidation;

/// A creator gave a value.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CreatedEvent<'a> {
    /// The region.
    pub region: &'a str,
    /// The key, as the caller spells it.
    pub key: &'a str,
    /// How long the creator took. One that made several values tells the same of each.
    pub seconds: f64,
}

/// A backend removed entries to make room.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct EvictedEvent<'a> {
    /// The region. Of regions that share their keys, each is told of.
    pub region: &'a str,
    /// How many, since it was last told of.
    pub entries: u64,
}

/// Values were invalidated, by this process.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct InvalidatedEvent<'a> {
    /// The region.
    pub region: &'a str,
    /// How.
    pub how: Invalidation,
    /// The values with one of these tags; none: all of the region's.
    pub tags: &'a [&'a str],
}

/// Who is told.
pub(crate) trait Events: Send + Sync {
    fn created(&self, event: &CreatedEvent<'_>);
    fn evicted(&self, event: &EvictedEvent<'_>);
    fn invalidated(&self, event: &InvalidatedEvent<'_>);
}
