//! Following the manifest: read, check, plan, open aside, swap once, close the old.

mod apply;
mod outcome;
mod plan;
mod reaper;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use parking_lot::Mutex;

use crate::engine::Engine;
use crate::loader;
use crate::manifest::{Manifest, ManifestErrors};
use crate::records::Poller;
use crate::{Error, ErrorKind, Result};

pub use self::outcome::Reload;
pub use self::plan::{Change, ChangeKind};
pub(crate) use self::reaper::retire;

/// Follows a manifest: applies it when told to, and by itself when it changes.
pub(crate) struct Follower {
    engine: Arc<Engine>,
    path: PathBuf,
    state: Mutex<State>,
    /// Ends the thread that watches.
    watch: OnceLock<watch::Stop>,
}

/// What is known of the manifest.
#[derive(Clone, Default)]
pub(crate) struct State {
    /// The content hash of the applied manifest.
    pub(crate) hash: Option<String>,
    pub(crate) applied: Option<SystemTime>,
    /// Why the newest one was refused.
    pub(crate) error: Option<String>,
    /// Files and folders whose change may matter.
    inputs: Vec<PathBuf>,
    fingerprint: Option<String>,
}

impl Follower {
    pub(crate) fn new(engine: Arc<Engine>, path: PathBuf) -> Self {
        Self {
            engine,
            path,
            state: Mutex::default(),
            watch: OnceLock::new(),
        }
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

    /// Applies the manifest as it is now. The outcome is logged, and kept for the status.
    pub(crate) fn reload(&self) -> Result<Reload> {
        let _change = self.engine.change.lock();
        self.apply(Attempt::read(&self.path))
    }

    /// Applies the manifest if anything that it is made of is other than at the last attempt.
    fn refresh(&self) {
        let _change = self.engine.change.lock();
        let attempt = Attempt::read(&self.path);
        if self.state.lock().fingerprint.as_ref() != Some(&attempt.fingerprint) {
            // Logged, and kept for the status.
            let _outcome = self.apply(attempt);
        }
    }

    /// The caller holds the change lock.
    fn apply(&self, attempt: Attempt) -> Result<Reload> {
        let began = Instant::now();
        let is_reload = self.state.lock().applied.is_some();
        let outcome = attempt.manifest.and_then(|manifest| {
            let reload = apply::apply(&self.engine, &manifest, is_reload)?;
            Ok((reload, manifest))
        });
        let mut state = self.state.lock();
        state.inputs = attempt.inputs;
        state.fingerprint = Some(attempt.fingerprint);
        match outcome {
            Ok((reload, manifest)) => {
                state.hash = Some(manifest.content_hash().to_owned());
                state.applied = Some(SystemTime::now());
                state.error = None;
                drop(state);
                Poller::follow(&self.engine);
                for warning in manifest.warnings() {
                    tracing::warn!(target: "dogpile.reload", "{warning}");
                }
                tracing::info!(target: "dogpile.reload", elapsed = ?began.elapsed(), "{reload}");
                Ok(reload)
            }
            Err(errors) => {
                let text = errors.to_string();
                state.error = Some(text.clone());
                drop(state);
                tracing::error!(target: "dogpile.reload", "the manifest was refused, nothing has changed:\n{text}");
                Err(Error::with_source(ErrorKind::Configuration, text, errors))
            }
        }
    }

    /// What a change of the manifest can show in.
    fn inputs(&self) -> Vec<PathBuf> {
        self.state.lock().inputs.clone()
    }

    /// What a reload would change.
    pub(crate) fn plan(&self) -> Result<Reload> {
        let refused = |errors: ManifestErrors| {
            Error::with_source(ErrorKind::Configuration, errors.to_string(), errors)
        };
        let manifest = Manifest::load(&self.path).map_err(refused)?;
        apply::planned(&self.engine, &manifest).map_err(refused)
    }
}

/// One reading of the manifest and of all that it names.
struct Attempt {
    manifest: Result<Manifest, ManifestErrors>,
    inputs: Vec<PathBuf>,
    /// Equal if and only if the contents are: of the manifest, and of the plugins' files.
    fingerprint: String,
}

impl Attempt {
    fn read(path: &Path) -> Self {
        let manifest = Manifest::load(path);
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
            match loader::inspect(&plugin.path) {
                Ok(inspected) => fingerprint.push_str(&inspected.digest),
                Err(error) => fingerprint.push_str(&error.to_string()),
            }
        }
        Self {
            manifest,
            inputs,
            fingerprint,
        }
    }
}
