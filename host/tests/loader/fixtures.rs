//! Plugins to load, built on first use into one shared folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use dogpile::loader::{Loaded, OpenError, host_functions, open_backend};
use dogpile_lock::Clock;
use dogpile_plugin_api::{BackendInstance, Key};

/// Longer than anything here takes, for what is not meant to time out.
pub(crate) const LONG: Duration = Duration::from_mins(1);

/// So often, if `DOGPILE_TEST_FULL` is set; a tenth of that otherwise.
pub(crate) fn full(full: u64) -> u64 {
    match std::env::var_os("DOGPILE_TEST_FULL") {
        Some(_) => full,
        None => full / 10,
    }
}

/// The bytes of a plugin from `tests/badplugins`, as cargo builds it.
pub(crate) fn rust(name: &str) -> Vec<u8> {
    built(name, &["build", "-p", name])
}

/// As [`rust`], with a feature of it.
pub(crate) fn rust_with(name: &str, feature: &str) -> Vec<u8> {
    built(name, &["build", "-p", name, "--features", feature])
}

/// The bytes of the plugin `whole` that is built with a later plugin interface.
pub(crate) fn newer() -> Vec<u8> {
    let built = in_workspace("later", crate::versions::write, &["build", "-p", "newer"]);
    fs::read(built.join("libnewer.so")).unwrap()
}

/// The same of one that is built with the plugin interface in that archive.
pub(crate) fn released(archive: &Path) -> Vec<u8> {
    let name = archive.file_stem().unwrap().to_str().unwrap();
    let write = |folder: &Path| crate::versions::write_released(folder, archive);
    let built = in_workspace(name, write, &["build", "-p", "frozen"]);
    fs::read(built.join("libfrozen.so")).unwrap()
}

/// What a host of a later plugin interface tells of that plugin.
pub(crate) fn newer_host(plugin: &Path) -> String {
    let built = in_workspace(
        "later",
        crate::versions::write,
        &["build", "-p", "newer_host"],
    );
    let output = Command::new(built.join("newer_host"))
        .arg(plugin)
        .output()
        .unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{out}{err}");
    out
}

/// As [`rust`], with an argument to the compiler for this crate alone.
pub(crate) fn rust_compiled(name: &str, argument: &str) -> Vec<u8> {
    built(name, &["rustc", "-p", name, "--", argument])
}

/// The plugin of lies, which tells that one as it is loaded.
pub(crate) fn lies(at_load: &str) -> Vec<u8> {
    let mut bytes = rust("lies");
    let mark = b"THE LIE IS ";
    let place = only(&bytes, mark) + mark.len();
    let room = &mut bytes[place..place + 29];
    room.fill(b' ');
    room[..at_load.len()].copy_from_slice(at_load.as_bytes());
    bytes
}

/// The bytes of a library from a C source in `tests/badplugins`.
pub(crate) fn c(name: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("lib.so");
    let source = sources().join(name).with_extension("c");
    run(Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source]));
    fs::read(library).unwrap()
}

/// A folder of its own with `bytes` in `plugin.so`.
pub(crate) fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plugin.so");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// The same plugin in other bytes: what follows the ELF file means nothing.
pub(crate) fn distinct(bytes: &[u8], mark: &str) -> Vec<u8> {
    [bytes, mark.as_bytes()].concat()
}

/// Where `wanted` is in `bytes`; once.
pub(crate) fn only(bytes: &[u8], wanted: &[u8]) -> usize {
    let mut at = bytes
        .windows(wanted.len())
        .enumerate()
        .filter(|(_, found)| *found == wanted)
        .map(|(at, _)| at);
    let first = at.next().expect("it is there");
    assert_eq!(at.next(), None, "it is there once");
    first
}

/// Opens a backend that takes no arguments.
pub(crate) fn open(loaded: &Loaded, backend: &str) -> BackendInstance {
    open_with(loaded, backend, "{}").unwrap()
}

/// Opens a backend.
pub(crate) fn open_with(
    loaded: &Loaded,
    backend: &str,
    arguments: &str,
) -> Result<BackendInstance, OpenError> {
    let host = host_functions("fixture", clock());
    open_backend(&loaded.plugin, backend, arguments, host, LONG)
}

/// What the counter of the good plugin says next.
pub(crate) fn count(counter: &BackendInstance) -> u64 {
    let value = counter.get(&key("a")).unwrap().expect("it always answers");
    std::str::from_utf8(value.as_bytes().unwrap())
        .unwrap()
        .parse()
        .unwrap()
}

pub(crate) fn key(text: &str) -> Key<'_> {
    let host = host_functions("fixture", clock());
    Key::new(text, host.hash(text))
}

pub(crate) fn clock() -> &'static Clock {
    Box::leak(Box::new(Clock::system()))
}

/// Runs cargo, and reads what it made before another test makes it otherwise.
fn built(name: &str, arguments: &[&str]) -> Vec<u8> {
    let (target, _lock) = target();
    let built = cargo(&sources(), &target, arguments);
    fs::read(built.join(format!("lib{name}.so"))).unwrap()
}

/// Runs cargo in a workspace that is written before; gives the folder of what it made.
fn in_workspace(name: &str, write: impl Fn(&Path), arguments: &[&str]) -> PathBuf {
    let (target, _lock) = target();
    let folder = target.join(name);
    fs::create_dir_all(&folder).unwrap();
    write(&folder);
    cargo(&folder, &target, arguments)
}

/// Where fixtures are built, for one test at a time.
fn target() -> (PathBuf, File) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../fixtures");
    fs::create_dir_all(&target).unwrap();
    let lock = File::create(target.join("tests.lock")).unwrap();
    lock.lock().unwrap();
    (target, lock)
}

/// Runs cargo in that workspace; gives the folder of what it made.
fn cargo(workspace: &Path, target: &Path, arguments: &[&str]) -> PathBuf {
    lock_versions(workspace);
    let cargo = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command
            .args(arguments.split_first().map(|(first, _)| first))
            .args(more)
            .args(&arguments[1..])
            .current_dir(workspace)
            .env("CARGO_TARGET_DIR", target);
        command
    };
    // What the workspace was built from is here already; the network is for where that does not suffice.
    let offline = cargo(&["--quiet", "--offline"]).output().unwrap();
    if !offline.status.success() {
        run(&mut cargo(&["--quiet"]));
    }
    target.join("debug")
}

/// Gives the fixtures the workspace's versions of everything. Cargo leaves out what they do not need.
fn lock_versions(workspace: &Path) {
    let ours = sources().join("../../Cargo.lock");
    let theirs = workspace.join("Cargo.lock");
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let is_newer = match (modified(&ours), modified(&theirs)) {
        (Ok(ours), Ok(theirs)) => ours > theirs,
        _ => true,
    };
    if is_newer {
        fs::copy(ours, theirs).unwrap();
    }
}

pub(crate) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/badplugins")
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
