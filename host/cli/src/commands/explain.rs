//! `explain`.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use dogpile::{ExplainedInvalidation, ExplainedLock, ExplainedReason, ExplainedValue, Explanation};

use crate::outcome::Outcome;
use crate::output;
use crate::running::Reached;

const EXAMPLES: &str = "\
Examples:
  dogpile explain users user:42
      Where the value of `user:42` lives, how old it is, what a caller gets and why.
  dogpile explain users user:42 --json
      The same for a program; docs/command.md has the fields.

Nothing is created or changed, and nothing counted. Without a running host the command opens the region itself; it knows \
then what the storage tells, and of other processes that they create, not how many callers wait there.

Exit status: 0 a value is stored, usable or not; 1 the region or its backend cannot be asked; 2 wrong usage; 3 no value is stored.";

/// Tell what a caller of a key would get now, and why
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The region's name
    region: String,
    /// The key as the program has it, before mangling
    key: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(manifest: &Path, options: &Options) -> Result<Outcome> {
    let explanation = Reached::region(manifest, &options.region)?.explain(&options.key)?;
    if options.json {
        output::print_json(&explanation)?;
    } else {
        output::print_text(&text(&explanation)?)?;
    }
    Ok(match (&explanation.value, explanation.reason) {
        (Some(_), _) => Outcome::Done,
        (None, Some(ExplainedReason::Absent)) => Outcome::NoSuchValue,
        (None, _) => Outcome::Failed,
    })
}

fn text(explanation: &Explanation) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "key: {}", quoted(&explanation.key))?;
    writeln!(text, "stored key: {}", quoted(&explanation.stored_key))?;
    let proxies = explanation
        .proxies
        .iter()
        .map(|proxy| format!("{proxy} > "));
    writeln!(
        text,
        "backend: {}{}/{}, {}",
        proxies.collect::<String>(),
        explanation.plugin,
        explanation.backend,
        explanation.state
    )?;
    if let Some(reason) = &explanation.state_reason {
        writeln!(text, "  {reason}")?;
    }
    for (name, value) in explanation.arguments.as_object().into_iter().flatten() {
        writeln!(text, "  {name}: {value}")?;
    }
    let seen_by = if explanation.shared {
        "other processes see it"
    } else {
        "this process alone has it"
    };
    writeln!(text, "storage: {seen_by}")?;
    match &explanation.value {
        Some(value) => describe(&mut text, value)?,
        None => match (&explanation.value_error, explanation.reason) {
            (Some(why), _) => writeln!(text, "value: could not be read: {why}")?,
            (None, Some(ExplainedReason::Reserved)) => writeln!(text, "value: not read")?,
            _ => writeln!(text, "value: none")?,
        },
    }
    if let Some(invalidation) = &explanation.invalidated_by {
        writeln!(text, "invalidated: {}", invalidated(invalidation))?;
    }
    let is_told = explanation.value.is_none() && explanation.detail == explanation.value_error;
    if let Some(detail) = explanation.detail.as_ref().filter(|_| !is_told) {
        writeln!(text, "detail: {detail}")?;
    }
    writeln!(text, "lock: {}", lock(&explanation.lock))?;
    writeln!(text, "a caller {}", explanation.caller)?;
    Ok(text)
}

fn describe(text: &mut String, value: &ExplainedValue) -> std::fmt::Result {
    match (value.size, &value.serializer) {
        (Some(size), Some(serializer)) => {
            writeln!(
                text,
                "value: {} by `{serializer}`",
                output::count(size, "byte")
            )?;
        }
        (Some(size), None) => writeln!(text, "value: {}", output::count(size, "byte"))?,
        (None, _) => writeln!(text, "value: an object")?,
    }
    let never = || "never".to_owned();
    if let (Some(cached), Some(age)) = (&value.cached_time, value.age_seconds) {
        let age = Duration::from_millis(
            Duration::from_secs_f64(age)
                .as_millis()
                .try_into()
                .unwrap_or(u64::MAX),
        );
        writeln!(text, "  cached_time: {cached}")?;
        writeln!(text, "  age: {}", humantime::format_duration(age))?;
        let expires = value.expires_at.clone();
        writeln!(text, "  expires_at: {}", expires.unwrap_or_else(never))?;
        let until = value.stale_until.clone();
        writeln!(
            text,
            "  stale_until: {}",
            until.unwrap_or_else(|| "forever".to_owned())
        )?;
        let keep = value.keep_until.clone();
        writeln!(text, "  keep_until: {}", keep.unwrap_or_else(never))?;
    }
    if let Some(version @ 1..) = value.value_version {
        writeln!(text, "  value_version: {version}")?;
    }
    if !value.tags.is_empty() {
        writeln!(text, "  tags: {}", value.tags.join(", ").escape_debug())?;
    }
    Ok(())
}

fn invalidated(invalidation: &ExplainedInvalidation) -> String {
    let by = match (invalidation.of.as_str(), &invalidation.tag) {
        ("tag", Some(tag)) => format!("by its tag {}", quoted(tag)),
        ("tags", _) => "by one of its tags".to_owned(),
        ("strategy", _) => "by the program's own strategy".to_owned(),
        _ => "with the whole region".to_owned(),
    };
    let at = invalidation.at.as_ref();
    let at = at.map_or(String::new(), |at| format!(", at {at}"));
    format!("{} {by}{at}", invalidation.how)
}

fn lock(lock: &ExplainedLock) -> String {
    let waiting = match lock.waiting {
        0 => String::new(),
        1 => ", 1 caller waits".to_owned(),
        callers => format!(", {callers} callers wait"),
    };
    match lock {
        ExplainedLock {
            error: Some(error), ..
        } => format!("not known: {error}"),
        ExplainedLock {
            by_this_host: true, ..
        } => format!("held by this host{waiting}"),
        ExplainedLock { held: true, .. } => format!("held by another process{waiting}"),
        _ => "free".to_owned(),
    }
}

/// Escaped, so that a key with a line end cannot pass for another line.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}
