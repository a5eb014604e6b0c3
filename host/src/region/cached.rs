//! A cached value as its callers hold it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dogpile_lock::Source;
use dogpile_plugin_api::{Key, Metadata, Object};
use serde::{Serialize, Serializer};

use crate::keys;
use crate::provenance::{Provenance, UNCACHED};

/// A value from a cache. It derefs to the value; cloning counts a reference.
pub struct Cached<T> {
    object: Object<T>,
    provenance: &'static Provenance,
}

impl<T: Send + Sync + 'static> Cached<T> {
    #[inline]
    pub(super) fn new(object: Object<T>, provenance: &'static Provenance) -> Self {
        Self { object, provenance }
    }

    /// A value that is in no cache, created just now.
    pub(crate) fn uncached(value: T) -> Self {
        let now = UNCACHED.clock.exact();
        let metadata = Metadata {
            created: now,
            started: now,
            keep_until: 0,
            weight: 0,
        };
        let object = Object::new(&metadata, Key::new("", keys::hash("")), value);
        Self::new(object, &UNCACHED)
    }

    /// When its creation ended.
    pub fn cached_time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.object.as_value().metadata().created)
    }

    /// How long ago its creation ended, by the clock of its host, which is the system's but for
    /// [`Host::for_tests`](crate::Host::for_tests); zero if that lies in the future.
    pub fn age(&self) -> Duration {
        let created = self.object.as_value().metadata().created;
        Duration::from_nanos(self.provenance.clock.exact().saturating_sub(created))
    }

    /// Where this call had it from.
    pub fn source(&self) -> Source {
        self.provenance.source
    }

    /// A copy of the value in an `Arc` of its own.
    pub fn into_arc(self) -> Arc<T>
    where
        T: Clone,
    {
        Arc::new((*self.object).clone())
    }
}

impl<T> Deref for Cached<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.object
    }
}

impl<T> AsRef<T> for Cached<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T> Clone for Cached<T> {
    fn clone(&self) -> Self {
        Self {
            object: self.object.clone(),
            provenance: self.provenance,
        }
    }
}

/// Two are equal if their values are.
impl<T: PartialEq> PartialEq for Cached<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Cached<T> {}

impl<T: fmt::Debug> fmt::Debug for Cached<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Display> fmt::Display for Cached<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// As the value itself.
impl<T: Serialize> Serialize for Cached<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::Cached;
    use crate::Result;

    /// A third one would go through memory, on every hit.
    #[test]
    fn a_call_gives_back_two_words() {
        assert_eq!(size_of::<Result<Cached<String>>>(), 2 * size_of::<usize>());
    }
}
