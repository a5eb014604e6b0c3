//! `get`.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use dogpile::{Expiration, ExplainedReason, Explanation, Payload, ValueMetadata};
use humantime::format_rfc3339_nanos;
use serde_json::json;

use crate::outcome::Outcome;
use crate::output;
use crate::running::Reached;

const EXAMPLES: &str = "\
Examples:
  dogpile get pages /index
      The payload's bytes as they are stored: with serializer = \"json\", JSON.
  dogpile get pages /index --metadata
      When it was created, until when it is kept, and its tags.

It says nothing of whether a caller would get the value: that is `dogpile explain`.

Exit status: 0 printed; 1 the region cannot be asked, or what is stored cannot be read; 2 wrong usage; 3 no such value.";

/// Print the payload of a value as it is stored, fresh or not
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The region's name
    region: String,
    /// The key as the program has it, before mangling
    key: String,
    /// Print when it was created and so on, not the payload
    #[arg(long)]
    metadata: bool,
    /// Print the metadata as JSON
    #[arg(long, requires = "metadata")]
    json: bool,
}

pub(crate) fn run(manifest: &Path, options: &Options) -> Result<Outcome> {
    let mut region = Reached::region(manifest, &options.region)?;
    let Some(Payload {
        bytes, metadata, ..
    }) = region.get(&options.key)?
    else {
        return without_payload(&region.explain(&options.key)?);
    };
    if !options.metadata {
        output::print(bytes)?;
    } else if options.json {
        output::print_json(&as_json(&metadata, bytes.len()))?;
    } else {
        output::print_text(&as_text(&metadata, bytes.len()))?;
    }
    Ok(Outcome::Done)
}

/// Nothing is stored, or nothing that dogpile wrote.
fn without_payload(explanation: &Explanation) -> Result<Outcome> {
    use ExplainedReason::{BackendError, Bypass, Damaged, Foreign, Reserved};
    let Explanation { region, key, .. } = explanation;
    if let Some(BackendError | Bypass | Damaged | Foreign | Reserved) = explanation.reason {
        let caller = explanation.caller.split_once(": ");
        let why = caller.map_or(&*explanation.caller, |(_, why)| why);
        let why = explanation.detail.as_deref().unwrap_or(why);
        bail!("what is stored for `{key}` in region `{region}` cannot be read: {why}");
    }
    output::say(format_args!(
        "no value for `{}` in region `{}`",
        output::in_a_line(key),
        output::in_a_line(region)
    ));
    Ok(Outcome::NoSuchValue)
}

fn as_text(metadata: &ValueMetadata, size: usize) -> String {
    let keep_until = metadata.keep_until.map_or_else(
        || "never".to_owned(),
        |time| format_rfc3339_nanos(time).to_string(),
    );
    // Most values have none of their own: the region's is no property of the value.
    let expiration_time = metadata.expiration_time.map_or_else(String::new, |time| {
        format!("expiration_time: {}\n", shown(time))
    });
    // Escaped, so that a tag with a line end cannot pass for another line.
    let tags = match &metadata.tags[..] {
        [] => String::new(),
        tags => format!("tags: {}\n", tags.join(", ").escape_debug()),
    };
    format!(
        "cached_time: {}\nstarted_time: {}\nage: {}\n{expiration_time}keep_until: {keep_until}\nvalue_version: {}\n{tags}size: {}\n",
        format_rfc3339_nanos(metadata.cached_time),
        format_rfc3339_nanos(metadata.started_time),
        humantime::format_duration(Duration::from_millis(milliseconds(metadata.age))),
        metadata.value_version,
        output::count(size, "byte"),
    )
}

fn as_json(metadata: &ValueMetadata, size: usize) -> serde_json::Value {
    json!({
        "cached_time": format_rfc3339_nanos(metadata.cached_time).to_string(),
        "started_time": format_rfc3339_nanos(metadata.started_time).to_string(),
        "age_seconds": metadata.age.as_secs_f64(),
        "expiration_time": metadata.expiration_time.map(shown),
        "keep_until": metadata.keep_until.map(|time| format_rfc3339_nanos(time).to_string()),
        "value_version": metadata.value_version,
        "tags": metadata.tags,
        "size": size,
    })
}

fn shown(time: Expiration) -> String {
    match time {
        Expiration::Never => "never".to_owned(),
        Expiration::After(time) => humantime::format_duration(time).to_string(),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
