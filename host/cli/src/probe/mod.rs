//! Plugins are tried in a child process: one that crashes takes only that down, and what it did is told.

pub(crate) mod child;
mod conformance;
mod described;
mod process;

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, Subcommand};
use dogpile::manifest::{Manifest, ManifestError, PluginConfig};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::conformance::{OPENS, Row, Task, conformance};
pub(crate) use self::described::Described;
use self::process::{Died, run};

/// Longer than any plugin takes to be loaded.
const LOADING: Duration = Duration::from_secs(30);

/// How long a region may take to be opened where the manifest sets no limit, and to be pinged.
const OPENING: Duration = Duration::from_mins(2);

/// How the command starts itself, so that a plugin which crashes takes that process down. Its own parser: it is in no
/// help, and in no list of commands that an error shows.
#[derive(Debug, Parser)]
#[command(name = "dogpile probe")]
pub(crate) struct Arguments {
    #[arg(long, default_value = "dogpile.toml")]
    pub(crate) manifest: PathBuf,
    #[command(subcommand)]
    pub(crate) what: What,
}

impl Arguments {
    /// If this process is such a child.
    pub(crate) fn ours() -> Option<Self> {
        let mut words = std::env::args_os().skip(1);
        let is_probe = words.next().is_some_and(|word| word == "probe");
        is_probe.then(|| Self::parse_from(std::env::args_os().skip(1)))
    }
}

/// What the child tries.
#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Loads one plugin.
    Plugin {
        file: PathBuf,
        name: String,
        /// What its digest must be.
        sha256: Option<String>,
    },
    /// Loads one plugin that no manifest lists.
    File { file: PathBuf },
    /// Opens and pings all regions.
    Regions,
    /// Opens one region.
    Region { name: String },
    /// Runs the suites on a plugin's file, as the standard input asks for.
    Conformance { file: PathBuf },
}

/// Of a plugin.
#[derive(Serialize, Deserialize)]
pub(crate) enum Probed {
    Loaded(Described),
    Refused {
        /// What an operator can search for.
        code: Option<String>,
        message: String,
        remedy: String,
        /// Whether loading it kills the process.
        killed: bool,
    },
}

/// Of the regions.
#[derive(Serialize, Deserialize)]
pub(crate) enum Regions {
    /// All are open; some do not answer.
    Opened {
        silent: Vec<Silent>,
        /// What works, but probably not as it is meant.
        warnings: Vec<Warning>,
        /// Of files whose entries are lost, what their backend says.
        lost: Vec<String>,
    },
    /// The whole of what the library says, and one by one what is wrong with the manifest, as `--json` prints it.
    Refused { text: String, errors: Vec<Value> },
}

/// A region that does not answer.
#[derive(Serialize, Deserialize)]
pub(crate) struct Silent {
    pub(crate) region: String,
    pub(crate) message: String,
    /// What an operator can search for.
    pub(crate) code: Option<String>,
}

/// A warning of a manifest, as text and as `--json` prints it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Warning {
    pub(crate) text: String,
    pub(crate) as_json: Value,
}

impl Warning {
    pub(crate) fn of(warning: &ManifestError) -> serde_json::Result<Self> {
        Ok(Self {
            text: warning.to_string(),
            as_json: serde_json::to_value(warning)?,
        })
    }
}

/// Errors of a manifest as a child told them.
#[derive(Debug)]
pub(crate) struct Refusal {
    text: String,
    pub(crate) errors: Vec<Value>,
}

impl Refusal {
    pub(crate) fn new(text: String, errors: Vec<Value>) -> Self {
        Self { text, errors }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refusal {}

/// Loads a plugin that a manifest lists, and asks what it is.
pub(crate) fn plugin(config: &PluginConfig) -> Probed {
    let mut arguments = vec![
        "plugin".as_ref(),
        config.path.as_os_str(),
        config.name.as_ref(),
    ];
    arguments.extend(config.sha256.as_ref().map(OsStr::new));
    probed(&arguments)
}

/// Loads a plugin's file that no manifest lists.
pub(crate) fn file(path: &Path) -> Probed {
    probed(&["file".as_ref(), path.as_os_str()])
}

fn probed(arguments: &[&OsStr]) -> Probed {
    run(arguments, LOADING).unwrap_or_else(|died| Probed::Refused {
        code: Some("plugin-kills-the-process".to_owned()),
        message: format!("loading it {died}"),
        remedy: "replace the file, or leave the plugin out".to_owned(),
        killed: true,
    })
}

/// Opens and pings all regions.
pub(crate) fn regions(path: &Path, manifest: &Manifest) -> Result<Regions, Died> {
    let each = manifest
        .host()
        .open_timeout
        .unwrap_or(OPENING)
        .saturating_add(OPENING);
    let all = each.saturating_mul(u32::try_from(manifest.regions().len()).unwrap_or(u32::MAX));
    let arguments = ["--manifest".as_ref(), path.as_os_str(), "regions".as_ref()];
    run(&arguments, LOADING.saturating_add(all))
}

/// Opens one region alone, to see whether that kills the process.
pub(crate) fn region(path: &Path, manifest: &Manifest, name: &str) -> Result<(), Died> {
    let limit = manifest
        .host()
        .open_timeout
        .unwrap_or(OPENING)
        .saturating_add(LOADING);
    let arguments = [
        "--manifest".as_ref(),
        path.as_os_str(),
        "region".as_ref(),
        name.as_ref(),
    ];
    run(&arguments, limit)
}
