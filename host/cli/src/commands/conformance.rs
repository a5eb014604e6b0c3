//! `conformance`.

use std::fmt::Write;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use dogpile::paths;
use dogpile_plugin_api::Scalar;
use dogpile_plugin_api::testing::Suite;
use serde::Serialize;
use serde_json::{Map, Number, Value};

use crate::exec;
use crate::outcome::Outcome;
use crate::output;
use crate::probe::{self, Described, OPENS, Probed, Row, Task};
use crate::progress::Progress;
use crate::table::table;

const EXAMPLES: &str = "\
Examples:
  dogpile conformance target/release/libdogpile_plugin_map.so
      Whether its backend keeps the promises of one, case by case.
  dogpile conformance plugins/libdogpile_plugin_redis.so --backend redis --arguments 'port = 6390'
      One of its backends, on a server that nobody uses.
  dogpile conformance plugins/libdogpile_plugin_memcached.so --backend memcached --arguments -
      With arguments from the standard input, which keeps passwords out of the list of processes.

Exit status: 0 no case failed; 1 one did, or the plugin cannot be loaded, or does not offer the backend; 2 wrong usage.";

/// Run the conformance suites on a backend of a plugin's file, in a process that may die
///
/// The backend's storage is written to, and cleared where the plugin can do that: give it one that nobody uses. Each case
/// has an instance and keys of its own, so that one which fails, panics, hangs or ends the process is a row of the table,
/// and the others go on. Whose file it is matters as everywhere: `DOGPILE_TRUST`.
///
/// With --json, an object: `file`, `package`, `version`, `api_version`, `sha256`, `backend`; `passed`, `failed`,
/// `not_supported` and `skipped`, which count the cases; and `cases`, a list of objects with `suite` (`backend`,
/// `serializer` or `mutex`), `case` (its name, which is what must hold, and stays), `outcome` (`passed`, `failed`, `not
/// supported` or `skipped`), `detail` (what was seen, or why nothing was; null if it passed) and `seconds`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The plugin's file
    #[arg(value_name = "LIB")]
    file: PathBuf,
    /// Which of its backends; there is no need to say so where there is one
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// The backend's arguments as in a manifest, several with line ends between them; `-` reads the standard input, which
    /// keeps passwords out of the list of processes
    #[arg(long, value_name = "TOML", default_value = "", hide_default_value = true, value_parser = Arguments::parse)]
    arguments: Arguments,
    /// Only this case, by its name; several times for several
    #[arg(long, value_name = "NAME", value_parser = case)]
    case: Vec<String>,
    /// The longest value that is stored, from 16KiB up
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = size)]
    largest_value: usize,
    /// How long a case may take before it has failed
    #[arg(long, value_name = "D", default_value = "2m", value_parser = limit)]
    limit: Duration,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug)]
enum Arguments {
    /// A JSON object.
    Given(String),
    StandardInput,
}

impl Arguments {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "-" => Ok(Self::StandardInput),
            text => object(text).map(Self::Given),
        }
    }

    fn read(&self) -> Result<String> {
        match self {
            Self::Given(object) => Ok(object.clone()),
            Self::StandardInput => {
                let mut text = String::new();
                let read = io::stdin().read_to_string(&mut text);
                read.context("the standard input cannot be read")?;
                object(&text).map_err(|error| anyhow::anyhow!("the standard input: {error}"))
            }
        }
    }
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Report<'r> {
    #[serde(serialize_with = "paths::in_json")]
    file: &'r Path,
    package: &'r str,
    version: Option<&'r str>,
    api_version: &'r str,
    sha256: &'r str,
    backend: &'r str,
    passed: usize,
    failed: usize,
    not_supported: usize,
    skipped: usize,
    cases: &'r [Row],
}

pub(crate) fn run(options: &Options) -> Result<Outcome> {
    let arguments = options.arguments.read()?;
    let described = load(&options.file)?;
    let backend = backend(&described, options)?;
    let names = Suite::ALL.into_iter().flat_map(Suite::case_names);
    let names = names.map(str::to_owned);
    let task = Task {
        file: options.file.clone(),
        backend: backend.to_owned(),
        arguments,
        cases: names
            .filter(|name| options.case.is_empty() || options.case.contains(name))
            .collect(),
        largest_value: options.largest_value,
        limit: options.limit,
    };
    let all = task.cases.len() + 1;
    let progress = Progress::start();
    let rows = probe::conformance(&task, |done, name| {
        progress.tell(format!("{}/{all} {name}", done + 1));
    })?;
    drop(progress);
    let count = |outcome: &str| rows.iter().filter(|row| row.outcome == outcome).count();
    let report = Report {
        file: &options.file,
        package: &described.package,
        version: described.version.as_deref(),
        api_version: &described.api_version,
        sha256: &described.sha256,
        backend,
        passed: count("passed"),
        failed: count("failed"),
        not_supported: count("not supported"),
        skipped: count("skipped"),
        cases: &rows,
    };
    if options.json {
        output::print_json(&report)?;
    } else {
        output::print_text(&text(&report)?)?;
    }
    Ok(if report.failed == 0 {
        Outcome::Done
    } else {
        Outcome::Failed
    })
}

