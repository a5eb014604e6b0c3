//! `exec --list`.

use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use serde::Serialize;

use super::cache::Cache;
use super::key::Key;
use super::options::Options;
use super::own;
use super::record::{End, Record};
use super::time::shown;
use crate::outcome::Outcome;
use crate::table::table;
use crate::{output, quoted};

/// A run that is kept.
#[derive(Serialize)]
struct Kept {
    command: Vec<String>,
    folder: String,
    /// When it ended.
    cached_time: String,
    /// In seconds.
    age: u64,
    /// Of the output, in bytes.
    size: usize,
    end: End,
    key: String,
    #[serde(skip)]
    cached: SystemTime,
}

pub(super) fn run(options: &Options) -> Result<Outcome> {
    let mut kept = own::with(options, all)?;
    kept.sort_by_key(|kept| std::cmp::Reverse(kept.cached));
    if options.json {
        output::print_json(&kept)?;
    } else {
        let rows: Vec<_> = kept.iter().map(row).collect();
        output::print_text(&table(["AGE", "SIZE", "END", "FOLDER", "COMMAND"], &rows))?;
    }
    Ok(Outcome::Done)
}

fn all(cache: &Cache, file: &Path) -> Result<Vec<Kept>> {
    let keys = dogpile_plugin_dbm::keys(file)?;
    let mut all = Vec::new();
    for key in keys.into_iter().filter(|key| Key::is_entry(key)) {
        // It may have gone, and be of another version.
        if let Some(payload) = cache.region.get_payload(&key)?
            && let Ok(record) = rmp_serde::from_slice::<Record>(&payload.bytes)
        {
            all.push(Kept {
                size: record.bytes(),
                command: record.command,
                folder: record.folder,
                cached_time: humantime::format_rfc3339_seconds(payload.metadata.cached_time)
                    .to_string(),
                age: payload.metadata.age.as_secs(),
                end: record.end,
                cached: payload.metadata.cached_time,
                key,
            });
        }
    }
    Ok(all)
}

fn row(kept: &Kept) -> [String; 5] {
    [
        shown(std::time::Duration::from_secs(kept.age)),
        kept.size.to_string(),
        kept.end.to_string(),
        quoted::word(&kept.folder),
        quoted::line(&kept.command),
    ]
}
