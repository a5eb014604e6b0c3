//! What a host tells of its reloads: to its status, its log and the program.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::outcome::Reload;
use super::plan::ChangeKind;
use crate::{Error, Result};

/// What had a host read its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Trigger {
    /// The host was built.
    Start,
    /// A file that belongs to it was changed.
    File,
    /// The process was sent a signal: `dogpile serve` reloads at SIGHUP.
    Signal,
    /// `dogpile reload`, over the admin socket.
    Command,
    /// The program called [`Host::reload`](crate::Host::reload).
    Program,
}

impl Trigger {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::File => "file",
            Self::Signal => "signal",
            Self::Command => "command",
            Self::Program => "program",
        }
    }
}

/// As it stands in the status and in the log.
impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a reload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReloadOutcome {
    /// A new generation is in force.
    Applied,
    /// The manifest is right, and what is in force is that already.
    Unchanged,
    /// Something is wrong with it: the last good one stays in force.
    Refused,
}

/// As it stands in the status and in the log.
impl fmt::Display for ReloadOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
        })
    }
}

/// One reload, once it has ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReloadRecord {
    /// When it began, by RFC 3339.
    pub at: String,
    /// How long it took, in seconds: reading, opening and the swap, not the closing of what was replaced.
    pub seconds: f64,
    /// Why it began.
    pub trigger: Trigger,
    /// How it ended.
    pub outcome: ReloadOutcome,
    /// The generation in force afterwards.
    pub generation: u64,
    /// What became of each region; none if the manifest was refused.
    pub plan: Option<Reload>,
    /// Why it was refused, if it was.
    pub error: Option<String>,
}

/// How many reloads a host has had, by outcome. Its start is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reloads {
    /// See [`ReloadOutcome::Applied`].
    pub applied: u64,
    /// See [`ReloadOutcome::Unchanged`].
    pub unchanged: u64,
    /// See [`ReloadOutcome::Refused`].
    pub refused: u64,
}

impl Reloads {
    pub(super) fn count(&mut self, record: &ReloadRecord) {
        if record.trigger == Trigger::Start {
            return;
        }
        let counter = match record.outcome {
            ReloadOutcome::Applied => &mut self.applied,
            ReloadOutcome::Unchanged => &mut self.unchanged,
            ReloadOutcome::Refused => &mut self.refused,
        };
        *counter += 1;
    }
}

/// When a reload began, and how long it has taken.
#[derive(Clone, Copy)]
pub(super) struct Timing {
    pub(super) at: SystemTime,
    pub(super) took: Duration,
}

impl ReloadRecord {
    pub(super) fn new(
        timing: Timing,
        trigger: Trigger,
        generation: u64,
        outcome: &Result<Reload>,
    ) -> Self {
        Self {
            at: humantime::format_rfc3339_millis(timing.at).to_string(),
            seconds: timing.took.as_secs_f64(),
            trigger,
            outcome: match outcome {
                Ok(reload) if reload.changed => ReloadOutcome::Applied,
                Ok(_) => ReloadOutcome::Unchanged,
                Err(_) => ReloadOutcome::Refused,
            },
            generation,
            plan: outcome.as_ref().ok().cloned(),
            error: outcome.as_ref().err().map(Error::to_string),
        }
    }

    /// One event for each: at level info, or error if it was refused.
    pub(super) fn log(&self) {
        let Self {
            seconds,
            trigger,
            outcome,
            generation,
            ..
        } = self;
        if let Some(plan) = &self.plan {
            let count = |kind| plan.changes.iter().filter(|one| one.kind == kind).count();
            tracing::info!(
                target: "dogpile.reload", %outcome, %trigger, generation, seconds,
                added = count(ChangeKind::Added),
                removed = count(ChangeKind::Removed),
                swapped = count(ChangeKind::Swapped),
                reconfigured = count(ChangeKind::Reconfigured),
                changed = count(ChangeKind::Changed),
                kept = count(ChangeKind::Kept),
                entries_lost = plan.entries_lost,
                "{plan}"
            );
        } else {
            let error = self.error.as_deref().unwrap_or_default();
            let then = match trigger {
                Trigger::Start => "the manifest was refused",
                _ => {
                    "the manifest was refused, the last good one stays in force (it is tried again when one of its files \
                     changes, and by `dogpile reload`)"
                }
            };
            tracing::error!(
                target: "dogpile.reload", %outcome, %trigger, generation, seconds, "{then}:\n{error}"
            );
        }
    }
}
