//! Notices that the manifest, or something that it names, was changed.
//!
//! Events wake the thread early; what decides is a look at the files themselves, which it also takes by itself every
//! two seconds. So nothing depends on events: a file system without them, an overflow, a folder that was away.
//!
//! A file is read when it has stayed as it is for 60 ms; a `.toml` file whose last line has no end, for a second, since
//! it may be half-written. Whoever writes more slowly, or writes several files that belong together, should write beside
//! and rename: then what is read is always whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::Follower;
use crate::{Error, ErrorKind, Result};

/// How often it looks without being woken.
const LOOK: Duration = Duration::from_secs(2);

/// How long the files must stay as they are before they are read: a save is often several steps.
const QUIET: Duration = Duration::from_millis(60);

/// The same while the last line of a manifest has no end: whoever writes it may be in the middle of a line, and what is
/// there may be right by chance.
const UNFINISHED: Duration = Duration::from_secs(1);

/// How long it waits for that at most.
const PATIENCE: Duration = Duration::from_secs(2);

/// Between two looks that events ask for, so that a busy folder does not keep a core busy.
const BREATH: Duration = Duration::from_millis(10);

/// How many links on one way are followed.
const LINKS: u8 = 8;

/// Watches for `follower` on a thread of its own, which ends when nobody else holds it.
pub(crate) fn start(follower: &Arc<Follower>) -> Result<Stop> {
    // One pending event says as much as a thousand.
    let (events, woken) = mpsc::sync_channel(1);
    let stop = Stop(events.clone());
    let follower = Arc::downgrade(follower);
    let run = move || follow(&follower, &woken, &events);
    thread::Builder::new()
        .name("dogpile-watch".to_owned())
        .spawn(run)
        .map_err(|error| {
            Error::with_source(
                ErrorKind::Configuration,
                format!("no thread to watch the manifest: {error}"),
                error,
            )
        })?;
    Ok(stop)
}

/// Wakes the thread when it is dropped with the host, so that it sees that and ends.
pub(crate) struct Stop(SyncSender<()>);

impl Drop for Stop {
    fn drop(&mut self) {
        wake(&self.0);
    }
}

fn wake(thread: &SyncSender<()>) {
    // Full means that it is being woken already.
    let _ = thread.try_send(());
}

/// What a path leads to: device, inode, length and when it was changed, which no program can set; nothing if it leads
/// nowhere.
type Look = Vec<Option<(u64, u64, u64, i64, i64)>>;

fn follow(follower: &Weak<Follower>, woken: &Receiver<()>, events: &SyncSender<()>) {
    let mut folders = Folders::new(events);
    let mut last: Option<(Vec<PathBuf>, Look)> = None;
    // Nothing is held between two looks, so that the host can go.
    while let Some(paths) = follower.upgrade().map(|follower| follower.inputs()) {
        folders.watch(&paths);
        let now = look(&paths);
        let unchanged = last
            .as_ref()
            .is_some_and(|(seen, look)| *seen == paths && *look == now);
        if unchanged {
            if woken.recv_timeout(LOOK) == Ok(()) {
                thread::sleep(BREATH);
            }
            continue;
        }
        // Taken before the files are read: what changes while they are is seen by the next look.
        let settled = settle(&paths, now);
        last = Some((paths, settled));
        if let Some(follower) = follower.upgrade() {
            follower.refresh();
        }
    }
}

fn look(paths: &[PathBuf]) -> Look {
    let of = |path: &PathBuf| {
        let found = fs::metadata(path).ok()?;
        Some((
            found.dev(),
            found.ino(),
            found.len(),
            found.ctime(),
            found.ctime_nsec(),
        ))
    };
    paths.iter().map(of).collect()
}

/// Waits until the files stay as they are, and gives that look.
fn settle(paths: &[PathBuf], mut now: Look) -> Look {
    let (began, mut since) = (Instant::now(), Instant::now());
    while began.elapsed() < PATIENCE {
        thread::sleep(QUIET);
        let next = look(paths);
        if next != now {
            now = next;
            since = Instant::now();
        } else if since.elapsed() >= UNFINISHED || !paths.iter().any(|path| is_unfinished(path)) {
            break;
        }
    }
    now
}

/// Whether it is a manifest or an included file, and does not end with a newline. Other files that are followed need
/// none: secrets, libraries.
fn is_unfinished(path: &Path) -> bool {
    let last = || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        io::Result::Ok(last[0])
    };
    let is_file = || fs::metadata(path).is_ok_and(|found| found.is_file());
    // What cannot be read is told by who reads it.
    path.extension()
        .is_some_and(|extension| extension == "toml")
        && is_file()
        && last().is_ok_and(|last| last != b'\n')
}

