//! Workspaces with other versions of the plugin interface: a later one, which is this one's source, edited, with a plugin
//! and a host; and those that were released, with a plugin.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::appended::EDITS;
use crate::fixtures::sources;

/// Writes the workspace to `folder`, where it changed, so that cargo builds what it must. Its lock file is the caller's.
pub(crate) fn write(folder: &Path) {
    write_manifest(folder, &["plugin-api", "plugin", "host"]);
    write_plugin(folder, "newer", &["newer"]);
    for file in ["Cargo.toml", "src/main.rs"] {
        let text = read(&sources().join("newer_host").join(file));
        put(&folder.join("host").join(file), &text);
    }
    let interface = sources().join("../../plugin-api");
    let own = format!("version = \"{}\"", own_version());
    let later = format!("version = \"{}\"", version());
    let manifest = edited(
        "plugin-api",
        &read(&interface.join("Cargo.toml")),
        &own,
        &later,
    );
    put(&folder.join("plugin-api/Cargo.toml"), &manifest);
    let build = read(&interface.join("build.rs"));
    put(&folder.join("plugin-api/build.rs"), &build);
    let mut edits = 0;
    for path in files(&interface.join("src")) {
        let name = path.strip_prefix(interface.join("src"));
        let name = name.expect("it lies there");
        let mut text = read(&path);
        for (_, old, new) in EDITS.iter().filter(|(file, ..)| Path::new(file) == name) {
            text = edited(&name.display().to_string(), &text, old, new);
            edits += 1;
        }
        put(&folder.join("plugin-api/src").join(name), &text);
    }
    assert_eq!(edits, EDITS.len(), "an edit is of a file that is not there");
}

/// Writes a workspace with the interface in that archive of a released one, and a plugin `frozen`.
pub(crate) fn write_released(folder: &Path, archive: &Path) {
    write_manifest(folder, &["plugin-api", "plugin"]);
    write_plugin(folder, "frozen", &[]);
    let interface = folder.join("plugin-api");
    fs::create_dir_all(&interface).unwrap();
    let mut tar = Command::new("tar");
    let tar = tar.args(["--strip-components=1", "-xzf"]).arg(archive);
    let status = tar.current_dir(&interface).status().unwrap();
    assert!(status.success(), "{tar:?}");
}

/// This workspace's manifest for some other members.
fn write_manifest(folder: &Path, members: &[&str]) {
    let manifest = read(&sources().join("../../Cargo.toml"));
    let own = manifest.split_once("members = [").expect("it has members");
    let own = own.1.split_once(']').expect("they end").0.to_owned();
    let mut manifest = manifest;
    for (old, new) in [
        (
            own,
            format!("{members:?}").trim_matches(['[', ']']).to_owned(),
        ),
        // Whichever is in the folder.
        (
            format!("dogpile-plugin-api = {{ version = \"{}\",", own_version()),
            "dogpile-plugin-api = {".to_owned(),
        ),
        // As the other fixtures are, so that they share what they are made of.
        (
            "debug = \"line-tables-only\"".into(),
            "debug = false".into(),
        ),
        (
            "missing_docs = \"deny\"".into(),
            "missing_docs = \"allow\"".into(),
        ),
    ] {
        manifest = edited("Cargo.toml", &manifest, &old, &new);
    }
    put(&folder.join("Cargo.toml"), &manifest);
}

/// The plugin `whole` under another name, with those features.
fn write_plugin(folder: &Path, name: &str, features: &[&str]) {
    let whole = sources().join("whole");
    let manifest = read(&whole.join("Cargo.toml"));
    let named = format!("name = \"{name}\"");
    let manifest = edited("whole", &manifest, "name = \"whole\"", &named);
    let features = format!("default = {features:?}\nnewer = []");
    let manifest = edited("whole", &manifest, "newer = []", &features);
    put(&folder.join("plugin/Cargo.toml"), &manifest);
    put(
        &folder.join("plugin/src/lib.rs"),
        &read(&whole.join("src/lib.rs")),
    );
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

/// `text` with `new` in place of `old`, which is in it once.
fn edited(file: &str, text: &str, old: &str, new: &str) -> String {
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
