//! What one call asks for, beside the region's configuration.

use dogpile_plugin_api::Expiration;

use super::keep::Keep;
use crate::slot::Tags;

/// The options of a call.
#[derive(Clone, Default)]
pub(crate) struct Call<'a> {
    /// In nanoseconds; none: the region's.
    pub(crate) expiration_time: Option<u64>,
    /// Of what it stores.
    pub(crate) tags: GivenTags<'a>,
    /// Whether the caller gets what it creates, whatever fails in the cache.
    pub(crate) bypass: bool,
    /// With which what it stores is stored, in nanoseconds.
    pub(crate) own_expiration_time: Option<u64>,
}

/// How a call says which tags it gives to what it stores.
#[derive(Clone)]
pub(crate) enum GivenTags<'a> {
    Known(Tags),
    /// Made when something is stored: a hit needs none.
    Made(&'a (dyn Fn() -> Vec<String> + Sync)),
}

impl GivenTags<'_> {
    pub(crate) fn get(&self) -> Tags {
        match self {
            Self::Known(tags) => tags.clone(),
            Self::Made(make) => Tags::new(make()),
        }
    }
}

impl Default for GivenTags<'_> {
    fn default() -> Self {
        Self::Known(Tags::NONE)
    }
}

impl Call<'static> {
    /// Without options. A static, so that a hit has nothing to drop.
    pub(crate) const PLAIN: &'static Self = &Self {
        expiration_time: None,
        tags: GivenTags::Known(Tags::NONE),
        bypass: false,
        own_expiration_time: None,
    };
}

impl Call<'_> {
    pub(crate) fn expire(&mut self, expiration: Expiration) {
        self.expiration_time = Some(expiration.nanoseconds());
    }

    /// As one that stores a value so.
    pub(crate) fn storing(&self, keep: Keep) -> Self {
        Self {
            own_expiration_time: keep.own_expiration_time(),
            ..self.clone()
        }
    }

    /// The same, for longer than its caller is there.
    pub(crate) fn to_owned(&self) -> Call<'static> {
        Call {
            expiration_time: self.expiration_time,
            tags: GivenTags::Known(self.tags.get()),
            bypass: self.bypass,
            own_expiration_time: self.own_expiration_time,
        }
    }
}
