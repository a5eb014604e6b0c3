//! `new-plugin`.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use dogpile::paths;

use crate::outcome::Outcome;
use crate::{output, quoted};

const EXAMPLES: &str = "\
Examples:
  dogpile new-plugin etcd
      The crate dogpile-plugin-etcd, in a folder of that name.
  dogpile new-plugin my-store --path plugins/my-store --plugin-api ../dogpile/plugin-api
      Elsewhere, and built with the plugin interface of a clone.

Exit status: 0 written; 1 something of that name is there, or it cannot be written; 2 wrong usage.";

/// Write a crate with a backend that works, its tests, a manifest to try it, and what to know to ship it
///
/// What it makes compiles and passes the conformance suites as it is. Nothing is overwritten, and nothing is fetched. If a
/// file cannot be written, what was made is removed again.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// What manifests call the plugin and its backend; the crate is dogpile-plugin-NAME
    #[arg(value_parser = name)]
    name: String,
    /// The folder to make [default: dogpile-plugin-NAME]
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// The folder of a local dogpile-plugin-api to build with, in place of the released one
    #[arg(long, value_name = "DIR")]
    plugin_api: Option<PathBuf>,
}

/// The files of a crate for a plugin `acme`.
const TEMPLATE: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        include_str!("../../plugin-template/Cargo.toml.in"),
    ),
    (
        "src/lib.rs",
        include_str!("../../plugin-template/src/lib.rs"),
    ),
    (
        "src/arguments.rs",
        include_str!("../../plugin-template/src/arguments.rs"),
    ),
    (
        "src/locks.rs",
        include_str!("../../plugin-template/src/locks.rs"),
    ),
    (
        "tests/conformance.rs",
        include_str!("../../plugin-template/tests/conformance.rs"),
    ),
    (
        "dogpile.toml",
        include_str!("../../plugin-template/dogpile.toml"),
    ),
    ("README.md", include_str!("../../plugin-template/README.md")),
    (
        ".gitignore",
        include_str!("../../plugin-template/gitignore"),
    ),
];

/// As long as the manifest lets a name be.
const LONGEST: usize = 64;

/// Plugins that come with dogpile.
const TAKEN: [&str; 8] = [
    "dbm",
    "manglers",
    "memcached",
    "memory",
    "null",
    "proxies",
    "redis",
    "template-cache",
];

pub(crate) fn run(options: &Options) -> Result<Outcome> {
    let package = format!("dogpile-plugin-{}", options.name);
    let folder = options.path.clone().unwrap_or_else(|| (*package).into());
    let api = options.plugin_api.as_deref().map(local).transpose()?;
    if is_there(&folder)? {
        bail!(
            "{} is there already, and nothing was written; take another folder by --path",
            folder.display()
        );
    }
    let mut made = Vec::new();
    for (file, text) in TEMPLATE {
        let path = folder.join(file);
        let text = filled(text, &options.name, api.as_deref());
        if let Err(error) = write(&path, &text, &mut made) {
            let path = path.display();
            let what = match remove(&made) {
                Ok(()) => format!("{path} cannot be written, and what was made is removed again"),
                Err(left) => format!("{path} cannot be written, and {left}"),
            };
            return Err(error).context(what);
        }
    }
    output::print_text(&next(&options.name, &folder)?)?;
    Ok(Outcome::Done)
}

/// Whether something would be overwritten, or mixed with what is made.
fn is_there(folder: &Path) -> Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == ErrorKind::NotFound => match fs::read_link(folder) {
            Ok(target) => bail!(
                "{} is a link to {}, which is not there; make that folder, remove the link, or take another folder by \
                 --path",
                folder.display(),
                target.display()
            ),
            Err(_no_link) => Ok(false),
        },
        Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(true),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", folder.display())),
    }
}

/// Adds to `made` what was not there.
fn write(path: &Path, text: &str, made: &mut Vec<PathBuf>) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        make_folder(folder, made)?;
    }
    let mut file = File::create_new(path)?;
    made.push(path.to_owned());
    file.write_all(text.as_bytes())
}

/// With those that it is in.
fn make_folder(folder: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folder(parent, made)?;
    }
    fs::create_dir(folder)?;
    made.push(folder.to_owned());
    Ok(())
}

/// The newest first. What others put there meanwhile stays, and is told with its folder.
fn remove(made: &[PathBuf]) -> Result<(), String> {
    for path in made.iter().rev() {
        let removed = if path.is_dir() {
            fs::remove_dir(path)
        } else {
            fs::remove_file(path)
        };
        removed.map_err(|error| format!("{} cannot be removed again ({error})", path.display()))?;
    }
    Ok(())
}

