//! From what a backend gave to a value of the caller's type, and whether it may be served.

use std::fmt::Display;

use dogpile_lock::{Freshness, Outdated, Reading, Reason, is_plainly_fresh, judge, shown};
use dogpile_plugin_api::{Key, Metadata, Object, Value};

use super::envelope::{Envelope, Unreadable};
use super::foreign::is_pickle;
use super::form::Form;
use super::notes::{Notes, notes, object};
use crate::jitter::{chance, shortened};
use crate::registry::Configured;
use crate::slot::MissReason;

/// A stored value, judged.
pub(crate) enum Found<T> {
    Fresh(Object<T>),
    /// The backend failed, and this is the fresh value that was created while it did.
    Held(Object<T>),
    /// It may be served in some cases.
    Stale(Stale<T>),
    /// Nothing that may be served.
    Miss(MissReason),
}

/// A value that is not fresh.
pub(crate) struct Stale<T> {
    object: Object<T>,
    reason: MissReason,
    /// It may be served while another is created.
    meanwhile: bool,
    /// It may be served if the creation of another fails.
    on_error: bool,
}

impl<T: Send + Sync + 'static> Found<T> {
    /// For the lock, which knows no types.
    pub(crate) fn into_reading(self) -> Reading<Value> {
        match self {
            Self::Fresh(object) | Self::Held(object) => Reading::Fresh(object.into_value()),
            Self::Stale(stale) => Reading::Stale {
                value: stale.object.into_value(),
                meanwhile: stale.meanwhile,
                on_error: stale.on_error,
            },
            Self::Miss(MissReason::BackendError | MissReason::Bypass) => Reading::Unknown,
            Self::Miss(_) => Reading::Missing,
        }
    }

    /// Whether Python pickled what lies there.
    pub(crate) fn is_foreign(&self) -> bool {
        matches!(self, Self::Miss(MissReason::Foreign))
    }

    /// Whether the backend failed, and nothing is known of what lies there.
    pub(crate) fn is_unread(&self) -> bool {
        matches!(
            self,
            Self::Miss(MissReason::BackendError | MissReason::Bypass)
        )
    }

    /// Why it is not fresh, if it is not.
    pub(crate) fn reason(&self) -> Option<MissReason> {
        match self {
            Self::Fresh(_) => None,
            Self::Held(_) => Some(MissReason::Bypass),
            Self::Stale(Stale { reason, .. }) | Self::Miss(reason) => Some(*reason),
        }
    }
}

/// How a value is judged: the region's configuration, or one call's own.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) region: &'a Configured,
    pub(crate) expiration_time: Option<u64>,
    pub(crate) now: u64,
}

impl Terms<'_> {
    /// Whether a value is fresh beyond doubt, however much jitter makes its time shorter.
    #[inline]
    fn is_surely_fresh<const OWN: bool>(&self, created: u64, started: u64, gate: u64) -> bool {
        let time = match self.expiration_time {
            Some(time) if OWN && !self.region.has_jitter() => time,
            Some(_) if OWN => return false,
            _ => self.region.surely_fresh,
        };
        is_plainly_fresh(self.now, created, started, time, gate)
    }

    pub(super) fn judge(
        &self,
        (created, started): (u64, u64),
        own_expiration_time: Option<u64>,
        key: u64,
        outdated: &Outdated,
    ) -> Freshness {
        let mut expiry = self.region.expiry;
        let time = expiration_time(self.region, self.expiration_time, own_expiration_time);
        expiry.expiration_time = jittered(self.region, time, created, key);
        judge(self.now, created, started, &expiry, outdated)
    }
}

impl Terms<'_> {
    #[cold]
    fn unreadable<T>(&self, key: Key<'_>, reason: MissReason, cause: &dyn Display) -> Found<T> {
        self.note_unreadable(key, reason, cause);
        Found::Miss(reason)
    }

    #[cold]
    fn note_unreadable(&self, key: Key<'_>, reason: MissReason, cause: &dyn Display) {
        tracing::debug!(
            target: "dogpile.cache", region = self.region.config.name, key = shown(&key), ?reason, %cause,
            "a stored value cannot be read"
        );
    }
}

/// When a value expires, in nanoseconds from its creation: as the region says, or the call, or the value. A caller can
/// ask for less than the value's creator promised, not for more.
pub(super) fn expiration_time(region: &Configured, call: Option<u64>, own: Option<u64>) -> u64 {
    match (call, own) {
        (Some(call), Some(own)) => own.min(call),
        (call, own) => own.or(call).unwrap_or(region.expiry.expiration_time),
    }
}

/// That time as the region's jitter shortens it for the value of the key with that hash.
pub(super) fn jittered(region: &Configured, time: u64, created: u64, key: u64) -> u64 {
    let jitter = region.config.jitter;
    if jitter > 0.0 {
        shortened(time, jitter * chance(created ^ key))
    } else {
        time
    }
}

