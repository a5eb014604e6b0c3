//! Whether a created value is kept, and for how long.

use dogpile_plugin_api::Expiration;

/// What becomes of a created value. Its callers get it in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// It is not stored.
    No,
    /// It is stored, and expires as the region says.
    AsTheRegion,
    /// It is stored with an expiration time of its own.
    For(Expiration),
}

impl Keep {
    /// Of a value that is stored, with its own expiration time if it has one.
    pub(crate) fn stored(own_expiration: Option<Expiration>) -> Self {
        own_expiration.map_or(Self::AsTheRegion, Self::For)
    }

    /// The expiration time that is stored with the value, in nanoseconds, if it is one of its own.
    pub(crate) fn own_expiration_time(self) -> Option<u64> {
        match self {
            Self::For(expiration) => Some(expiration.nanoseconds()),
            Self::No | Self::AsTheRegion => None,
        }
    }
}

/// What one call says of the values that it creates.
pub(crate) trait Rule<T> {
    fn keep(&self, value: &T) -> Keep;
}

impl<T> Rule<T> for Always {
    fn keep(&self, _: &T) -> Keep {
        Keep::AsTheRegion
    }
}

impl<T, P: ShouldCache<T>, X: OwnExpiration<T>> Rule<T> for (P, X) {
    fn keep(&self, value: &T) -> Keep {
        if self.0.should_cache(value) {
            Keep::stored(self.1.own_expiration(value))
        } else {
            Keep::No
        }
    }
}

/// Whether a created value is stored.
pub trait ShouldCache<T> {
    /// Whether `value` is stored. If not, its callers get it all the same.
    fn should_cache(&self, value: &T) -> bool;
}

/// Every value is stored.
pub struct Always;

impl<T> ShouldCache<T> for Always {
    fn should_cache(&self, _: &T) -> bool {
        true
    }
}

impl<T, P: Fn(&T) -> bool> ShouldCache<T> for P {
    fn should_cache(&self, value: &T) -> bool {
        self(value)
    }
}

/// When a value expires, by what it is.
pub trait OwnExpiration<T> {
    /// The expiration time to store with `value`; `None`: it has none of its own.
    fn own_expiration(&self, value: &T) -> Option<Expiration>;
}

/// No value has an expiration time of its own.
pub struct ByRegion;

impl<T> OwnExpiration<T> for ByRegion {
    fn own_expiration(&self, _: &T) -> Option<Expiration> {
        None
    }
}

impl<T, P: Fn(&T) -> Expiration> OwnExpiration<T> for P {
    fn own_expiration(&self, value: &T) -> Option<Expiration> {
        Some(self(value))
    }
}

/// `None` has an expiration time of its own, and other values what `X` says.
pub struct NoneExpires<X> {
    pub(super) expiration: Expiration,
    pub(super) others: X,
}

impl<T, X: OwnExpiration<Option<T>>> OwnExpiration<Option<T>> for NoneExpires<X> {
    fn own_expiration(&self, value: &Option<T>) -> Option<Expiration> {
        match value {
            None => Some(self.expiration),
            Some(_) => self.others.own_expiration(value),
        }
    }
}
