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
mod templates;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use parking_lot::Mutex;

use crate::engine::Engine;
use crate::listener::Listeners;
use crate::manifest::{Manifest, ManifestErrors, RegionConfig};
use crate::records::Poller;
use crate::trust::Trust;
use crate::watchdog::Watchdog;
use crate::{Error, ErrorKind, Result};

pub(crate) use self::last_call::LastCall;
pub use self::outcome::Reload;
pub use self::plan::{Change, ChangeKind, EntriesFate};
pub(crate) use self::reaper::retire;
use self::report::Timing;
pub use self::report::{ReloadOutcome, ReloadRecord, Reloads, Trigger};
pub use self::templates::TemplateCacheChange;

/// Follows a manifest: applies it when told to, and by itself when it changes.
pub(crate) struct Follower {
    engine: Arc<Engine>,
    path: PathBuf,
    only: Option<OnlyRegion>,
    listeners: Arc<Listeners>,
    state: Mutex<State>,
    /// Ends the thread that watches.
    watch: OnceLock<watch::Stop>,
    /// What `[host] admin_socket` was when the host began to listen there, or in the usual place.
    admin_socket: OnceLock<Option<PathBuf>>,
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
            admin_socket: OnceLock::new(),
        }
    }

    /// Tells where the manifest had the host listen: another place is for its next start.
    pub(crate) fn listens(&self, admin_socket: Option<PathBuf>) {
        self.admin_socket.get_or_init(|| admin_socket);
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn state(&self) -> State {
        self.state.lock().clone()
    }

    /// Applies every change by itself from now on.
    pub(crate) fn watch(self: &Arc<Self>) -> Result<()> {
        let stop = watch::start(self)?;
        self.watch.get_or_init(|| stop);
        Ok(())
    }

    /// Applies the manifest for the first time.
    pub(crate) fn start(&self) -> Result<()> {
        let _change = self.engine.change.lock();
        let attempt = Attempt::read(&self.path, self.engine.trust);
        self.apply(attempt, Trigger::Start).map(drop)
    }

    /// Applies the manifest as it is now. The outcome is logged, and kept for the status.
    pub(crate) fn reload(&self, trigger: Trigger) -> Result<Reload> {
        self.listeners.reload_began(trigger);
        let change = self.engine.change.lock();
        let attempt = Attempt::read(&self.path, self.engine.trust);
        let outcome = self.apply(attempt, trigger);
        drop(change);
        self.tell_end();
        outcome
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

    /// Applies the manifest if anything that it is made of is other than at the last attempt. `is_whole` is asked, of the
    /// files that were read, whether they are as they were before; if not, nothing is applied, and the caller looks again.
    fn refresh(&self, is_whole: impl Fn(&[PathBuf]) -> bool) {
        let read = || Attempt::read(&self.path, self.engine.trust);
        let (seen, mut attempt) = (self.state().fingerprint, read());
        if seen.as_ref() == Some(&attempt.fingerprint) {
            return;
        }
        if !is_whole(&attempt.inputs) {
            self.state.lock().inputs = attempt.inputs;
            return;
        }
        self.listeners.reload_began(Trigger::File);
        let change = self.engine.change.lock();
        let last = self.state().fingerprint;
        if last != seen {
            // Another reload came first.
            attempt = read();
        }
        if !is_whole(&attempt.inputs) {
            self.state.lock().inputs = attempt.inputs;
        } else if last.as_ref() != Some(&attempt.fingerprint) {
            // Logged, and kept for the status.
            let _outcome = self.apply(attempt, Trigger::File);
        }
        drop(change);
        self.tell_end();
    }

    /// The caller holds the change lock.
    fn apply(&self, attempt: Attempt, trigger: Trigger) -> Result<Reload> {
        let is_reload = self.state.lock().applied.is_some();
        let outcome = match attempt.manifest {
            Ok(mut manifest) => self.narrow(&mut manifest).and_then(|()| {
                let applied = apply::apply(&self.engine, &manifest, is_reload);
                let mut reload = applied.map_err(put_back)?;
                reload.warnings = self.warnings(&manifest);
                Ok((reload, manifest))
            }),
            Err(errors) => Err(refused(self.with_more(errors))),
        };
        let (outcome, hash) = match outcome {
            Ok((reload, manifest)) => (Ok(reload), Some(manifest.content_hash().to_owned())),
            Err(error) => (Err(error), None),
        };
        let timing = Timing {
            at: attempt.at,
            took: attempt.began.elapsed(),
        };
        let generation = self.engine.registry.load().generation;
        let record = ReloadRecord::new(timing, trigger, generation, &outcome);
        let mut state = self.state.lock();
        state.inputs = attempt.inputs;
        state.fingerprint = Some(attempt.fingerprint);
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
        outcome
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

    fn warnings(&self, manifest: &Manifest) -> Vec<String> {
        let mut warnings: Vec<String> = manifest.warnings().iter().map(<_>::to_string).collect();
        let listens = self.admin_socket.get();
        if listens.is_some_and(|listens| *listens != manifest.host().admin_socket) {
            let warning = manifest.warning_at(
                &["host", "admin_socket"],
                "the admin socket stays where it is until the host starts again",
                "restart the host to move it, or put `admin_socket` in [host] back",
            );
            warnings.push(warning.to_string());
        }
        warnings
    }

    /// What a change of the manifest can show in.
    fn inputs(&self) -> Vec<PathBuf> {
        self.state.lock().inputs.clone()
    }

    /// What a reload would change. Everything is loaded and opened aside as a reload would, and closed again.
    pub(crate) fn plan(&self) -> Result<Reload> {
        let _change = self.engine.change.lock();
        let manifest = Attempt::read(&self.path, self.engine.trust).manifest;
        let mut manifest = manifest.map_err(|errors| refused(self.with_more(errors)))?;
        self.narrow(&mut manifest)?;
        let mut planned = apply::planned(&self.engine, &manifest).map_err(refused)?;
        planned.warnings = self.warnings(&manifest);
        Ok(planned)
    }
}

/// What was changed in place and put back is told beside the errors.
fn put_back(refusal: apply::Refusal) -> Error {
    let apply::Refusal { errors, undone } = refusal;
    if undone.is_empty() {
        return refused(errors);
    }
    let lines: Vec<_> = undone.iter().map(|one| format!("\n- {one}")).collect();
    let what = if undone.iter().all(|one| one.is_as_before) {
        "what had been changed already was put back:"
    } else {
        "what had been changed already could not all be put back:"
    };
    let text = format!("{errors}\n\n{what}{}", lines.concat());
    Error::with_source(ErrorKind::Configuration, text, errors)
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
