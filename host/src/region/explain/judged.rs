//! What is stored under a key, judged without knowing its type.

use std::time::{Duration, UNIX_EPOCH};

use dogpile_lock::{Clock, Freshness, Reason};
use dogpile_plugin_api::{ErrorKind as PluginErrorKind, Metadata, Value};
use humantime::format_rfc3339_micros;

use super::{ExplainedInvalidation, ExplainedOutcome, ExplainedReason, ExplainedValue};
use crate::region::call::Call;
use crate::region::envelope::{Envelope, Unreadable};
use crate::region::foreign::is_pickle;
use crate::region::mangle::BackendKey;
use crate::region::notes::{Notes, notes};
use crate::region::read::{Terms, expiration_time, jittered};
use crate::registry::Configured;
use crate::slot::{Invalidation, MissReason, Target};

/// A judgement, and what it rests on.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) value: Option<ExplainedValue>,
    /// Why the backend did not tell of one.
    pub(super) unread: Option<String>,
    pub(super) reason: Option<ExplainedReason>,
    pub(super) detail: Option<String>,
    pub(super) invalidated_by: Option<ExplainedInvalidation>,
    /// It may be served while another is created.
    pub(super) meanwhile: bool,
    /// It may be served if the creation of another fails.
    pub(super) on_error: bool,
    /// It was created while the backend failed, and is held in the process.
    pub(super) held: bool,
}

impl Judged {
    pub(super) fn reserved() -> Self {
        Self::unusable(ExplainedReason::Reserved, None)
    }

    fn unusable(reason: ExplainedReason, detail: Option<String>) -> Self {
        Self {
            reason: Some(reason),
            detail,
            ..Self::default()
        }
    }

    /// Reads the key once.
    pub(super) fn of(region: &Configured, key: &BackendKey<'_>, clock: &Clock) -> Self {
        let error = match region.instance.backend.get(&key.key()) {
            Ok(Some(value)) => return Self::of_value(region, key, clock, &value),
            Ok(None) => return Self::unusable(ExplainedReason::Absent, None),
            Err(error) => error,
        };
        let reason = match error.kind() {
            PluginErrorKind::Suspended => ExplainedReason::Bypass,
            _ => ExplainedReason::BackendError,
        };
        let shown = region.instance.without_secrets(error);
        let why = Some(shown.message().to_owned());
        let failed = Self {
            unread: why.clone(),
            ..Self::unusable(reason, why)
        };
        let Some(spare) = region.instance.spare.get(&key.key(), clock) else {
            return failed;
        };
        let judged = Self::of_value(region, key, clock, &spare);
        match judged.reason {
            None => Self {
                held: true,
                unread: failed.unread,
                detail: failed.detail,
                ..judged
            },
            Some(_) => failed,
        }
    }

    pub(super) fn outcome(&self, fails: bool) -> ExplainedOutcome {
        match self.reason {
            None => ExplainedOutcome::Fresh,
            Some(ExplainedReason::Reserved) => ExplainedOutcome::Failed,
            Some(ExplainedReason::BackendError | ExplainedReason::Bypass) if fails => {
                ExplainedOutcome::Failed
            }
            Some(_) if self.meanwhile => ExplainedOutcome::Stale,
            Some(_) => ExplainedOutcome::Missing,
        }
    }

    fn of_value(region: &Configured, key: &BackendKey<'_>, clock: &Clock, value: &Value) -> Self {
        if value.is_object() {
            let known = Known {
                times: value.metadata(),
                notes: notes(value).clone(),
                shown: ExplainedValue::default(),
            };
            return known.judge(region, key, clock, None);
        }
        let bytes = value.as_bytes().unwrap_or_default();
        let shown = ExplainedValue {
            size: Some(bytes.len()),
            ..ExplainedValue::default()
        };
        let (envelope, payload) = match Envelope::split(bytes) {
            Ok(parts) => parts,
            Err(Unreadable { reason, cause }) => {
                let reason = match reason {
                    MissReason::Foreign => ExplainedReason::Foreign,
                    _ => ExplainedReason::Damaged,
                };
                return Self {
                    value: Some(shown),
                    ..Self::unusable(reason, Some(cause))
                };
            }
        };
        let serializer = envelope.serializer.into_owned();
        let fault = payload_fault(region, payload, &serializer);
        let known = Known {
            times: Metadata {
                created: envelope.created,
                started: envelope.started,
                keep_until: envelope.keep_until,
                weight: 0,
            },
            notes: envelope.notes,
            shown: ExplainedValue {
                serializer: (!serializer.is_empty()).then_some(serializer),
                ..shown
            },
        };
        known.judge(region, key, clock, fault)
    }
}

type Fault = (ExplainedReason, Option<String>);

