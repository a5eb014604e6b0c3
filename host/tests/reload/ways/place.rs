//! Where a way saves, and what is there and applied.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use dogpile::Host;
use dogpile::loader::Loader;
use dogpile::manifest::Manifest;

use crate::support::{Site, library};

/// The manifest of that turn. What is left of it without its last line is a manifest too.
pub(super) fn text(turn: u64) -> String {
    format!(
        "version = 1\n[regions.users]\nbackend = \"probe\"\narguments.log = \"ways\"\nexpiration_time = {}\n",
        number(turn)
    )
}

/// The number of that turn, which has as many digits as the others.
pub(super) fn number(turn: u64) -> u64 {
    10_000 + turn
}

/// A site of one way.
pub(super) struct Place {
    mounted: Mutex<Vec<PathBuf>>,
    between: Mutex<Vec<Content>>,
    // Goes last: what is mounted in it goes first.
    site: Site,
}

impl Place {
    pub(super) fn new() -> Self {
        Self {
            mounted: Mutex::default(),
            between: Mutex::default(),
            site: Site::empty(),
        }
    }

    /// A plugin's file, the only one of the manifest.
    pub(super) fn plugin(&self) -> PathBuf {
        self.path("plugins").join(library("null"))
    }

    /// What is there now is whole, and may be applied, though more is saved before the way ends.
    pub(super) fn is_whole(&self) {
        self.between.lock().unwrap().push(Content::there(self));
    }

    pub(super) fn take_between(&self) -> Vec<Content> {
        std::mem::take(&mut self.between.lock().unwrap())
    }

    pub(super) fn mount(&self, arguments: &[&str], what: &Path, at: PathBuf) {
        run(Command::new("mount").args(arguments).arg(what).arg(&at));
        self.mounted.lock().unwrap().push(at);
    }
}

impl Deref for Place {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for at in self.mounted.get_mut().unwrap().drain(..).rev() {
            let _ = Command::new("umount").arg(at).status();
        }
    }
}

/// Runs a program that must succeed.
pub(super) fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// Of which contents a manifest and a plugin are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    manifest: Option<String>,
    plugin: Option<String>,
}

impl Content {
    pub(super) fn there(place: &Place) -> Self {
        let manifest = Manifest::load(&place.manifest()).unwrap();
        let plugin = place.plugin();
        let digest = || Loader::new().inspect(&plugin).unwrap().digest;
        Self {
            manifest: Some(manifest.content_hash().to_owned()),
            plugin: plugin.exists().then(digest),
        }
    }

    pub(super) fn applied(place: &Place, host: &Host) -> Self {
        let has_plugin = place.path("plugins").exists();
        let mut plugins = has_plugin.then(|| host.plugins()).into_iter().flatten();
        Self {
            manifest: host.status().manifest_hash,
            plugin: plugins.find_map(|plugin| plugin.sha256),
        }
    }
}
