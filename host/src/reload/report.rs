//! What a host tells of its reloads: to its status, its log and the program.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tracing::field::display;

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
    /// It had been refused for a cause outside of its files, and was tried again by itself: see [`Retries`].
    Retry,
}

impl Trigger {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::File => "file",
            Self::Signal => "signal",
            Self::Command => "command",
            Self::Program => "program",
            Self::Retry => "retry",
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
    /// How it has been tried again by itself since it was refused; none where it is not.
    #[serde(default)]
    pub retries: Option<Retries>,
}

/// The tries of a manifest that was refused for a cause outside of its files: a server that is down, the owner of a
/// folder, a variable or a secret that is not there.
///
/// It is tried again after a second, then after twice as long each time up to 30 seconds, each up to a quarter shorter by
/// chance; and from the beginning of that when one of its files is saved as it was (if that changes it, it is applied
/// at once as always). A host that does not watch its manifest does not try again. Nor is it when an error is one of the text, the fault of a plugin (a panic, say), or of changes to
/// what is in use (an `exclusive` backend, or one that takes on other arguments): a try would change that again.
///
/// No try is made while a thread of an earlier one hangs in a plugin, which it left behind when opening took too long.
///
/// A try that is refused for the same errors is counted here alone: it is no reload, nobody is told of it, and it is not
/// logged. One that comes to something else is a reload, of [`Trigger::Retry`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Retries {
    /// So many were refused for the same errors.
    pub refused: u64,
    /// When the newest of these began, by RFC 3339.
    pub last: Option<String>,
    /// Whether a try was put off, since opening for an earlier one took too long and still hangs in a plugin: each would
    /// leave another thread there.
    #[serde(default)]
    pub hangs: bool,
}

/// How many reloads a host has had, by outcome. Its start is none, and neither are [`Retries`] that change nothing.
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
            retries: None,
        }
    }

    /// Takes note of another try, if it was refused for the same.
    pub(super) fn came_again(&mut self, other: &Self) -> bool {
        let is_same = other.outcome == ReloadOutcome::Refused && self.error == other.error;
        if let (true, Some(retries)) = (is_same, &mut self.retries) {
            retries.refused += 1;
            retries.last = Some(other.at.clone());
            retries.hangs = false;
        }
        is_same
    }

    /// One event for each: at level info, or error if it was refused. What takes several lines is its last field. A start
    /// that was refused is for who builds the host to tell, who gets the error.
    pub(super) fn log(&self) {
        let Self {
            seconds,
            trigger,
            outcome,
            generation,
            ..
        } = self;
        if let Some(plan) = &self.plan {
            let text = plan.to_string();
            let (head, changes) = match text.split_once('\n') {
                Some((head, changes)) => (head, Some(display(format!("\n{changes}")))),
                None => (&*text, None),
            };
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
                changes, "{head}"
            );
        } else if *trigger != Trigger::Start {
            let error = self.error.as_deref().unwrap_or_default();
            let stays = "the manifest was refused, the last good one stays in force";
            let then = if self.retries.is_some() {
                "it is tried again by itself within 30 s, when one of its files changes, and by `dogpile reload`"
            } else {
                "it is tried again when one of its files changes, and by `dogpile reload`"
            };
            tracing::error!(
                target: "dogpile.reload", %outcome, %trigger, generation, seconds, error = %format_args!("\n{error}"),
                "{stays} ({then})"
            );
        }
    }
}
