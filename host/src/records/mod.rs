//! The records in shared storages through which the processes that use a region tell each other of invalidations.
//!
//! A region's record lies in its own backend, under `{key_prefix}_dogpile_inv:{region}`, which no mangler changes. It
//! is read when the region is opened and then by a poll each `invalidation_interval`, never by a call, and written by
//! who invalidates. Whoever finds that it lacks something writes it again, so that it survives its eviction.

mod first;
mod poller;

use dogpile_lock::Clock;
use dogpile_plugin_api::{Error, ErrorKind, Key, Metadata, Result, Value};

pub(crate) use self::first::{FirstRead, first_read};
pub(crate) use self::poller::Poller;
use crate::keys;
use crate::registry::Configured;
use crate::slot::Marks;

/// What the keys of all records have in them.
pub(crate) const MARK: &str = "_dogpile_inv:";

/// Where the record of a region lies.
fn key_of(region: &Configured) -> String {
    let config = &region.config;
    format!("{}{MARK}{}", config.key_prefix, config.name)
}

/// Whether the region has a record, and it lies under that key of its backend.
pub(crate) fn lies_under(region: &Configured, key: &str) -> bool {
    region.shares_invalidations() && key_of(region) == key
}

/// What the storage says. `None`: something that is no record lies in its place.
fn read(region: &Configured) -> Result<Option<Marks>> {
    let text = key_of(region);
    let key = Key::new(&text, keys::hash(&text));
    Ok(match region.instance.backend.get_fresh(&key)? {
        Some(stored) => stored.as_bytes().and_then(Marks::from_json),
        None => Some(Marks::default()),
    })
}

/// Takes in what the storage says, and writes what it lacks. Up to two calls of the backend, one if it lacks nothing.
/// What is no record is written over if there is anything to say, and else an error.
pub(crate) fn exchange(region: &Configured, clock: &Clock) -> Result<()> {
    let invalidations = &region.slot.invalidations;
    loop {
        let stored = read(region)?;
        if !invalidations.absorb(clock, stored.as_ref().unwrap_or(&Marks::default())) {
            return stored.map(|_| ()).ok_or_else(|| no_record(region));
        }
        let text = key_of(region);
        let key = Key::new(&text, keys::hash(&text));
        let record = invalidations.record();
        let value = Value::with(&Metadata::default(), key, record.to_json());
        region.instance.backend.set(&key, &value)?;
        // Another thread may have written more meanwhile, and this less over it.
        if invalidations.record() == record {
            return Ok(());
        }
    }
}

fn no_record(region: &Configured) -> Error {
    let key = key_of(region);
    Error::new(
        ErrorKind::Other,
        format!(
            "what lies under the key {key} is no record of invalidations; remove it by the storage's own means, or \
             invalidate the region, which writes over it"
        ),
    )
}
