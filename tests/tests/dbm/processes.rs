//! Processes that share a file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dogpile_tests::process::Process;
use tempfile::TempDir;

const FILE: &str = "DOGPILE_TEST_FILE";
const PATIENCE: &str = "DOGPILE_TEST_PATIENCE";

/// In a worker: the data file, and how long a creator waits for another process, in milliseconds.
pub(crate) fn part() -> Option<(OsString, Duration)> {
    let patience = std::env::var(PATIENCE).ok()?.parse().unwrap();
    Some((std::env::var_os(FILE)?, Duration::from_millis(patience)))
}

/// A folder with a data file that processes share.
pub(crate) struct Shared(TempDir);

impl Shared {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.path().join("cache")
    }

    pub(crate) fn lock_file(&self) -> PathBuf {
        self.0.path().join("cache.dogpile.lock")
    }

    pub(crate) fn worker(&self) -> Process {
        self.worker_with(Duration::from_secs(30))
    }

    pub(crate) fn worker_with(&self, patience: Duration) -> Process {
        let patience = patience.as_millis().to_string();
        let variables = [
            (FILE, self.file().into_os_string()),
            (PATIENCE, patience.into()),
        ];
        Process::start("worker::a_worker", &variables)
    }
}

/// A manifest with the region `users` on that file, and more lines of it.
pub(crate) fn manifest(plugins: &Path, file: &Path, more: &str) -> String {
    format!(
        "version = 1\n[host]\nplugin_dir = \"{}\"\n[plugins.dbm]\n[regions.users]\nbackend = \"dbm\"\n\
         expiration_time = \"1m\"\narguments.filename = \"{}\"\n{more}\n",
        plugins.display(),
        file.display()
    )
}
