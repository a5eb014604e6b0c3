//! Following the manifest: read, check, plan, open aside, swap once, close the old.

mod apply;
mod entries;
mod last_call;
mod late;
mod load;
mod outcome;
mod plan;
mod reaper;
mod report;
mod retry;
mod templates;
mod watch;

use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

use crate::engine::Engine;
use crate::listener::Listeners;
use crate::loader::Attempts;
use crate::manifest::{Manifest, ManifestError, ManifestErrors, RegionConfig};
use crate::records::Poller;
use crate::trust::Trust;
use crate::watchdog::Watchdog;
use crate::{Error, ErrorKind, Result};

pub(crate) use self::last_call::LastCall;
pub use self::outcome::Reload;
pub use self::plan::{Change, ChangeKind, EntriesFate};
pub(crate) use self::reaper::retire;
use self::report::Timing;
pub use self::report::{ReloadOutcome, ReloadRecord, Reloads, Retries, Trigger};
use self::retry::Retry;
pub use self::templates::TemplateCacheChange;

/// Where a host began to listen for the `dogpile` command.
pub(crate) struct Listening {
    /// What `[host] admin_socket` was; without it, in the usual place.
    pub(crate) admin_socket: Option<PathBuf>,
    /// What is told of a manifest that names another one, to a host that trusts so.
    pub(crate) moved: fn(&Manifest, Option<Trust>) -> ManifestError,
}

/// Follows a manifest: applies it when told to, and by itself when it changes.
pub(crate) struct Follower {
    engine: Arc<Engine>,
    path: PathBuf,
    only: Option<OnlyRegion>,
    listeners: Arc<Listeners>,
    state: Mutex<State>,
    /// Ends the thread that watches.
    watch: OnceLock<watch::Stop>,
    /// Where the host listens.
    listening: OnceLock<Listening>,
    /// At the manifest that was refused, with those that follow by themselves.
    attempts: Mutex<Attempts>,
}

/// The one region of the manifest that is opened, and what its configuration is made.
pub(crate) struct OnlyRegion {
    pub(crate) name: String,
    pub(crate) change: Box<dyn Fn(&mut RegionConfig) + Send + Sync>,
}

/// What is known of the manifest.
#[derive(Clone, Default)]
pub(crate) struct State {
    /// The content hash of the applied manifest.
    pub(crate) hash: Option<String>,
    pub(crate) applied: Option<SystemTime>,
    /// The newest reading of it that was applied or refused.
    pub(crate) last: Option<ReloadRecord>,
    pub(crate) reloads: Reloads,
    /// When a reading of it was last right, whether or not it changed anything.
    pub(crate) succeeded: Option<SystemTime>,
    /// Files and folders whose change may matter.
    inputs: Vec<PathBuf>,
    fingerprint: Option<String>,
    /// When the refused manifest is tried again by itself, if it is.
    retry: Option<Retry>,
    /// Whether there is a thread that tries again.
    is_watched: bool,
}

impl Follower {
    pub(crate) fn new(
        engine: Arc<Engine>,
        path: PathBuf,
        only: Option<OnlyRegion>,
        listeners: Arc<Listeners>,
    ) -> Self {
        Self {
            engine,
            path,
            only,
            listeners,
            state: Mutex::default(),
            watch: OnceLock::new(),
            listening: OnceLock::new(),
            attempts: Mutex::default(),
        }
    }

