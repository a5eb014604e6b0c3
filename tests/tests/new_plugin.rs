//! What `dogpile new-plugin` writes, as its author meets it: built by cargo, tested, looked at by the command, loaded.

#![forbid(unsafe_code)]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use dogpile::{Host, Source};
use dogpile_tests::command::{Conformance, dogpile};
use dogpile_tests::outside::{Builder, LIKE_FIXTURES, share_versions, workspace};

const LIBRARY: &str = "libdogpile_plugin_my_store.so";

/// The plugin `my-store` in `folder`, as the command writes it.
fn new_plugin(folder: &Path, words: &[&str]) {
    let mut command = dogpile();
    command.args(["new-plugin", "my-store", "--path"]);
    let output = command.arg(folder).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    share_versions(folder);
    let manifest = folder.join("Cargo.toml");
    let mut manifest = OpenOptions::new().append(true).open(manifest).unwrap();
    manifest.write_all(LIKE_FIXTURES.as_bytes()).unwrap();
}

/// Puts the library where the example manifest has it, as `cargo build --release` does.
fn put_in_place(folder: &Path, built: &Path) {
    let release = folder.join("target/release");
    fs::create_dir_all(&release).unwrap();
    fs::copy(built.join(LIBRARY), release.join(LIBRARY)).unwrap();
}

#[test]
fn its_tests_pass_and_its_library_conforms_is_checked_and_opens_a_region() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("my-store");
    let builder = Builder::new(env!("CARGO_TARGET_TMPDIR"));
    let api = workspace().join("plugin-api");
    new_plugin(&folder, &["--plugin-api", api.to_str().unwrap()]);
    let (_, said) = builder.cargo(&folder, &["test"]);
    assert!(said.contains("test it_conforms ... ok"), "{said}");
    assert!(!said.contains("warning"), "{said}");
    let (built, _) = builder.cargo(&folder, &["build", "--quiet"]);
    put_in_place(&folder, &built);
    drop(builder);

    let library = folder.join("target/release").join(LIBRARY);
    Conformance::of(&library, &[]).assert_passed(60);
    let check = dogpile().arg("check").current_dir(&folder).output();
    let check = check.unwrap();
    let said = String::from_utf8_lossy(&check.stderr);
    assert_eq!(check.stdout, b"ok: 1 region, 1 plugin\n", "{said}");

    let host = Host::open(folder.join("dogpile.toml")).unwrap();
    let region = host.region("example").unwrap();
    let created = region.get_or_create("key", || 42).unwrap();
    assert_eq!((*created, created.source()), (42, Source::Created));
    let hit = region.get_or_create("key", || 43).unwrap();
    assert_eq!((*hit, hit.source()), (42, Source::Fresh));
}

/// As cargo would take it from the registry: the plugin interface is the one that was released.
#[test]
fn it_compiles_with_the_released_interface_and_its_library_conforms() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("my-store");
    let builder = Builder::new(env!("CARGO_TARGET_TMPDIR"));
    new_plugin(&folder, &[]);
    let released = temporary.path().join("released");
    fs::create_dir(&released).unwrap();
    let archive = workspace().join("tests/badplugins/frozen/dogpile-plugin-api-1.0.0.crate");
    let mut tar = Command::new("tar");
    tar.args(["--strip-components=1", "-xzf"]).arg(archive);
    assert!(tar.current_dir(&released).status().unwrap().success());
    let patch = format!("patch.crates-io.dogpile-plugin-api.path={released:?}");
    let words = ["build", "--quiet", "--config", &patch];
    builder.cargo(&folder, &[&words[..], &["--tests"]].concat());
    let (built, _) = builder.cargo(&folder, &words);
    put_in_place(&folder, &built);
    drop(builder);
    let library = folder.join("target/release").join(LIBRARY);
    Conformance::of(&library, &[]).assert_passed(60);
}
