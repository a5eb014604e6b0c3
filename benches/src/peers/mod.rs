//! dogpile and the caches beside it, behind one trait, so that all are measured by the same loop.

mod dogpile;
mod moka;
mod nothing;
mod quick_cache;

use ::dogpile::Cacheable;

pub(crate) use self::dogpile::{Dogpile, Settings, open};
pub(crate) use self::moka::Moka;
pub(crate) use self::nothing::Nothing;
pub(crate) use self::quick_cache::{QuickCache, QuickCacheTtl};

/// What a cached value must be for all of them.
pub(crate) trait Cached: Cacheable + Clone {}

impl<V: Cacheable + Clone> Cached for V {}

/// A bounded cache with a time to live.
pub(crate) trait Peer<V>: Sync {
    /// What a hit gives: the caller owns it.
    type Held;

    /// An empty cache for that many entries.
    fn new(capacity: usize) -> Self;

    /// The value of `key`, or the one that `create` makes, which is stored.
    fn get_or_create(&self, key: &str, create: impl FnOnce() -> V) -> Self::Held;

    /// Stores `value`.
    fn set(&self, key: &str, value: V);

    /// How many entries there are, when everything is done that was put off.
    fn entries(&self) -> u64;
}

/// Calls the function `$run`, generic over a peer of values `$value`, for the peer named `$name`.
macro_rules! with_peer {
    ($name:expr, $value:ty, $run:ident ( $($argument:expr),* )) => {{
        use $crate::peers::*;
        match $name {
            "dogpile" => $run::<Dogpile, _>($($argument),*),
            "moka" => $run::<Moka<$value>, _>($($argument),*),
            "quick_cache" => $run::<QuickCache<$value>, _>($($argument),*),
            "quick_cache+ttl" => $run::<QuickCacheTtl<$value>, _>($($argument),*),
            "nothing" => $run::<Nothing, _>($($argument),*),
            other => panic!("there is no peer `{other}`"),
        }
    }};
}
pub(crate) use with_peer;
