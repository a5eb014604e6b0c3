//! Whose files are loaded.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use dogpile::Trust;
use dogpile::loader::{LoadError, LoadErrorKind, Loader};
use tempfile::TempDir;

use crate::fixtures::{distinct, full, rust};

/// `root/plugins/plugin.so`, which everybody should trust.
struct Tree(TempDir);

impl Tree {
    fn new(mark: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let tree = Self(root);
        for folder in ["plugins", "above", "above/plugins"] {
            fs::create_dir(tree.path(folder)).unwrap();
            tree.mode(folder, 0o755);
        }
        for file in ["plugins/plugin.so", "above/plugins/plugin.so"] {
            fs::write(tree.path(file), distinct(&rust("good"), mark)).unwrap();
            tree.mode(file, 0o644);
        }
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    fn inspect(&self, trust: Trust, name: &str) -> Result<(), LoadError> {
        inspect(trust, &self.path(name))
    }
}

fn inspect(trust: Trust, path: &Path) -> Result<(), LoadError> {
    Loader::new().trust(trust).inspect(path).map(drop)
}

/// Refused as untrusted, by loading and by inspection, with a text that has all of `parts`.
#[track_caller]
fn untrusted(trust: Trust, path: &Path, parts: &[&str]) {
    let loader = Loader::new().trust(trust);
    let refused = loader.load(path).err().expect("it is refused");
    for error in [refused, loader.inspect(path).unwrap_err()] {
        assert_eq!(error.kind(), LoadErrorKind::Untrusted, "{error}");
        let text = error.to_string();
        for part in parts.iter().chain(&[&*path.to_string_lossy()]) {
            assert!(text.contains(part), "no {part}: {text}");
        }
        assert!(!text.contains("--pin"), "{text}");
    }
    // Only where a manifest lists it can it be pinned.
    let listed = loader.listed().inspect(path).unwrap_err().to_string();
    assert!(
        listed.contains("or pin the file: `dogpile plugins --pin`"),
        "{listed}"
    );
}

#[test]
fn who_may_write_the_file_or_a_folder_above_decides() {
    let tree = Tree::new("modes");
    let (file, plugin) = (
        "above/plugins/plugin.so",
        tree.path("above/plugins/plugin.so"),
    );
    tree.inspect(Trust::Strict, file).unwrap();
    for (name, usual, what) in [
        (file, 0o644, "it can be written by"),
        ("above/plugins", 0o755, "its folder"),
        ("above", 0o755, "above it can be written by"),
    ] {
        let shown = tree.path(name);
        for (writable, who, remedy) in [
            (0o020, "its group", "chmod g-w"),
            (0o002, "everybody", "chmod o-w"),
            (0o022, "its group and everybody", "chmod go-w"),
        ] {
            tree.mode(name, usual | writable);
            let mode = format!("(mode {:04o})", usual | writable);
            let remedy = format!("{remedy} {}", shown.display());
            untrusted(Trust::Strict, &plugin, &[what, who, &mode, &remedy]);
            tree.inspect(Trust::Off, file).unwrap();
            match writable {
                0o020 => tree.inspect(Trust::Owner, file).unwrap(),
                _ => untrusted(Trust::Owner, &plugin, &["everybody"]),
            }
        }
        tree.mode(name, usual);
    }
    tree.inspect(Trust::Strict, file).unwrap();
}

#[test]
fn a_sticky_folder_passes_above_but_not_as_the_plugins_own() {
    let tree = Tree::new("sticky");
    let plugin = "above/plugins/plugin.so";
    tree.mode("above", 0o1777);
    tree.inspect(Trust::Strict, plugin).unwrap();
    tree.mode("above/plugins", 0o1777);
    untrusted(
        Trust::Strict,
        &tree.path(plugin),
        &["its folder", "by others (mode 1777)", "; use a folder"],
    );
}

#[test]
fn the_folders_that_links_lead_through_are_looked_at() {
    let tree = Tree::new("links");
    fs::create_dir(tree.path("open")).unwrap();
    symlink("../plugins/plugin.so", tree.path("open/link.so")).unwrap();
    symlink(tree.path("open"), tree.path("way")).unwrap();
    symlink("way/link.so", tree.path("link.so")).unwrap();
    tree.mode("open", 0o755);
    tree.inspect(Trust::Strict, "link.so").unwrap();
    // Whoever may write there says what is loaded, though the file itself is fine.
    tree.mode("open", 0o777);
    for name in ["link.so", "way/link.so", "open/link.so"] {
        untrusted(
            Trust::Strict,
            &tree.path(name),
            &["the folder", "open above it"],
        );
    }
    tree.inspect(Trust::Strict, "plugins/plugin.so").unwrap();
    tree.inspect(Trust::Strict, "open/../plugins/plugin.so")
        .unwrap();
}

#[test]
fn links_that_lead_nowhere_or_in_a_circle_are_told_as_such() {
    let tree = Tree::new("circle");
    symlink("b", tree.path("a")).unwrap();
    symlink("a", tree.path("b")).unwrap();
    symlink("gone.so", tree.path("link.so")).unwrap();
    let kind = |name: &str| tree.inspect(Trust::Strict, name).unwrap_err().kind();
    assert_eq!(kind("a"), LoadErrorKind::Io);
    assert_eq!(kind("a/plugin.so"), LoadErrorKind::Io);
    assert_eq!(kind("link.so"), LoadErrorKind::NotFound);
    assert_eq!(kind("none/plugin.so"), LoadErrorKind::NotFound);
    assert_eq!(kind("plugins/plugin.so/more"), LoadErrorKind::NotFound);
    assert_eq!(kind("plugins"), LoadErrorKind::NotAFile);
    assert_eq!(kind("../../../../../../.."), LoadErrorKind::NotAFile);
}

#[test]
fn a_file_of_another_user_is_not_loaded() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can make another user's files");
        return;
    }
    let tree = Tree::new("owner");
    let plugin = tree.path("plugins/plugin.so");
    let give = |name: &str, to| {
        std::os::unix::fs::lchown(tree.path(name), Some(to), None).unwrap();
    };
    for name in ["plugins/plugin.so", "plugins"] {
        give(name, 4242);
        let parts = ["belongs to the user 4242", "chown"];
        for trust in [Trust::Strict, Trust::Owner] {
            untrusted(trust, &plugin, &parts);
        }
        tree.inspect(Trust::Off, "plugins/plugin.so").unwrap();
        give(name, 0);
    }
    // A link to what is fine says what is loaded, too.
    tree.mode("above", 0o1777);
    symlink("../plugins/plugin.so", tree.path("above/link.so")).unwrap();
    tree.inspect(Trust::Strict, "above/link.so").unwrap();
    give("above/link.so", 4242);
    untrusted(
        Trust::Strict,
        &tree.path("above/link.so"),
        &["the symbolic link", "4242"],
    );
}

