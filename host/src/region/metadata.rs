//! What is known of a stored value without reading it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dogpile_plugin_api::Value;

use super::envelope::Envelope;
use super::tagged::tags;

/// What is known of a stored value, fresh or not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValueMetadata {
    /// When its creation ended (dogpile's `ct`).
    pub cached_time: SystemTime,
    /// When its creation started.
    pub started_time: SystemTime,
    /// How long ago its creation ended; zero if that lies in the future.
    pub age: Duration,
    /// From when on a backend may drop it; `None`: never.
    pub keep_until: Option<SystemTime>,
    /// The `value_version` it was stored with; of objects, which know none, 0.
    pub value_version: u32,
    /// The tags it was stored with, in the order of their letters.
    pub tags: Vec<String>,
}

impl ValueMetadata {
    /// `None` if dogpile did not write it.
    pub(crate) fn of(value: &Value, now: u64) -> Option<Self> {
        let envelope = if value.is_object() {
            Envelope::of(&value.metadata(), 0, tags(value).clone())
        } else {
            Envelope::split(value.as_bytes()?).ok()?.0
        };
        let time = |nanoseconds| UNIX_EPOCH + Duration::from_nanos(nanoseconds);
        Some(Self {
            cached_time: time(envelope.created),
            started_time: time(envelope.started),
            age: Duration::from_nanos(now.saturating_sub(envelope.created)),
            keep_until: (envelope.keep_until != 0).then(|| time(envelope.keep_until)),
            value_version: envelope.value_version,
            tags: envelope.tags.iter().map(str::to_owned).collect(),
        })
    }
}
