//! Objects that carry tags. Those without carry nothing, so that a hit on them looks for nothing.

use dogpile_plugin_api::{Key, Metadata, Object, Value};

use crate::slot::{InForce, Tags};

static NONE: Tags = Tags::NONE;

/// A `T` as an object, with its tags beside it if there are any.
pub(super) fn object<T: Send + Sync + 'static>(
    metadata: &Metadata,
    key: Key<'_>,
    value: T,
    tags: &Tags,
) -> Object<T> {
    if tags.is_empty() {
        Object::new(metadata, key, value)
    } else {
        Object::with_extra(metadata, key, value, tags.clone())
    }
}

/// The tags of an object; those of bytes are in their envelope.
pub(super) fn tags(value: &Value) -> &Tags {
    value.extra().unwrap_or(&NONE)
}

/// Whether `in_force` outdates the value hard.
pub(super) fn is_hard_outdated(value: &Value, in_force: &InForce) -> bool {
    let Metadata {
        created, started, ..
    } = value.metadata();
    started <= in_force.outdated(created, started, tags(value)).hard
}