/// The absolute path of that local plugin interface.
fn local(folder: &Path) -> Result<String> {
    const NAME: &str = "dogpile-plugin-api";
    let manifest = fs::read_to_string(folder.join("Cargo.toml"));
    let manifest = manifest
        .ok()
        .and_then(|text| text.parse::<toml::Table>().ok());
    let name = manifest
        .as_ref()
        .and_then(|manifest| manifest.get("package")?.get("name"));
    if name.and_then(toml::Value::as_str) != Some(NAME) {
        bail!(
            "{} has no Cargo.toml of {NAME}; give the folder that has it, or leave --plugin-api out",
            folder.display()
        );
    }
    let folder = folder.canonicalize()?;
    let path = folder.to_str().map(str::to_owned);
    path.with_context(|| {
        let folder = folder.display();
        format!(
            "{folder} is not UTF-8, as paths in a Cargo.toml are; give a copy of it whose path is"
        )
    })
}

/// A file of the template for that plugin.
fn filled(text: &str, name: &str, api: Option<&str>) -> String {
    let api = match api {
        // As TOML quotes it.
        Some(path) => format!("{{ path = {} }}", toml::Value::from(path)),
        None => "\"1\"".to_owned(),
    };
    text.replace("RUST_VERSION", env!("CARGO_PKG_RUST_VERSION"))
        .replace("dogpile_plugin_acme", &library(name))
        .replace("acme", name)
        .replace("PLUGIN_API", &api)
}

/// The name of the crate in Rust, and of its file.
fn library(name: &str) -> String {
    format!("dogpile_plugin_{}", name.replace('-', "_"))
}

fn next(name: &str, folder: &Path) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let (shown, library) = (paths::in_a_line(folder), library(name));
    writeln!(
        text,
        "{shown}: a plugin with the backend `{name}`, which keeps values in memory until you change src/lib.rs"
    )?;
    writeln!(text, "\nnext:")?;
    for line in [
        format!("cd {}", quoted::path(folder)),
        "cargo test".to_owned(),
        "cargo build --release".to_owned(),
        format!("dogpile conformance target/release/lib{library}.so"),
        "dogpile check".to_owned(),
    ] {
        writeln!(text, "  {line}")?;
    }
    writeln!(
        text,
        "\nREADME.md there says how to build it for older systems, pin it and ship it."
    )?;
    Ok(text)
}

fn name(text: &str) -> Result<String, String> {
    if let Some(alone) = text.strip_prefix("dogpile-plugin-") {
        return Err(format!(
            "the crate's name begins so by itself; write `{}`",
            output::in_a_line(alone)
        ));
    }
    let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let right = text.bytes().next().is_some_and(lower)
        && text.bytes().all(|b| lower(b) || b == b'-' || b == b'_');
    if !right {
        let rule = "write lower-case letters, digits, `-` and `_`, with a letter or digit first, such as `my-store`";
        return Err(rule.to_owned());
    }
    if text.len() > LONGEST {
        return Err(format!(
            "a manifest takes names of {LONGEST} letters at most"
        ));
    }
    // Both are the same in the name of a library.
    if TAKEN.contains(&&*text.replace('_', "-")) {
        return Err("a plugin of that name comes with dogpile; take another".to_owned());
    }
    if text == "api" {
        return Err("`dogpile-plugin-api` is what a plugin depends on; take another".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_a_manifest_and_cargo_take() {
        for right in ["etcd", "my-store", "a_b", "7z"] {
            assert_eq!(name(right).as_deref(), Ok(right));
        }
        let long = "a".repeat(65);
        for (wrong, why) in [
            ("", "lower-case"),
            ("Etcd", "lower-case"),
            ("-a", "first"),
            ("a/b", "lower-case"),
            ("é", "lower-case"),
            ("dogpile-plugin-etcd", "write `etcd`"),
            ("memory", "comes with dogpile"),
            ("template_cache", "comes with dogpile"),
            ("api", "what a plugin depends on"),
            (&*long, "64"),
        ] {
            let error = name(wrong).unwrap_err();
            assert!(error.contains(why), "{wrong}: {error}");
        }
    }

    #[test]
    fn every_file_is_of_that_plugin() {
        for (file, text) in TEMPLATE {
            let filled = filled(text, "my-store", Some("/a \"b\""));
            for left in [
                "acme",
                "PLUGIN_API",
                "RUST_VERSION",
                "dogpile_plugin_my-store",
            ] {
                assert!(!filled.contains(left), "{left} in {file}");
            }
        }
        let manifest = filled(TEMPLATE[0].1, "my-store", Some("/a \"b\""));
        let manifest: toml::Table = manifest.parse().unwrap();
        let api = &manifest["dependencies"]["dogpile-plugin-api"];
        assert_eq!(api["path"].as_str(), Some("/a \"b\""));
    }
}
