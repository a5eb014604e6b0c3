//! Where the values of a call of several keys are.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;

use super::place::RegionRef;
use crate::Result;
use crate::key_generator::FunctionCall;
use crate::region::{CacheKey, Entries, Expiration, Region};
use crate::slot::Tags;

/// The region and the keys of a call, and how long its values count.
pub struct Places<'r> {
    pub(super) region: RegionRef<'r>,
    pub(super) keys: Arc<[String]>,
    expiration: Option<Expiration>,
    tags: Tags,
}

impl<'r> Places<'r> {
    /// The places of `keys`; an error if the region or a key cannot be had.
    pub fn find<K>(
        region: Result<RegionRef<'r>>,
        keys: &[K],
        key: impl Fn(&Region, &K) -> Result<String>,
        expiration: Option<Expiration>,
    ) -> Result<Self> {
        let region = region?;
        let keys = keys.iter().map(|one| key(&region, one));
        Ok(Self {
            keys: keys.collect::<Result<_>>()?,
            region,
            expiration,
            tags: Tags::NONE,
        })
    }

    /// What is stored there has these tags.
    #[must_use]
    pub fn tagged<T: Into<Box<str>>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags = Tags::new(tags);
        self
    }

    /// The keys.
    pub fn into_keys(self) -> Vec<String> {
        self.keys.to_vec()
    }

    pub(super) fn entries<'a, K: CacheKey>(&'a self, keys: &'a [K]) -> Entries<'a, K> {
        let entries = self.region.entries(keys).tagged(self.tags.clone());
        match self.expiration {
            Some(expiration) => entries.expiration_time(expiration),
            None => entries,
        }
    }

    /// The keys by their numbers.
    pub(super) fn numbered(&self) -> Vec<Numbered> {
        let numbers = 0..self.keys.len();
        let numbered = numbers.map(|number| Numbered {
            number,
            texts: Arc::clone(&self.keys),
        });
        numbered.collect()
    }
}

/// A key of a call by its number. It borrows nothing, so that a future with it can be seen to be `Send`.
#[derive(Clone)]
pub(super) struct Numbered {
    pub(super) number: usize,
    texts: Arc<[String]>,
}

impl CacheKey for Numbered {
    fn cache_key(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.texts[self.number])
    }
}

/// The key that the region's generator for several keys makes.
pub fn multi_key(region: &Region, call: &FunctionCall<'_>) -> Result<String> {
    region.slot().key_generators.multi_key(call)
}

/// What the option `key` of a function of several keys gives for one.
pub fn text_of_key<K, D: Display>(key: &K, text: impl Fn(&K) -> D) -> String {
    text(key).to_string()
}
