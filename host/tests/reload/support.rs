//! A manifest in a folder of its own, and how tests wait.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use dogpile::manifest::Manifest;
use dogpile::{Change, ChangeKind, Host, HostBuilder, HostStatus, Reload};
use tempfile::TempDir;

use crate::probe;

/// Longer than anything here takes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Waits until `condition` holds. What it waits for is done by threads that tell nobody.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < DEADLINE, "never: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Looks for a while whether `condition` stays true. A change that comes later is missed.
#[track_caller]
pub(crate) fn for_a_while(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(300) {
        assert!(condition(), "not for long: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The folder with the plugins' libraries: cargo tells a test nothing about those of other packages.
pub(crate) fn plugins() -> PathBuf {
    let folder = std::env::var_os("DOGPILE_TEST_PLUGINS").map_or_else(
        || {
            let test = std::env::current_exe().unwrap();
            test.ancestors().nth(2).unwrap().to_owned()
        },
        PathBuf::from,
    );
    for name in ["memory", "null", "manglers"] {
        let file = folder.join(library(name));
        assert!(
            file.is_file(),
            "there is no {}: run `cargo build -p dogpile-plugin-memory -p dogpile-plugin-null -p dogpile-plugin-manglers`",
            file.display()
        );
    }
    folder
}

pub(crate) fn library(plugin: &str) -> String {
    format!("libdogpile_plugin_{plugin}.so")
}

/// A folder with `dogpile.toml`.
pub(crate) struct Site {
    folder: TempDir,
}

impl Site {
    /// With a manifest that lists memory and null, and goes on with `rest`.
    pub(crate) fn new(rest: &str) -> Self {
        let site = Self::empty();
        site.save(rest);
        site
    }

    /// Without a manifest.
    pub(crate) fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.path("dogpile.toml")
    }

    /// Saves the manifest as editors do: written beside, and renamed over.
    pub(crate) fn save(&self, rest: &str) {
        self.replace("dogpile.toml", whole(rest));
    }

    pub(crate) fn replace(&self, name: &str, content: impl AsRef<[u8]>) {
        let beside = self.path(format!("{name}.beside"));
        fs::write(&beside, content).unwrap();
        fs::rename(beside, self.path(name)).unwrap();
    }

    /// Follows the manifest, with the probe linked in.
    pub(crate) fn open(&self) -> Host {
        self.builder().build().unwrap()
    }

    /// Reads the manifest only when it is told to.
    pub(crate) fn open_unwatched(&self) -> Host {
        self.builder().watch(false).build().unwrap()
    }

    pub(crate) fn builder(&self) -> HostBuilder {
        Host::builder()
            .plugin(probe::plugin())
            .manifest(self.manifest())
    }

    /// Waits until the host has applied what is there now.
    #[track_caller]
    pub(crate) fn applied(&self, host: &Host) -> HostStatus {
        let manifest = Manifest::load(&self.manifest()).unwrap();
        let hash = Some(manifest.content_hash().to_owned());
        until("the manifest is applied", || {
            host.status().manifest_hash == hash
        });
        let status = host.status();
        assert_eq!(status.last_error, None);
        status
    }

    /// Waits until the host has refused what is there now, for a reason that contains `reason`.
    #[track_caller]
    pub(crate) fn refused(host: &Host, reason: &str) -> String {
        let error = || host.status().last_error;
        until(&format!("the manifest is refused: {reason}"), || {
            error().is_some_and(|text| text.contains(reason))
        });
        error().unwrap()
    }
}

/// A manifest that begins as all of them do.
pub(crate) fn whole(rest: &str) -> String {
    let folder = plugins();
    format!(
        "version = 1\n[host]\nplugin_dir = \"{}\"\n[plugins.memory]\n[plugins.null]\n{rest}",
        folder.display()
    )
}

/// The error of a reload that must be refused.
#[track_caller]
pub(crate) fn refusal(host: &Host) -> String {
    let before = host.status();
    let error = host.reload().expect_err("it is refused").to_string();
    let after = host.status();
    assert_eq!(after.last_error.as_ref(), Some(&error));
    assert_eq!(after.generation, before.generation);
    assert_eq!(after.manifest_hash, before.manifest_hash);
    error
}

/// What became of a region.
#[track_caller]
pub(crate) fn change(reload: &Reload, region: &str) -> (ChangeKind, Vec<String>) {
    let of = |change: &&Change| change.region == region;
    let change = reload
        .changes
        .iter()
        .find(of)
        .expect("it is in the outcome");
    (change.kind, change.because.clone())
}

/// Asserts that each of `parts` is in `text`.
#[track_caller]
pub(crate) fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}
