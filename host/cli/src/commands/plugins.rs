//! `plugins`.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use dogpile::loader::Loader;
use dogpile::manifest::Manifest;
use dogpile::{Trust, paths};
use serde::Serialize;

use super::pin::pin;
use crate::outcome::Outcome;
use crate::probe::{Described, Probed, plugin};
use crate::{output, schema};

const EXAMPLES: &str = "\
Examples:
  dogpile plugins
      What the listed plugins offer, with their arguments, and which other files are there.
  dogpile plugins --pin
      Writes sha256 = \"...\" for each listed plugin into the manifest.

Exit status: 0 all listed plugins can be loaded; 1 one cannot, or pinning failed; 2 wrong usage.";

/// Show the plugins of the manifest, and other files in the plugin directory
///
/// A plugin that is not listed in the manifest is described from its file, and not loaded.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write the SHA-256 of every listed plugin's file into the manifest, and print it: from then on no other file is
    /// loaded in its place
    #[arg(long)]
    pin: bool,
}

/// A file of the plugin directory.
#[derive(Serialize)]
struct Found {
    /// Its name in the manifest.
    name: Option<String>,
    #[serde(serialize_with = "paths::in_json")]
    file: PathBuf,
    #[serde(flatten)]
    described: Option<Described>,
    error: Option<String>,
    /// What an operator can search for.
    code: Option<String>,
}

pub(crate) fn run(manifest: &Path, options: &Options) -> Result<Outcome> {
    let manifest = Manifest::load(manifest)?;
    if options.pin {
        return pin(&manifest, options.json);
    }
    let mut found: Vec<_> = manifest
        .plugins()
        .values()
        .map(|listed| match plugin(listed) {
            Probed::Loaded(described) => Found {
                name: Some(listed.name.clone()),
                file: listed.path.clone(),
                described: Some(described),
                error: None,
                code: None,
            },
            Probed::Refused {
                code,
                message,
                remedy,
                ..
            } => Found {
                name: Some(listed.name.clone()),
                file: listed.path.clone(),
                described: None,
                error: Some(format!("{message}; {remedy}")),
                code,
            },
        })
        .collect();
    let listed_are_right = found.iter().all(|found| found.error.is_none());
    found.extend(others(&manifest)?);
    if options.json {
        output::print_json(&found)?;
    } else {
        output::print_text(&text(&found)?)?;
    }
    Ok(if listed_are_right {
        Outcome::Done
    } else {
        Outcome::Failed
    })
}

/// Libraries in the plugin directory which the manifest does not list. None of their code is run.
fn others(manifest: &Manifest) -> Result<Vec<Found>> {
    let Ok(folder) = fs::read_dir(&manifest.host().plugin_dir) else {
        // Missing, it is an error for the plugins that should be there, and only for them.
        return Ok(Vec::new());
    };
    let mut files = Vec::new();
    for entry in folder {
        let file = entry?.path();
        let is_listed = manifest
            .plugins()
            .values()
            .any(|listed| listed.path == file);
        if file.extension().is_some_and(|extension| extension == "so") && !is_listed {
            files.push(file);
        }
    }
    files.sort();
    // What it says is shown, and nothing of it is run.
    let unlisted = Loader::new().trust(Trust::Off);
    let found = files.into_iter().map(|file| match unlisted.inspect(&file) {
        Ok(inspected) => Found {
            name: None,
            file,
            described: Some(Described::of_file(inspected)),
            error: None,
            code: None,
        },
        Err(error) => Found {
            name: None,
            file,
            described: None,
            error: Some(format!("{}; {}", error.message(), error.remedy())),
            code: Some(error.kind().code().to_owned()),
        },
    });
    Ok(found.collect())
}

fn text(found: &[Found]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for Found {
        name,
        file,
        described,
        error,
        code,
    } in found
    {
        if !text.is_empty() {
            text.push('\n');
        }
        match name {
            Some(name) => writeln!(text, "{name}: {}", paths::in_a_line(file))?,
            None => writeln!(text, "not listed: {}", paths::in_a_line(file))?,
        }
        if let Some(error) = error {
            let code = code.as_deref().map(|code| format!("[{code}]"));
            writeln!(text, "  error{}: {error}", code.unwrap_or_default())?;
        }
        if let Some(described) = described {
            describe(&mut text, described)?;
        }
    }
    Ok(text)
}

fn describe(text: &mut String, described: &Described) -> std::fmt::Result {
    match &described.version {
        Some(version) => writeln!(text, "  package: {} {version}", described.package)?,
        None => writeln!(text, "  package: {}", described.package)?,
    }
    writeln!(text, "  plugin API: {}", described.api_version)?;
    writeln!(text, "  compiler: {}", described.rustc)?;
    writeln!(text, "  sha256: {}", described.sha256)?;
    let backends = described
        .backends
        .iter()
        .map(|one| ("backend", &one.name, &one.arguments));
    let manglers = described
        .manglers
        .iter()
        .map(|one| ("key mangler", &one.name, &one.arguments));
    let proxies = described
        .proxies
        .iter()
        .map(|one| ("proxy", &one.name, &one.arguments));
    let template_caches = described
        .template_caches
        .iter()
        .map(|one| ("template cache", &one.name, &one.arguments));
    let offered = backends.chain(manglers).chain(proxies);
    for (kind, name, arguments) in offered.chain(template_caches) {
        writeln!(text, "  {kind}: {name}")?;
        for argument in schema::arguments(arguments) {
            writeln!(text, "    {argument}")?;
        }
    }
    Ok(())
}
