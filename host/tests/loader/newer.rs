//! The plugin interface of a later version: this one's source, edited, as a workspace of its own with a plugin and a host.

use std::fs;
use std::path::{Path, PathBuf};

use crate::appended::EDITS;
use crate::fixtures::sources;

/// Writes the workspace to `folder`, where it changed, so that cargo builds what it must. Its lock file is the caller's.
pub(crate) fn write(folder: &Path) {
    let repository = sources().join("../..");
    let manifest = read(&repository.join("Cargo.toml"));
    let members = manifest.split_once("members = [").expect("it has members");
    let members = members.1.split_once(']').expect("they end").0;
    let own = format!("version = \"{}\"", own_version());
    let manifest = edited(
        "Cargo.toml",
        manifest.clone(),
        members,
        "\"plugin-api\", \"plugin\", \"host\"",
    );
    let manifest = edited(
        "Cargo.toml",
        manifest,
        &own,
        &format!("version = \"{}\"", version()),
    );
    // As the other fixtures are, so that they share what they are made of.
    let manifest = edited(
        "Cargo.toml",
        manifest,
        "debug = \"line-tables-only\"",
        "debug = false",
    );
    let manifest = edited(
        "Cargo.toml",
        manifest,
        "missing_docs = \"deny\"",
        "missing_docs = \"allow\"",
    );
    put(&folder.join("Cargo.toml"), &manifest);

    let interface = repository.join("plugin-api");
    for file in ["Cargo.toml", "build.rs"] {
        put(
            &folder.join("plugin-api").join(file),
            &read(&interface.join(file)),
        );
    }
    let mut edits = 0;
    for path in files(&interface.join("src")) {
        let name = path
            .strip_prefix(interface.join("src"))
            .expect("it lies there");
        let mut text = read(&path);
        for (_, old, new) in EDITS.iter().filter(|(file, ..)| Path::new(file) == name) {
            text = edited(&name.display().to_string(), text, old, new);
            edits += 1;
        }
        put(&folder.join("plugin-api/src").join(name), &text);
    }
    assert_eq!(edits, EDITS.len(), "an edit is of a file that is not there");

    let whole = read(&sources().join("whole/Cargo.toml"));
    let whole = edited(
        "whole/Cargo.toml",
        whole,
        "name = \"whole\"",
        "name = \"newer\"",
    );
    let whole = edited(
        "whole/Cargo.toml",
        whole,
        "newer = []",
        "default = [\"newer\"]\nnewer = []",
    );
    put(&folder.join("plugin/Cargo.toml"), &whole);
    put(
        &folder.join("plugin/src/lib.rs"),
        &read(&sources().join("whole/src/lib.rs")),
    );
    for file in ["Cargo.toml", "src/main.rs"] {
        put(
            &folder.join("host").join(file),
            &read(&sources().join("newer_host").join(file)),
        );
    }
}

/// The version of the later interface.
pub(crate) fn version() -> String {
    let own = own_version();
    let mut numbers = own.split('.');
    match (numbers.next(), numbers.next()) {
        (Some("0"), Some(minor)) => format!("0.{minor}.999"),
        (Some(major), _) => format!("{major}.999.0"),
        _ => unreachable!("a version has a dot"),
    }
}

pub(crate) fn own_version() -> &'static str {
    dogpile_plugin_api::API_VERSION
}

/// `text` with `old`, which is in it once, in place of `new`.
fn edited(file: &str, text: String, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "in {file}, once: {old}");
    text.replacen(old, new, 1)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    });
    files.collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Leaves a file alone that is so already: cargo would build again what it is part of.
fn put(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return;
    }
    fs::create_dir_all(path.parent().expect("it lies in a folder")).unwrap();
    fs::write(path, text).unwrap();
}