/// What the plugin says of itself, in a process of its own.
fn load(file: &Path) -> Result<Described> {
    match probe::file(file) {
        Probed::Loaded(described) => Ok(described),
        Probed::Refused {
            code,
            message,
            remedy,
            ..
        } => {
            let code = code.map(|code| format!(" [{code}]")).unwrap_or_default();
            bail!("{}: {message}{code}; {remedy}", file.display())
        }
    }
}

fn backend<'d>(described: &'d Described, options: &Options) -> Result<&'d str> {
    let file = options.file.display();
    let offered = described.backends();
    let listed = offered.join("`, `");
    match (&options.backend, &offered[..]) {
        (_, []) => bail!(
            "{file} offers no backend, and the suites are for backends; a proxy is tested in its crate, by \
             `dogpile_plugin_api::testing::proxy_suite`"
        ),
        (Some(wanted), offered) => match offered.iter().find(|name| *name == wanted) {
            Some(name) => Ok(name),
            None => bail!("{file} offers no backend `{wanted}`; it offers `{listed}`"),
        },
        (None, [one]) => Ok(one),
        (None, [first, ..]) => {
            bail!("{file} offers `{listed}`; say which, such as --backend {first}")
        }
    }
}

fn text(report: &Report<'_>) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let version = report.version.unwrap_or_default();
    writeln!(
        text,
        "{}: backend {} of {} {version}, plugin API {}\n",
        paths::in_a_line(report.file),
        report.backend,
        report.package,
        report.api_version
    )?;
    let rows: Vec<_> = report
        .cases
        .iter()
        .map(|row| {
            let outcome = match &*row.outcome {
                "failed" => "FAILED",
                other => other,
            };
            let detail = row.detail.as_deref().map(|detail| {
                // A line each, whatever a plugin says.
                let line: Vec<_> = detail.split_whitespace().collect();
                format!(": {}", line.join(" "))
            });
            let outcome = format!("{outcome}{}", detail.unwrap_or_default());
            [row.suite.clone(), row.case.clone(), outcome]
        })
        .collect();
    let Report {
        passed,
        failed,
        not_supported,
        skipped,
        ..
    } = report;
    writeln!(text, "{}", table(["SUITE", "CASE", "OUTCOME"], &rows))?;
    writeln!(
        text,
        "{passed} passed, {failed} failed, {not_supported} not supported, {skipped} skipped"
    )?;
    Ok(text)
}

fn case(text: &str) -> Result<String, String> {
    let mut names = Suite::ALL.into_iter().flat_map(Suite::case_names);
    if text == OPENS || names.any(|name| name == text) {
        Ok(text.to_owned())
    } else {
        Err("there is no such case; a run without --case shows all".to_owned())
    }
}

fn limit(text: &str) -> Result<Duration, String> {
    let limit = exec::duration(text)?;
    if limit.is_zero() {
        return Err("no case ends in no time; write a time, as in 2m".to_owned());
    }
    Ok(limit)
}

/// Shorter values are in every backend.
const SHORTEST: usize = 16 << 10;

fn size(text: &str) -> Result<usize, String> {
    let scalar = text
        .parse()
        .map_or_else(|_| Scalar::Text(text.to_owned()), Scalar::Whole);
    let bytes = scalar.bytes().and_then(|bytes| bytes.try_into().ok());
    let bytes = bytes.filter(|bytes| *bytes >= SHORTEST);
    bytes.ok_or_else(|| "write bytes, or a size such as 512KiB or 16MiB; 16KiB at least".to_owned())
}

/// What arguments in TOML are as JSON, which is what plugins get.
fn object(text: &str) -> Result<String, String> {
    // Without the line that is wrong, which may hold a password.
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().map(|span| &text[..span.start]);
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        let message = output::in_a_line(error.message());
        format!("line {line} is no TOML: {message}")
    })?;
    let mut object = Map::new();
    for (name, value) in table {
        object.insert(name, json(value)?);
    }
    Ok(Value::Object(object).to_string())
}

fn json(value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => Number::from_f64(number)
            .map(Value::Number)
            .ok_or("arguments are handed over as JSON, which has no nan and no inf")?,
        toml::Value::Boolean(value) => value.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => {
            let items: Result<Vec<_>, _> = items.into_iter().map(json).collect();
            items?.into()
        }
        toml::Value::Table(table) => {
            let entries = table
                .into_iter()
                .map(|(name, value)| Ok((name, json(value)?)));
            Value::Object(entries.collect::<Result<_, String>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_what_a_manifest_would_make_of_them() {
        let toml = "url = [\"one:1\", \"two:2\"]\nport = 6379\nratio = 0.5\ntls.ca = \"ca.pem\"\nsince = 2026-01-01\n";
        assert_eq!(
            object(toml).unwrap(),
            r#"{"port":6379,"ratio":0.5,"since":"2026-01-01","tls":{"ca":"ca.pem"},"url":["one:1","two:2"]}"#
        );
        assert_eq!(object("").unwrap(), "{}");
        assert!(object("a = inf").unwrap_err().contains("no inf"));
        let error = object("a = 1\npassword = \"hush").unwrap_err();
        assert!(error.starts_with("line 2 is no TOML: "), "{error}");
        assert!(!error.contains("hush"), "{error}");
    }

    #[test]
    fn sizes_are_bytes_or_have_a_unit() {
        assert_eq!(size("20000"), Ok(20_000));
        assert!(size("1000").is_err());
        assert_eq!(size("4MiB"), Ok(4 << 20));
        assert!(size("4 mega").is_err());
    }
}
