//! `status`.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use clap::Args;
use dogpile::{ChangeKind, HostStatus, ReloadRecord, Trigger, paths};

use crate::outcome::Outcome;
use crate::table::table;
use crate::{output, running};

const EXAMPLES: &str = "\
Examples:
  dogpile status
      Tables of the plugins and regions, the newest reload, and what is wrong.
  dogpile status --json
      The same with all counters; docs/command.md has the fields.

Exit status: 0 told; 1 no host of the manifest answers; 2 wrong usage.";

/// Show what the running host has loaded, and what it has counted
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(manifest: &Path, options: &Options) -> Result<Outcome> {
    let status = running::host(manifest)?.status()?;
    if options.json {
        output::print_json(&status)?;
    } else {
        output::print_text(&text(&status)?)?;
    }
    Ok(Outcome::Done)
}

fn text(status: &HostStatus) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let path = status.manifest.as_deref().unwrap_or(Path::new("(none)"));
    writeln!(text, "manifest: {}", paths::in_a_line(path))?;
    let generation = status.generation;
    match &status.loaded_at {
        Some(at) => writeln!(text, "generation: {generation}, loaded at {at}")?,
        None => writeln!(text, "generation: {generation}")?,
    }
    if let Some(last) = &status.last_reload {
        writeln!(text, "{}", reloaded(last))?;
    }
    let reloads = &status.reloads;
    let (applied, unchanged, refused) = (reloads.applied, reloads.unchanged, reloads.refused);
    writeln!(
        text,
        "reloads: {applied} applied, {unchanged} unchanged, {refused} refused"
    )?;
    if status.leaked_images > 0 {
        writeln!(
            text,
            "old images: {} stay mapped, about {} KiB",
            status.leaked_images,
            status.leaked_bytes / 1024
        )?;
    }
    for left in &status.draining {
        writeln!(
            text,
            "{}: {} since {}, {} calls have not ended",
            left.state, left.instance, left.since, left.calls
        )?;
    }
    if let Some(error) = &status.last_error {
        writeln!(text, "\nthe newest manifest was refused:\n{error}")?;
    }
    let plugins: Vec<_> = status.plugins.iter().map(plugin).collect();
    if !plugins.is_empty() {
        writeln!(
            text,
            "\n{}",
            table(["PLUGIN", "VERSION", "STATE", "IMAGE", "FILE"], &plugins).trim_end()
        )?;
    }
    let regions: Vec<_> = status.regions.iter().map(region).collect();
    if !regions.is_empty() {
        let head = [
            "REGION",
            "BACKEND",
            "STATE",
            "HITS",
            "MISSES",
            "STALE",
            "CREATIONS",
            "WAITS",
            "ERRORS",
            "STORE ERRORS",
        ];
        writeln!(text, "\n{}", table(head, &regions).trim_end())?;
    }
    for region in &status.regions {
        let stuck = match region.stuck_calls {
            0 => String::new(),
            1 => "1 call is stuck in its backend".to_owned(),
            calls => format!("{calls} calls are stuck in its backend"),
        };
        match &region.reason {
            Some(reason) if stuck.is_empty() => writeln!(text, "{}: {reason}", region.name)?,
            Some(reason) => writeln!(text, "{}: {reason}; {stuck}", region.name)?,
            None if stuck.is_empty() => {}
            None => writeln!(text, "{}: {stuck}", region.name)?,
        }
    }
    if let Some(templates) = &status.templates {
        let (plugin, name, state) = (&templates.plugin, &templates.name, &templates.state);
        writeln!(text, "\ntemplates: {plugin}/{name}, {state}")?;
    }
    Ok(text)
}

/// When it was, and what came of it; after that, what became of the regions that did not stay as they were.
fn reloaded(last: &ReloadRecord) -> String {
    let ReloadRecord {
        at,
        seconds,
        trigger,
        outcome,
        plan,
        retries,
        ..
    } = last;
    let head = format!("last reload: {outcome} at {at} in {seconds:.3} s (cause: {trigger})");
    let again = retries.as_ref().map_or(String::new(), |retries| {
        match (retries.refused, &retries.last) {
            (_, None) => String::from("; it is tried again"),
            (1, Some(at)) => format!("; it was tried again once, at {at}"),
            (times, Some(at)) => format!("; it was tried again {times} times, last at {at}"),
        }
    });
    let hangs = retries.as_ref().is_some_and(|retries| retries.hangs);
    let waits = if hangs {
        "; an earlier try still hangs in a plugin, and until that ends there is no other"
    } else {
        ""
    };
    let plan = plan.as_ref().filter(|_| *trigger != Trigger::Start);
    let changes = plan.iter().flat_map(|plan| &plan.changes);
    let changes = changes.filter(|change| change.kind != ChangeKind::Kept);
    let lines = changes.map(|change| format!("\n  {change}"));
    head + &again + waits + &lines.collect::<String>()
}

fn plugin(plugin: &dogpile::PluginStatus) -> [String; 5] {
    let file = plugin.file.as_ref();
    [
        plugin.name.clone(),
        plugin.version.clone(),
        plugin.state.clone(),
        plugin.generation.to_string(),
        file.map_or_else(
            || "(linked in)".to_owned(),
            |file| paths::in_a_line(file).to_string(),
        ),
    ]
}

/// The backend, behind the proxies through which its calls go.
fn backend(region: &dogpile::RegionStatus) -> String {
    let backend = format!("{}/{}", region.plugin, region.backend);
    let proxies = region.proxies.iter().map(|proxy| format!("{proxy} > "));
    proxies.collect::<String>() + &backend
}

fn region(region: &dogpile::RegionStatus) -> [String; 10] {
    [
        region.name.clone(),
        backend(region),
        region.state.clone(),
        region.hits.to_string(),
        region.misses.values().sum::<u64>().to_string(),
        region.stale.to_string(),
        region.creations.to_string(),
        region.waits.to_string(),
        region.errors.to_string(),
        region.store_errors.to_string(),
    ]
}
