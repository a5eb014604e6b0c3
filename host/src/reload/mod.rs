//! Following the manifest: read, check, plan, open aside, swap once, close the old.

mod apply;
mod plan;
mod reaper;
mod watch;

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use parking_lot::Mutex;

use crate::host::Inner;
use crate::loader;
use crate::manifest::{Manifest, ManifestErrors};
use crate::status::Reload;
use crate::{Error, ErrorKind, Result};

pub use self::plan::{Change, ChangeKind};
pub(crate) use self::watch::{Stop, start};

/// The manifest that a host follows, and how its last reload went.
pub(crate) struct Follower {
    path: PathBuf,
    state: Mutex<State>,
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
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            state: Mutex::default(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn state(&self) -> State {
        self.state.lock().clone()
    }
}

impl Inner {
    fn follower(&self) -> Result<&Follower> {
        self.follower.as_ref().ok_or_else(|| {
            Error::new(
                ErrorKind::Configuration,
                "this host follows no manifest: it was configured in code alone",
            )
        })
    }

    /// Applies the manifest as it is now. The outcome is logged, and kept for the status.
    pub(crate) fn reload(&self) -> Result<Reload> {
        let follower = self.follower()?;
        let _change = self.change.lock();
        let attempt = Attempt::read(&follower.path);
        self.apply(follower, attempt)
    }

    /// Applies the manifest if anything that it is made of is other than at the last attempt.
    fn refresh(&self) {
        let Some(follower) = &self.follower else {
            return;
        };
        let _change = self.change.lock();
        let attempt = Attempt::read(&follower.path);
        if follower.state.lock().fingerprint.as_ref() != Some(&attempt.fingerprint) {
            // Logged and kept for the status.
            let _outcome = self.apply(follower, attempt);
        }
    }

    /// The caller holds the change lock.
    fn apply(&self, follower: &Follower, attempt: Attempt) -> Result<Reload> {
        let began = Instant::now();
        let outcome = attempt.manifest.and_then(|manifest| {
            let reload = apply::apply(self, &manifest)?;
            Ok((reload, manifest))
        });
        let mut state = follower.state.lock();
        state.inputs = attempt.inputs;
        state.fingerprint = Some(attempt.fingerprint);
        match outcome {
            Ok((reload, manifest)) => {
                state.hash = Some(manifest.content_hash().to_owned());
                state.applied = Some(SystemTime::now());
                state.error = None;
                drop(state);
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
    fn watched(&self) -> Vec<PathBuf> {
        self.follower
            .as_ref()
            .map(|follower| follower.state.lock().inputs.clone())
            .unwrap_or_default()
    }

    /// What a reload would change.
    pub(crate) fn plan(&self) -> Result<Reload> {
        let follower = self.follower()?;
        let refused = |errors: ManifestErrors| {
            Error::with_source(ErrorKind::Configuration, errors.to_string(), errors)
        };
        let manifest = Manifest::load(&follower.path).map_err(refused)?;
        apply::planned(self, &manifest).map_err(refused)
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