/// Why the region's serializer has nothing to do with a payload.
fn payload_fault(region: &Configured, payload: &[u8], serializer: &str) -> Option<Fault> {
    let codec = region.codec();
    if is_pickle(payload) && !codec.may_look_pickled() {
        return Some((ExplainedReason::Foreign, None));
    }
    if !serializer.is_empty() && serializer != codec.name() {
        let cause = format!("the serializer `{serializer}` wrote it");
        return Some((ExplainedReason::Damaged, Some(cause)));
    }
    let error = codec.check(payload).err()?;
    let reason = if is_pickle(payload) {
        ExplainedReason::Foreign
    } else {
        ExplainedReason::Damaged
    };
    Some((reason, Some(error.to_string())))
}

/// A value whose times are known.
struct Known {
    times: Metadata,
    notes: Notes,
    shown: ExplainedValue,
}

impl Known {
    fn judge(
        self,
        region: &Configured,
        key: &BackendKey<'_>,
        clock: &Clock,
        fault: Option<Fault>,
    ) -> Judged {
        let now = clock.exact();
        let Metadata {
            created, started, ..
        } = self.times;
        let terms = Terms {
            region,
            expiration_time: Call::PLAIN.expiration_time,
            now,
        };
        let invalidations = &region.slot.invalidations;
        let outdated = invalidations.outdated(now, created, started, &self.notes.tags);
        let own = self.notes.expiration_time;
        let freshness = terms.judge((created, started), own, key.hash(), &outdated);
        let (why, meanwhile, on_error) = match freshness {
            Freshness::Fresh => (None, false, false),
            Freshness::Stale {
                reason,
                meanwhile,
                on_error,
            } => (Some(reason), meanwhile, on_error),
            Freshness::Unusable(reason) => (Some(reason), false, false),
        };
        let hard = self.invalidation(region, Invalidation::Hard, outdated.hard);
        let soft = self.invalidation(region, Invalidation::Soft, outdated.soft);
        let mut judged = Judged {
            reason: why.map(|why| match why {
                Reason::Expired if !meanwhile => ExplainedReason::TooStale,
                Reason::Expired => ExplainedReason::Expired,
                Reason::SoftInvalidated => ExplainedReason::SoftInvalidated,
                Reason::HardInvalidated => ExplainedReason::HardInvalidated,
                Reason::FutureCreation => ExplainedReason::FutureCreation,
            }),
            invalidated_by: hard.or(soft),
            meanwhile,
            on_error,
            value: Some(self.shown(region, key, now)),
            ..Judged::default()
        };
        let fault = fault.or_else(|| {
            let wanted = region.config.value_version;
            let other = self.notes.value_version != wanted;
            other.then(|| {
                (
                    ExplainedReason::Version,
                    Some(format!("the region's is {wanted}")),
                )
            })
        });
        if let Some((reason, detail)) = fault {
            judged = Judged {
                reason: Some(reason),
                detail,
                meanwhile: false,
                on_error: false,
                ..judged
            };
        }
        judged
    }

    /// The invalidation that outdated it, if one did.
    fn invalidation(
        &self,
        region: &Configured,
        how: Invalidation,
        at: u64,
    ) -> Option<ExplainedInvalidation> {
        if at == 0 || self.times.started > at {
            return None;
        }
        let in_force = region.slot.invalidations.in_force();
        let marked = in_force.marks().latest_of(&self.notes.tags, how);
        let (of, tag) = match marked.filter(|(_, marked)| *marked == at) {
            Some((Target::Region, _)) => ("region", None),
            Some((Target::Tag(tag), _)) => ("tag", Some(tag.to_owned())),
            Some((Target::Tagged, _)) => ("tags", None),
            None => ("strategy", None),
        };
        Some(ExplainedInvalidation {
            of: of.to_owned(),
            tag,
            how: match how {
                Invalidation::Hard => "hard",
                Invalidation::Soft => "soft",
            }
            .to_owned(),
            at: time(at),
        })
    }

    fn shown(&self, region: &Configured, key: &BackendKey<'_>, now: u64) -> ExplainedValue {
        let Metadata {
            created,
            started,
            keep_until,
            ..
        } = self.times;
        let lives = expiration_time(region, None, self.notes.expiration_time);
        let lives = jittered(region, lives, created, key.hash());
        let expires = created.saturating_add(lives);
        let stale_until = expires.saturating_add(region.expiry.max_stale);
        let seconds = Duration::from_nanos(now.saturating_sub(created)).as_secs_f64();
        ExplainedValue {
            cached_time: time(created),
            started_time: time(started),
            age_seconds: Some(seconds),
            expires_at: time(expires),
            stale_until: time(stale_until),
            keep_until: if keep_until == 0 {
                None
            } else {
                time(keep_until)
            },
            value_version: Some(self.notes.value_version),
            tags: self.notes.tags.iter().map(str::to_owned).collect(),
            ..self.shown.clone()
        }
    }
}

/// `u64::MAX` is never.
fn time(nanoseconds: u64) -> Option<String> {
    let time = UNIX_EPOCH + Duration::from_nanos(nanoseconds);
    (nanoseconds != u64::MAX).then(|| format_rfc3339_micros(time).to_string())
}
