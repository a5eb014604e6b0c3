//! What one call asks for, beside the region's configuration.

use std::time::Duration;

use crate::slot::Tags;

/// When the value of one call expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiration {
    /// So long after its creation.
    After(Duration),
    /// Never.
    Never,
}

impl From<Duration> for Expiration {
    fn from(time: Duration) -> Self {
        Self::After(time)
    }
}

/// The options of a call.
#[derive(Clone, Default)]
pub(crate) struct Call {
    /// In nanoseconds; none: the region's.
    pub(crate) expiration_time: Option<u64>,
    /// Of what it stores.
    pub(crate) tags: Tags,
    /// Whether the caller gets what it creates, whatever fails in the cache.
    pub(crate) bypass: bool,
}

impl Call {
    /// Without options. A static, so that a hit has nothing to drop.
    pub(crate) const PLAIN: &Self = &Self {
        expiration_time: None,
        tags: Tags::NONE,
        bypass: false,
    };

    pub(crate) fn expire(&mut self, expiration: Expiration) {
        self.expiration_time = Some(match expiration {
            Expiration::Never => u64::MAX,
            Expiration::After(time) => u64::try_from(time.as_nanos()).unwrap_or(u64::MAX),
        });
    }
}
