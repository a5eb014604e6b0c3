//! What one call asks for, beside the region's configuration.

use dogpile_plugin_api::Expiration;

use super::keep::Keep;
use crate::slot::Tags;

/// The options of a call.
#[derive(Clone, Default)]
pub(crate) struct Call {
    /// In nanoseconds; none: the region's.
    pub(crate) expiration_time: Option<u64>,
    /// Of what it stores.
    pub(crate) tags: Tags,
    /// Whether the caller gets what it creates, whatever fails in the cache.
    pub(crate) bypass: bool,
    /// With which what it stores is stored, in nanoseconds.
    pub(crate) own_expiration_time: Option<u64>,
}

impl Call {
    /// Without options. A static, so that a hit has nothing to drop.
    pub(crate) const PLAIN: &Self = &Self {
        expiration_time: None,
        tags: Tags::NONE,
        bypass: false,
        own_expiration_time: None,
    };

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
}