/// The object in `value`, if it is one of the caller's type without notes and clearly fresh; else the value, for
/// [`examine`]. Of a [plain](crate::registry::Snapshot::plain_region) region. `OWN`: the terms are the call's own.
#[inline]
pub(crate) fn fresh<T: Send + Sync + 'static, const OWN: bool>(
    value: Value,
    terms: &Terms<'_>,
) -> Result<Object<T>, Value> {
    let object = Object::<T>::from_value_without_extra(value)?;
    let Metadata {
        created, started, ..
    } = object.as_value().metadata();
    // What started before the gate may be fresh all the same: `examine` looks closely.
    let gate = terms.region.slot.invalidations.gate();
    if terms.is_surely_fresh::<OWN>(created, started, gate) {
        Ok(object)
    } else {
        Err(object.into_value())
    }
}

/// As [`fresh`], of an object that has notes, if nothing that they could say matters.
#[inline(never)]
pub(crate) fn fresh_with_notes<T: Send + Sync + 'static, const OWN: bool>(
    value: Value,
    terms: &Terms<'_>,
) -> Result<Object<T>, Value> {
    let notes = value.extra::<Notes>();
    if !notes.is_some_and(|notes| notes.value_version == 0 && notes.expiration_time.is_none()) {
        return Err(value);
    }
    let Metadata {
        created, started, ..
    } = value.metadata();
    let gate = terms.region.slot.invalidations.tagged_gate();
    if terms.is_surely_fresh::<OWN>(created, started, gate) {
        Object::from_value(value)
    } else {
        Err(value)
    }
}

/// Judges what is stored under `key`. Bytes are decoded only if they may be served.
pub(crate) fn examine<T: Send + Sync + 'static, F: Form<T>>(
    value: Value,
    key: Key<'_>,
    terms: &Terms<'_>,
) -> Found<T> {
    let invalidations = &terms.region.slot.invalidations;
    let version = terms.region.config.value_version;
    if value.is_object() {
        let Metadata {
            created, started, ..
        } = value.metadata();
        let notes = notes(&value);
        if notes.value_version != version {
            return Found::Miss(MissReason::Version);
        }
        let outdated = invalidations.outdated(terms.now, created, started, &notes.tags);
        let times = (created, started);
        let freshness = terms.judge(times, notes.expiration_time, key.hash(), &outdated);
        return match Object::from_value(value) {
            Ok(object) => found(freshness, || Ok(object)),
            Err(_) => Found::Miss(MissReason::Type),
        };
    }
    let bytes = value.as_bytes().unwrap_or_default();
    let (envelope, payload) = match Envelope::split(bytes) {
        Ok(parts) => parts,
        Err(Unreadable { reason, cause }) => return terms.unreadable(key, reason, &cause),
    };
    let Envelope {
        created,
        started,
        keep_until,
        notes,
        serializer,
    } = envelope;
    let codec = terms.region.codec();
    if is_pickle(payload) && !codec.may_look_pickled() {
        return Found::Miss(MissReason::Foreign);
    }
    if notes.value_version != version {
        return Found::Miss(MissReason::Version);
    }
    if !serializer.is_empty() && serializer != codec.name() {
        let cause = format_args!("the serializer `{serializer}` wrote it");
        return terms.unreadable(key, MissReason::Damaged, &cause);
    }
    let outdated = invalidations.outdated(terms.now, created, started, &notes.tags);
    let times = (created, started);
    let freshness = terms.judge(times, notes.expiration_time, key.hash(), &outdated);
    found(freshness, || {
        let decoded = F::decode(&codec, payload).map_err(|error| {
            let foreign = is_pickle(payload);
            let reason = if foreign {
                MissReason::Foreign
            } else {
                MissReason::Damaged
            };
            terms.note_unreadable(key, reason, &error);
            reason
        })?;
        let metadata = Metadata {
            created,
            started,
            keep_until,
            weight: 0,
        };
        Ok(object(&metadata, key, decoded, notes))
    })
}

fn found<T>(
    freshness: Freshness,
    usable: impl FnOnce() -> Result<Object<T>, MissReason>,
) -> Found<T> {
    let reason = |reason| match reason {
        Reason::Expired | Reason::FutureCreation => MissReason::Expired,
        Reason::SoftInvalidated | Reason::HardInvalidated => MissReason::Invalidated,
    };
    match freshness {
        Freshness::Unusable(why) => Found::Miss(reason(why)),
        Freshness::Fresh => usable().map_or_else(Found::Miss, Found::Fresh),
        Freshness::Stale {
            reason: why,
            meanwhile,
            on_error,
        } => usable().map_or_else(Found::Miss, |object| {
            Found::Stale(Stale {
                object,
                reason: reason(why),
                meanwhile,
                on_error,
            })
        }),
    }
}