/// The folders whose events wake the thread.
struct Folders {
    watcher: Option<RecommendedWatcher>,
    /// With the inode watched: a folder that was replaced is watched anew.
    watched: BTreeMap<PathBuf, u64>,
}

impl Folders {
    fn new(events: &SyncSender<()>) -> Self {
        let events = events.clone();
        // An error of the watcher (such as an overflow) is a reason to look, too.
        let watcher = notify::recommended_watcher(move |_| wake(&events));
        if let Err(error) = &watcher {
            tracing::warn!(target: "dogpile.reload", %error, "no events for files: the manifest is looked at every {LOOK:?}");
        }
        Self {
            watcher: watcher.ok(),
            watched: BTreeMap::new(),
        }
    }

    fn watch(&mut self, paths: &[PathBuf]) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        let mut wanted = BTreeSet::new();
        for path in paths {
            folders_of(path, &mut wanted, LINKS);
        }
        self.watched.retain(|folder, inode| {
            let same = wanted.contains(folder) && inode_of(folder) == Some(*inode);
            if !same {
                // It may be gone, and its watch with it.
                let _ = watcher.unwatch(folder);
            }
            same
        });
        for folder in wanted {
            if let (false, Some(inode)) = (self.watched.contains_key(&folder), inode_of(&folder))
                && watcher.watch(&folder, RecursiveMode::NonRecursive).is_ok()
            {
                self.watched.insert(folder, inode);
            }
        }
    }
}

fn inode_of(folder: &Path) -> Option<u64> {
    fs::metadata(folder).ok().map(|found| found.ino())
}

/// Every folder in which an entry can change what `path` leads to: its own, and those of the links on the way.
fn folders_of(path: &Path, into: &mut BTreeSet<PathBuf>, links: u8) {
    let parent = |path: &Path| match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => path.to_owned(),
    };
    into.insert(parent(path));
    if path.is_dir() {
        into.insert(path.to_owned());
    }
    if links == 0 {
        return;
    }
    for ancestor in path.ancestors() {
        if let Ok(target) = fs::read_link(ancestor) {
            let folder = parent(ancestor);
            let rest = path.strip_prefix(ancestor).unwrap_or(Path::new(""));
            let led = folder.join(target);
            into.insert(folder);
            let led = if rest.as_os_str().is_empty() {
                led
            } else {
                led.join(rest)
            };
            folders_of(&led, into, links - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_folders_of_all_links_on_the_way_are_watched() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        fs::create_dir_all(root.join("volume/..2026")).unwrap();
        fs::write(root.join("volume/..2026/dogpile.toml"), "").unwrap();
        symlink("..2026", root.join("volume/..data")).unwrap();
        symlink("..data/dogpile.toml", root.join("volume/dogpile.toml")).unwrap();
        fs::create_dir(root.join("etc")).unwrap();
        symlink(
            root.join("volume/dogpile.toml"),
            root.join("etc/dogpile.toml"),
        )
        .unwrap();
        let mut folders = BTreeSet::new();
        folders_of(&root.join("etc/dogpile.toml"), &mut folders, LINKS);
        for folder in ["etc", "volume", "volume/..data", "volume/..2026"] {
            assert!(
                folders.contains(&root.join(folder)),
                "{folder} in {folders:?}"
            );
        }
    }

    #[test]
    fn a_manifest_without_an_end_of_its_last_line_is_unfinished() {
        let root = tempfile::tempdir().unwrap();
        for (name, content, unfinished) in [
            ("a.toml", "a = 1", true),
            ("b.toml", "a = 1\n", false),
            ("c.toml", "", false),
            ("secret", "a", false),
        ] {
            let path = root.path().join(name);
            fs::write(&path, content).unwrap();
            assert_eq!(is_unfinished(&path), unfinished, "{name}");
        }
        assert!(!is_unfinished(&root.path().join("absent.toml")));
    }

    #[test]
    fn a_circle_of_links_ends() {
        let root = tempfile::tempdir().unwrap();
        symlink("b", root.path().join("a")).unwrap();
        symlink("a", root.path().join("b")).unwrap();
        folders_of(&root.path().join("a"), &mut BTreeSet::new(), LINKS);
    }

    #[test]
    fn a_bare_name_lies_in_the_current_folder() {
        let mut folders = BTreeSet::new();
        folders_of(Path::new("no-such-manifest.toml"), &mut folders, LINKS);
        assert!(folders.contains(Path::new(".")));
    }
}
