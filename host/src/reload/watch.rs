//! Notices that the manifest, or something that it names, was changed.
//!
//! Events wake the thread early; what decides is a look at the files themselves, which it also takes by itself every
//! two seconds. So nothing depends on events: a file system without them, an overflow, a mount over what was there.
//!
//! A file is read when it has stayed as it is for 60 ms; for 600 ms where it may be half-written, as far as can be known:
//! somebody who wrote to it has it open still, a `.toml` file's last line has no end, or no event told of the change. What
//! was changed while it was read is not applied, but read again. Whoever writes more slowly than that, or writes several
//! files that belong together, should write beside and rename: then what is read is always whole.

mod events;
mod way;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use self::events::Events;
use super::Follower;
use crate::{Error, ErrorKind, Result};

/// How often it looks without being woken.
const LOOK: Duration = Duration::from_secs(2);

/// How long the files must stay as they are before they are read: a save is often several steps.
const QUIET: Duration = Duration::from_millis(60);

/// The same while one of them may be half-written: what is there may be right by chance.
const UNFINISHED: Duration = Duration::from_millis(600);

/// How long it waits for that at most. What never stays as it is is read as it is.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks that events ask for, so that a busy folder does not keep a core busy.
const BREATH: Duration = Duration::from_millis(10);

/// Watches for `follower` on a thread of its own, which ends when nobody else holds it.
pub(crate) fn start(follower: &Arc<Follower>) -> Result<Stop> {
    // One pending event says as much as a thousand.
    let (wake, woken) = mpsc::sync_channel(1);
    let stop = Stop(wake.clone());
    let follower = Arc::downgrade(follower);
    let run = move || follow(&follower, Events::new(wake, woken));
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
        // Full means that it is being woken already.
        let _ = self.0.try_send(());
    }
}

/// What a path leads to: device, inode, length and when it was changed, which no program can set; nothing if it leads
/// nowhere.
type Look = Vec<Option<(u64, u64, u64, i64, i64)>>;

fn follow(follower: &Weak<Follower>, mut events: Events) {
    let mut last: Option<(Vec<PathBuf>, Look)> = None;
    let mut heard = true;
    // Nothing is held between two looks, so that the host can go.
    while let Some(paths) = follower.upgrade().map(|follower| follower.inputs()) {
        let known = last.as_ref().filter(|(seen, _)| *seen == paths);
        if known.is_none() || events.have_moved() {
            events.watch(&paths);
        }
        let now = look(&paths);
        let (settled, stays) = if known.is_some_and(|(_, look)| *look == now) {
            let retry = follower.upgrade().and_then(|one| one.retries_within());
            if retry.is_none_or(|within| !within.is_zero()) {
                heard = events.wait(retry.map_or(LOOK, |within| within.min(LOOK)));
                if heard {
                    thread::sleep(BREATH);
                }
                continue;
            }
            (now, true)
        } else {
            // Taken before the files are read: what changes while they are is seen by the next look.
            let settled = settle(&paths, now, heard, &events);
            events.may_have_moved();
            if let Some(follower) = follower.upgrade().filter(|_| last.is_some()) {
                follower.retry_soon();
            }
            settled
        };
        let is_whole = |read: &[PathBuf]| !stays || (read == paths && look(read) == settled);
        let is_done = follower
            .upgrade()
            .is_none_or(|follower| follower.refresh(is_whole));
        last = is_done.then_some((paths, settled));
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

/// Waits until the files stay as they are, and gives that look, and whether they did before its patience was at its end.
/// `heard`: an event told of the change.
fn settle(paths: &[PathBuf], mut now: Look, heard: bool, events: &Events) -> (Look, bool) {
    let (began, mut since) = (Instant::now(), Instant::now());
    while began.elapsed() < PATIENCE {
        thread::sleep(QUIET);
        let next = look(paths);
        if next != now {
            now = next;
            since = Instant::now();
        } else if since.elapsed() >= UNFINISHED {
            events.none_is_open();
            return (now, true);
        } else if heard && !events.one_is_open() && !paths.iter().any(|path| has_no_end(path)) {
            return (now, true);
        }
    }
    (now, false)
}

/// Whether it is a manifest or an included file, and does not end with a newline. Other files that are followed need
/// none: secrets, libraries.
fn has_no_end(path: &Path) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_without_an_end_of_its_last_line_may_be_half_written() {
        let root = tempfile::tempdir().unwrap();
        for (name, content, no_end) in [
            ("a.toml", "a = 1", true),
            ("b.toml", "a = 1\n", false),
            ("c.toml", "", false),
            ("secret", "a", false),
        ] {
            let path = root.path().join(name);
            fs::write(&path, content).unwrap();
            assert_eq!(has_no_end(&path), no_end, "{name}");
        }
        assert!(!has_no_end(&root.path().join("absent.toml")));
    }
}
