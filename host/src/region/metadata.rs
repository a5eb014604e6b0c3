//! What is known of a stored value without reading it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dogpile_plugin_api::{Expiration, Value};

use super::envelope::Envelope;
use super::notes::notes;

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
    /// The `value_version` it was stored with.
    pub value_version: u32,
    /// The expiration time it was stored with; `None`: it has none of its own, and expires as the region says.
    pub expiration_time: Option<Expiration>,
    /// The tags it was stored with, in the order of their letters.
    pub tags: Vec<String>,
}

impl ValueMetadata {
    /// `None` if dogpile did not write it.
    pub(crate) fn of(value: &Value, now: u64) -> Option<Self> {
        let envelope = if value.is_object() {
            Envelope::of(&value.metadata(), notes(value).clone(), "")
        } else {
            Envelope::split(value.as_bytes()?).ok()?.0
        };
        let notes = &envelope.notes;
        let time = |nanoseconds| UNIX_EPOCH + Duration::from_nanos(nanoseconds);
        Some(Self {
            cached_time: time(envelope.created),
            started_time: time(envelope.started),
            age: Duration::from_nanos(now.saturating_sub(envelope.created)),
            keep_until: (envelope.keep_until != 0).then(|| time(envelope.keep_until)),
            value_version: notes.value_version,
            expiration_time: notes.expiration_time.map(Expiration::from_nanoseconds),
            tags: notes.tags.iter().map(str::to_owned).collect(),
        })
    }
}
