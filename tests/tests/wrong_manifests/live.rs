//! Every wrong manifest there is, saved over a good one that a host lives on.

use std::fs;
use std::path::Path;

use dogpile::{Host, Trust};

use crate::{fixtures, folder};

/// The `edit`th good one.
fn good(edit: usize) -> String {
    format!(
        "version = 1\n[plugins.memory]\n[regions.users]\nbackend = \"memory\"\nexpiration_time = {}\n",
        3600 + edit
    )
}

/// As an editor does that cares.
fn save(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("beside");
    fs::write(&beside, bytes).unwrap();
    fs::rename(beside, path).unwrap();
}

#[test]
fn each_wrong_manifest_changes_nothing_and_the_next_good_one_is_applied() {
    let folder = folder();
    let path = folder.path().join("dogpile.toml");
    let bad = "../host/tests/manifest/bad";
    copy_parts(
        &Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(bad)
            .join("parts"),
        &folder.path().join("parts"),
    );
    save(&path, good(0).as_bytes());
    let host = Host::builder()
        .manifest(&path)
        .watch(false)
        .trust(Trust::Off)
        .build()
        .unwrap();
    let users = host.region("users").unwrap();
    users.set("key", 5_u32).unwrap();
    let all = [fixtures(bad), fixtures("tests/wrong_manifests/fixtures")].concat();
    assert!(all.len() >= 120, "only {} fixtures", all.len());
    for (index, fixture) in all.iter().enumerate() {
        let before = host.status();
        save(&path, &fs::read(fixture).unwrap());
        let error = host
            .reload()
            .expect_err(&fixture.display().to_string())
            .to_string();
        let after = host.status();
        assert_eq!(
            after.last_error.as_deref(),
            Some(&*error),
            "{}",
            fixture.display()
        );
        assert!(
            error.contains(path.to_str().unwrap()) || error.contains("parts/"),
            "{error}"
        );
        assert_eq!(after.generation, before.generation, "{}", fixture.display());
        assert_eq!(after.manifest_hash, before.manifest_hash);
        assert_eq!(*users.get::<u32>("key").unwrap().unwrap(), 5);

        save(&path, good(index + 1).as_bytes());
        let reload = host.reload().unwrap();
        assert!(reload.changed, "after {}", fixture.display());
        let after = host.status();
        assert_eq!(after.generation, before.generation + 1);
        assert_eq!(after.last_error, None);
        assert_eq!(*users.get::<u32>("key").unwrap().unwrap(), 5);
    }
}

/// What the fixtures include.
fn copy_parts(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_parts(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
