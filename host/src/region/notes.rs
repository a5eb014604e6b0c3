//! What an object carries beside itself. Those that carry nothing are judged by their times alone, so that a hit on them
//! looks for nothing.

use dogpile_plugin_api::{Key, Metadata, Object, Value};

use crate::slot::{InForce, Tags};

/// What is noted of a value beside its metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    pub(crate) tags: Tags,
    /// The value's own, in nanoseconds from its creation's end; `u64::MAX` is never.
    pub(crate) expiration_time: Option<u64>,
    /// That of the region which stored it.
    pub(crate) value_version: u32,
}

impl Notes {
    pub(crate) const NONE: Self = Self {
        tags: Tags::NONE,
        expiration_time: None,
        value_version: 0,
    };
}

static NONE: Notes = Notes::NONE;

/// A `T` as an object, with its notes beside it if there are any.
pub(super) fn object<T: Send + Sync + 'static>(
    metadata: &Metadata,
    key: Key<'_>,
    value: T,
    notes: Notes,
) -> Object<T> {
    if notes == NONE {
        Object::new(metadata, key, value)
    } else {
        Object::with_extra(metadata, key, value, notes)
    }
}

/// The notes of an object; those of bytes are in their envelope.
pub(super) fn notes(value: &Value) -> &Notes {
    value.extra().unwrap_or(&NONE)
}

/// Whether `in_force` outdates the value hard.
pub(super) fn is_hard_outdated(value: &Value, in_force: &InForce) -> bool {
    let Metadata {
        created, started, ..
    } = value.metadata();
    started <= in_force.outdated(created, started, &notes(value).tags).hard
}
