//! What a caller would get, in words.

use super::judged::Judged;
use super::{ExplainedLock, ExplainedOutcome, ExplainedReason};
use crate::manifest::MaxStale;
use crate::registry::Configured;

/// One sentence, or two.
pub(super) fn of(
    region: &Configured,
    judged: &Judged,
    outcome: ExplainedOutcome,
    lock: &ExplainedLock,
) -> String {
    let why = judged.reason.map(|reason| why(region, reason));
    let why = why.unwrap_or_default();
    let creates = match lock {
        ExplainedLock {
            by_this_host: true, ..
        } => "a caller of this host is creating a new one",
        ExplainedLock { held: true, .. } => "another process is creating a new one",
        _ => "the next caller creates a new one",
    };
    let mut text = match outcome {
        ExplainedOutcome::Fresh if judged.held => {
            "gets the value that was created while the backend failed, which this process holds"
                .to_owned()
        }
        ExplainedOutcome::Fresh => "gets this value at once: it is fresh".to_owned(),
        ExplainedOutcome::Stale => {
            format!("gets this value at once: {why}; {creates}")
        }
        ExplainedOutcome::Missing if lock.held => {
            format!("waits for a value: {why}; {creates}")
        }
        ExplainedOutcome::Missing => format!("creates a value, and others wait for it: {why}"),
        ExplainedOutcome::Failed => format!("gets an error: {why}"),
    };
    if judged.on_error && outcome == ExplainedOutcome::Missing {
        text.push_str("; if that fails, this value stands in for it");
    }
    if judged.reason == Some(ExplainedReason::Foreign) && !region.config.replace_foreign {
        text.push_str("; what is created is not stored over it, as replace_foreign is false");
    }
    text
}

fn why(region: &Configured, reason: ExplainedReason) -> String {
    let limit = region.config.resolved_max_stale();
    match reason {
        ExplainedReason::Absent => "nothing is stored under the key",
        ExplainedReason::Expired => "it has expired, and may be served meanwhile",
        ExplainedReason::TooStale => {
            return match limit {
                MaxStale::For(limit) => format!(
                    "what is stored is past its expiration time by more than the max_stale of {}",
                    humantime::format_duration(limit)
                ),
                MaxStale::Forever => "what is stored has expired".to_owned(),
            };
        }
        ExplainedReason::SoftInvalidated => "it was invalidated softly",
        ExplainedReason::HardInvalidated => "what is stored was invalidated",
        ExplainedReason::FutureCreation => {
            "its creation time lies ahead of this machine's clock by more than a minute"
        }
        ExplainedReason::Foreign => "what is stored was pickled by Python",
        ExplainedReason::Damaged => "what is stored cannot be read",
        ExplainedReason::Version => "what is stored has another value_version",
        ExplainedReason::BackendError => "the backend failed",
        ExplainedReason::Bypass => "the backend is not called at present",
        ExplainedReason::Reserved => {
            "under this key lies the record by which processes tell each other of invalidations"
        }
    }
    .to_owned()
}