    /// Tells where the manifest had the host listen: another place is for its next start.
    pub(crate) fn listens(&self, listening: Listening) {
        self.listening.get_or_init(|| listening);
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn state(&self) -> State {
        self.state.lock().clone()
    }

    /// Applies every change by itself from now on.
    pub(crate) fn watch(self: &Arc<Self>) -> Result<()> {
        self.state.lock().is_watched = true;
        let stop = watch::start(self)?;
        self.watch.get_or_init(|| stop);
        Ok(())
    }

    /// Applies the manifest for the first time.
    pub(crate) fn start(&self) -> Result<()> {
        let _change = self.engine.change.lock();
        let attempt = Attempt::read(&self.path, self.engine.trust);
        self.apply(attempt, Trigger::Start).outcome.map(drop)
    }

    /// Applies the manifest as it is now. The outcome is logged, and kept for the status.
    pub(crate) fn reload(&self, trigger: Trigger) -> Result<Reload> {
        self.listeners.reload_began(trigger);
        let change = self.engine.change.lock();
        let attempt = Attempt::read(&self.path, self.engine.trust);
        let applied = self.apply(attempt, trigger);
        drop(change);
        self.tell_end();
        applied.outcome
    }

    fn tell_end(&self) {
        if let Some(record) = self.state().last {
            self.listeners.reloaded(&record);
        }
    }

    /// Leaves the region that is to be opened, if it is for one alone.
    fn narrow(&self, manifest: &mut Manifest) -> Result<()> {
        let Some(only) = &self.only else {
            return Ok(());
        };
        manifest
            .keep_only(&only.name, &only.change)
            .map_err(|lacks| Error::new(ErrorKind::NoSuchRegion, lacks))
    }

    /// Applies the manifest if anything that it is made of is other than at the last attempt, or if that is to be tried
    /// again. `is_whole` is asked, of the files that were read, whether they are as they were before. False: nothing was
    /// applied that should be, and the caller looks again.
    fn refresh(&self, is_whole: impl Fn(&[PathBuf]) -> bool) -> bool {
        let seen = self.state();
        let attempt = Attempt::read(&self.path, self.engine.trust);
        let trigger = if seen.fingerprint.as_ref() != Some(&attempt.fingerprint) {
            Trigger::File
        } else if seen.retry.is_some_and(Retry::is_due) && !self.put_off() {
            Trigger::Retry
        } else {
            return true;
        };
        if !is_whole(&attempt.inputs) {
            self.state.lock().inputs = attempt.inputs;
            return false;
        }
        // Most tries come to nothing new, and are nobody's business.
        if trigger == Trigger::File {
            self.listeners.reload_began(trigger);
        }
        let change = self.engine.change.lock();
        let is_first = self.state().fingerprint == seen.fingerprint;
        // Logged, and kept for the status.
        let applied = is_first.then(|| self.apply(attempt, trigger));
        drop(change);
        if trigger == Trigger::File || applied.is_some_and(|applied| applied.is_news) {
            self.tell_end();
        }
        // Another reload came first, and nobody knows whether it saw the same.
        is_first
    }

    /// Whether a try that is due is put off, since an earlier one still hangs in a plugin: each would leave a thread there.
    fn put_off(&self) -> bool {
        // Threads of a reload that is under way do not hang.
        let _change = self.engine.change.lock();
        if !self.attempts.lock().hang() {
            return false;
        }
        let mut state = self.state.lock();
        state.retry = state.retry.map(Retry::next);
        let retries = state.last.as_mut().and_then(|last| last.retries.as_mut());
        if let Some(retries) = retries {
            retries.hangs = true;
        }
        true
    }

    /// How long it is until a refused manifest is tried again, if it is.
    fn retries_within(&self) -> Option<Duration> {
        self.state.lock().retry.map(Retry::within)
    }

    /// Has a refused manifest tried again soon, if it is at all: it was saved as it was, perhaps.
    fn retry_soon(&self) {
        let mut state = self.state.lock();
        state.retry = state.retry.map(Retry::anew);
    }

    /// The caller holds the change lock.
    fn apply(&self, attempt: Attempt, trigger: Trigger) -> Applied {
        let is_reload = self.state.lock().applied.is_some();
        // What hung for another manifest says nothing of this one.
        let attempts = match trigger {
            Trigger::Retry => mem::take(&mut *self.attempts.lock()),
            _ => Attempts::default(),
        };
        let outcome = match attempt.manifest {
            Ok(mut manifest) => {
                let narrowed = self.narrow(&mut manifest).map_err(Refused::for_good);
                narrowed.and_then(|()| {
                    let apply = || apply::apply(&self.engine, &manifest, is_reload);
                    let mut reload = attempts.run(apply)?;
                    reload.warn(self.warnings(&manifest));
                    Ok((reload, manifest))
                })
            }
            Err(errors) => Err(apply::Refusal::from(self.with_more(errors)).into()),
        };
        *self.attempts.lock() = attempts;
        let (outcome, hash, may_pass) = match outcome {
            Ok((reload, manifest)) => (Ok(reload), Some(manifest.content_hash().to_owned()), false),
            Err(Refused { error, may_pass }) => (Err(error), None, may_pass),
        };
        let timing = Timing {
            at: attempt.at,
            took: attempt.began.elapsed(),
        };
        let generation = self.engine.registry.load().generation;
        let mut record = ReloadRecord::new(timing, trigger, generation, &outcome);
        let mut state = self.state.lock();
        state.inputs = attempt.inputs;
        state.fingerprint = Some(attempt.fingerprint);
        let retry = state.retry.take().filter(|_| trigger == Trigger::Retry);
        if may_pass && state.is_watched {
            state.retry = Some(retry.map_or_else(Retry::first, Retry::next));
            let last = state.last.as_mut().filter(|_| retry.is_some());
            if last.is_some_and(|last| last.came_again(&record)) {
                let is_news = false;
                return Applied { outcome, is_news };
            }
            record.retries = Some(Retries::default());
        }
        if let Some(hash) = hash {
            if record.outcome == ReloadOutcome::Applied || state.hash.as_ref() != Some(&hash) {
                state.applied = Some(SystemTime::now());
            }
            state.hash = Some(hash);
        }
        if record.outcome != ReloadOutcome::Refused {
            state.succeeded = Some(SystemTime::now());
        }
        state.reloads.count(&record);
        state.last = Some(record.clone());
        drop(state);
        if let Ok(reload) = &outcome {
            Poller::follow(&self.engine);
            Watchdog::follow(&self.engine);
            for warning in &reload.warnings {
                tracing::warn!(target: "dogpile.reload", "{warning}");
            }
        }
        record.log();
        let is_news = true;
        Applied { outcome, is_news }
    }

    /// With what else is wrong, as far as it can be seen without running code that is not loaded.
    fn with_more(&self, errors: ManifestErrors) -> ManifestErrors {
        let Some(readable) = errors.readable() else {
            return errors;
        };
        let more = load::more_errors(&self.engine, readable);
        let readable = readable.clone();
        errors.and(&readable, more)
    }

    fn warnings(&self, manifest: &Manifest) -> Vec<ManifestError> {
        let mut warnings = manifest.warnings().to_vec();
        if let Some(listening) = self.listening.get()
            && listening.admin_socket != manifest.host().admin_socket
        {
            warnings.push((listening.moved)(manifest, self.engine.trust));
        }
        warnings
    }

    /// What a change of the manifest can show in.
    fn inputs(&self) -> Vec<PathBuf> {
        self.state.lock().inputs.clone()
    }

    /// What a reload would change. Everything is loaded and opened aside as a reload would, and closed again.
    pub(crate) fn plan(&self, candidate: Option<&Path>) -> Result<Reload> {
        let _change = self.engine.change.lock();
        let path = candidate.unwrap_or(&self.path);
        let manifest = Attempt::read(path, self.engine.trust).manifest;
        let mut manifest = manifest.map_err(|errors| refused(self.with_more(errors)))?;
        self.narrow(&mut manifest)?;
        let mut planned = apply::planned(&self.engine, &manifest).map_err(refused)?;
        planned.warn(self.warnings(&manifest));
        Ok(planned)
    }
}

/// What came of an attempt.
struct Applied {
    outcome: Result<Reload>,
    /// Not when a manifest that was tried again was refused for what it had been refused for.
    is_news: bool,
}

/// Why an attempt came to nothing.
struct Refused {
    error: Error,
    /// Whether another one may come to something else though nothing that was read is changed.
    may_pass: bool,
}

impl Refused {
    fn for_good(error: Error) -> Self {
        let may_pass = false;
        Self { error, may_pass }
    }
}

/// What was changed in place and put back is told beside the errors.
impl From<apply::Refusal> for Refused {
    fn from(refusal: apply::Refusal) -> Self {
        let apply::Refusal {
            errors,
            undone,
            may_pass,
        } = refusal;
        let lines: Vec<_> = undone.iter().map(|one| format!("\n- {one}")).collect();
        let what = if undone.iter().all(|one| one.is_as_before) {
            "what had been changed already was put back:"
        } else {
            "what had been changed already could not all be put back:"
        };
        let error = if undone.is_empty() {
            refused(errors)
        } else {
            let text = format!("{errors}\n\n{what}{}", lines.concat());
            Error::with_source(ErrorKind::Configuration, text, errors)
        };
        Self { error, may_pass }
    }
}

fn refused(errors: ManifestErrors) -> Error {
    Error::with_source(ErrorKind::Configuration, errors.to_string(), errors)
}

/// One reading of the manifest and of all that it names.
struct Attempt {
    at: SystemTime,
    began: Instant,
    manifest: Result<Manifest, ManifestErrors>,
    inputs: Vec<PathBuf>,
    /// Equal if and only if the contents are: of the manifest, and of the plugins' files.
    fingerprint: String,
}

impl Attempt {
    fn read(path: &Path, trust: Option<Trust>) -> Self {
        let (at, began) = (SystemTime::now(), Instant::now());
        let manifest = Manifest::load_trusting(path, trust);
        let (mut inputs, mut fingerprint) = match &manifest {
            Ok(manifest) => (
                manifest.inputs().to_vec(),
                manifest.content_hash().to_owned(),
            ),
            Err(errors) => (errors.inputs().to_vec(), errors.content_hash().to_owned()),
        };
        for plugin in manifest
            .iter()
            .flat_map(|manifest| manifest.plugins().values())
        {
            inputs.push(plugin.path.clone());
            fingerprint.push('\n');
            match load::loader(plugin, trust).inspect(&plugin.path) {
                Ok(inspected) => fingerprint.push_str(&inspected.digest),
                Err(error) => fingerprint.push_str(&error.to_string()),
            }
        }
        Self {
            at,
            began,
            manifest,
            inputs,
            fingerprint,
        }
    }
}
