//! What the kernel tells of files.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;
use tracing::Dispatch;

use super::way::names;

/// The events of all names on the way to some files, as far as the kernel gives them.
pub(super) struct Events {
    heard: Arc<Heard>,
    woken: Receiver<()>,
    watcher: Option<RecommendedWatcher>,
    /// The one before, until it has told what it knew.
    old: Option<RecommendedWatcher>,
    /// Whether the kernel refused something for lack of room, and whether that was logged.
    lacks: bool,
    warned: bool,
}

/// What was heard, by the thread of the watcher.
struct Heard {
    wake: SyncSender<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What is watched, or would be if it was there.
    names: BTreeSet<PathBuf>,
    /// Folders of which every entry matters: files are included by a pattern.
    folders: BTreeSet<PathBuf>,
    /// One of these may lead elsewhere now, and what is watched is something else.
    moved: bool,
    /// Those that were written to, and not closed since.
    open: BTreeSet<PathBuf>,
}

impl Events {
    /// Whoever wakes by `wake` is heard by `woken`.
    pub(super) fn new(wake: SyncSender<()>, woken: Receiver<()>) -> Self {
        let state = State {
            moved: true,
            ..State::default()
        };
        Self {
            heard: Arc::new(Heard {
                wake,
                state: Mutex::new(state),
            }),
            woken,
            watcher: None,
            old: None,
            lacks: false,
            warned: false,
        }
    }

    /// Whether what is watched may no longer be what leads to the files.
    pub(super) fn have_moved(&self) -> bool {
        self.heard.state.lock().moved
    }

    /// Has everything watched anew before the next look, whatever was heard: what changed is another thing to watch.
    pub(super) fn may_have_moved(&self) {
        self.heard.state.lock().moved = true;
    }

    /// Watches everything on the way to `paths`, files included: one that has another name, or that is mounted here,
    /// can be written to elsewhere. All anew, for a watch is of what lay under a name, and is gone with it.
    pub(super) fn watch(&mut self, paths: &[PathBuf]) {
        let mut wanted = BTreeSet::new();
        for path in paths {
            names(path, &mut wanted);
        }
        let folders = paths.iter().filter_map(folder).collect();
        let mut state = self.heard.state.lock();
        state.names.clone_from(&wanted);
        state.folders = folders;
        state.moved = false;
        state.open.retain(|open| wanted.contains(open));
        drop(state);
        let heard = Arc::clone(&self.heard);
        let made = notify::recommended_watcher(move |event| {
            be_silent();
            heard.hear(event);
        });
        let outcome = made.and_then(|mut new| {
            let all = watch_all(&mut new, &wanted);
            self.old = self.watcher.replace(new);
            all
        });
        self.lacks = outcome.is_err();
        if let (Err(error), false) = (outcome, self.warned) {
            self.warned = true;
            tracing::warn!(
                target: "dogpile.reload", %error,
                "not all changes of files are told at once: they are looked for every {:?}; \
                 raise fs.inotify.max_user_watches and fs.inotify.max_user_instances",
                super::LOOK
            );
        }
    }

    /// Waits for an event, and says whether there was one. Where the kernel had no room, it is asked again.
    pub(super) fn wait(&mut self, timeout: Duration) -> bool {
        let heard = self.woken.recv_timeout(timeout) == Ok(());
        self.old = None;
        if !heard && self.lacks {
            self.may_have_moved();
        }
        heard
    }

    /// Whether one of the files was written to by somebody who has it open still.
    pub(super) fn one_is_open(&self) -> bool {
        !self.heard.state.lock().open.is_empty()
    }

    /// Whoever has one open has had time enough.
    pub(super) fn none_is_open(&self) {
        self.heard.state.lock().open.clear();
    }
}

/// What the watcher's thread itself says of each event is not told: if the log lies in a folder that is watched, each
/// line of it is an event.
fn be_silent() {
    thread_local! {
        static SILENT: tracing::dispatcher::DefaultGuard = tracing::dispatcher::set_default(&Dispatch::none());
    }
    SILENT.with(|_| ());
}

/// Watches what is there of it. The error is that there is no room for more.
fn watch_all(watcher: &mut RecommendedWatcher, names: &BTreeSet<PathBuf>) -> notify::Result<()> {
    let mut all = Ok(());
    for name in names.iter().filter(|name| !is_link(name)) {
        match watcher.watch(name, RecursiveMode::NonRecursive) {
            Err(error) if matches!(error.kind, ErrorKind::MaxFilesWatch) => all = Err(error),
            // What is not there comes to what is above it. What must not be read is looked at.
            _ => {}
        }
    }
    all
}

/// A folder, by the name that has no link in it.
fn folder(path: &PathBuf) -> Option<PathBuf> {
    let found = fs::canonicalize(path).ok()?;
    found.is_dir().then_some(found)
}

fn is_link(name: &PathBuf) -> bool {
    fs::symlink_metadata(name).is_ok_and(|found| found.is_symlink())
}

impl Heard {
    fn hear(&self, event: notify::Result<Event>) {
        let mut state = self.state.lock();
        match event {
            Ok(event) if !event.need_rescan() => {
                if !state.hear(&event) {
                    return;
                }
            }
            // Some were lost.
            _ => {
                state.moved = true;
                state.open.clear();
            }
        }
        drop(state);
        // Full means that it is being woken already.
        let _ = self.wake.try_send(());
    }
}

impl State {
    /// Whether it is a reason to look: most of what happens in a busy folder is not.
    fn hear(&mut self, event: &Event) -> bool {
        let listed = |path: &PathBuf| {
            path.parent()
                .is_some_and(|above| self.folders.contains(above))
        };
        let is_listed = event.paths.iter().any(listed);
        let named: Vec<_> = event
            .paths
            .iter()
            .filter(|path| self.names.contains(*path))
            .cloned()
            .collect();
        let is_named = !named.is_empty();
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => self.close(&named),
            EventKind::Access(_) => return false,
            EventKind::Modify(ModifyKind::Data(_)) => self.open.extend(named),
            EventKind::Create(_)
            | EventKind::Remove(_)
            | EventKind::Modify(ModifyKind::Name(_)) => {
                self.moved |= is_named;
                self.close(&named);
            }
            _ => {}
        }
        is_named || is_listed
    }

    fn close(&mut self, names: &[PathBuf]) {
        for name in names {
            self.open.remove(name);
        }
    }
}