#[test]
fn a_pin_decides_alone() {
    let tree = Tree::new("pinned");
    let (plugin, bytes) = (
        tree.path("plugins/plugin.so"),
        distinct(&rust("good"), "pinned"),
    );
    let pin = Loader::new().inspect(&plugin).unwrap().digest;
    tree.mode("plugins", 0o777);
    tree.mode("plugins/plugin.so", 0o666);
    let pinned = Loader::new()
        .trust(Trust::Strict)
        .pin(pin.to_ascii_uppercase());
    assert_eq!(pinned.load(&plugin).unwrap().digest, pin);
    fs::write(&plugin, distinct(&bytes, "!")).unwrap();
    for trust in [Trust::Strict, Trust::Owner, Trust::Off] {
        let error = pinned.clone().trust(trust).load(&plugin).err().unwrap();
        assert_eq!(error.kind(), LoadErrorKind::WrongDigest);
        let text = error.to_string();
        assert!(text.contains(&pin) && text.contains("--pin"), "{text}");
    }
}

struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn what_was_looked_at_is_what_is_loaded_however_the_way_to_it_is_changed() {
    let tree = Tree::new("right");
    let right = Loader::new()
        .inspect(&tree.path("plugins/plugin.so"))
        .unwrap()
        .digest;
    // Beside it, what everybody may write: another plugin.
    fs::create_dir(tree.path("evil")).unwrap();
    fs::write(
        tree.path("evil/plugin.so"),
        distinct(&rust("good"), "wrong"),
    )
    .unwrap();
    tree.mode("evil/plugin.so", 0o666);
    symlink("plugins", tree.path("way")).unwrap();
    let (done, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            // The name `way` leads to either in turn, and `plugins` itself changes places with the other.
            while !done.load(Ordering::Relaxed) {
                for target in ["evil", "plugins"] {
                    let aside = tree.path("aside");
                    symlink(target, &aside).unwrap();
                    fs::rename(&aside, tree.path("way")).unwrap();
                }
                let (one, other) = (tree.path("plugins/plugin.so"), tree.path("evil/plugin.so"));
                let exchange = rustix::fs::RenameFlags::EXCHANGE;
                for _ in 0..2 {
                    let here = rustix::fs::CWD;
                    rustix::fs::renameat_with(here, &one, here, &other, exchange).unwrap();
                }
                swaps.fetch_add(4, Ordering::Relaxed);
            }
        });
        // Also when an assertion fails, so that the thread ends.
        let _done = Done(&done);
        let loader = Loader::new().trust(Trust::Strict);
        // Loads, and swaps, at least.
        let (mut outcomes, most) = ([0, 0], full(1000));
        let swapped = || swaps.load(Ordering::Relaxed);
        while outcomes.iter().sum::<u64>().min(swapped()) < most || outcomes.contains(&0) {
            match loader.load(&tree.path("way/plugin.so")) {
                Ok(plugin) => {
                    outcomes[0] += 1;
                    assert_eq!(plugin.digest, right);
                }
                Err(error) => {
                    outcomes[1] += 1;
                    let kinds = [LoadErrorKind::Untrusted, LoadErrorKind::Changing];
                    assert!(kinds.contains(&error.kind()), "{error}");
                }
            }
        }
        println!(
            "{} swaps raced against {} loads: {} of what was checked, {} refused, 0 unchecked",
            swapped(),
            outcomes.iter().sum::<u64>(),
            outcomes[0],
            outcomes[1]
        );
    });
}
