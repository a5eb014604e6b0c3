//! The user's own region as a whole, for `--list` and `--purge`.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::cache::Cache;
use super::options::Options;
use super::place;
use super::warn::{WORKER, warn};
use super::whole::{ANSWER, time_to_write};
use crate::lost;

/// How far it is.
enum Step<T> {
    Opened,
    /// The entries of a file are lost.
    Lost(String),
    Ended(Result<T>),
}

/// Opens it and calls that with it and its file. Both have as long as they have for a command, and more for a large file;
/// what takes longer is left where it is, until the process ends.
pub(super) fn with<T: Send + 'static>(
    options: &Options,
    call: impl FnOnce(&Cache, &Path) -> Result<T> + Send + 'static,
) -> Result<T> {
    let file = place::file()?;
    let (tell, told) = mpsc::channel();
    let of_lost = tell.clone();
    lost::tell_to(move |what| {
        // Nobody listens any more if it took too long.
        let _gone = of_lost.send(Step::Lost(what));
    });
    let (own, path) = (options.clone(), file.clone());
    let worker = thread::Builder::new().name(WORKER.to_owned());
    worker.spawn(move || {
        let ended = Cache::own(&own, None).and_then(|cache| {
            let _gone = tell.send(Step::Opened);
            call(&cache, &path)
        });
        let _gone = tell.send(Step::Ended(ended));
    })?;
    outcome(&told, &file).unwrap_or_else(|_| {
        bail!(
            "{0}: it takes too long: a process that is stopped may keep it locked: continue or end that one, which \
             `fuser -v {0} {0}.state` shows, or remove these two files",
            file.display()
        )
    })
}

fn outcome<T>(told: &Receiver<Step<T>>, file: &Path) -> Result<Result<T>, RecvTimeoutError> {
    let mut deadline = Instant::now() + ANSWER;
    loop {
        match told.recv_timeout(deadline.saturating_duration_since(Instant::now()))? {
            Step::Opened => deadline = Instant::now() + time_for(file),
            Step::Lost(what) => warn(format_args!("{what}")),
            Step::Ended(ended) => return Ok(ended),
        }
    }
}

/// For all that is in it.
fn time_for(file: &Path) -> Duration {
    let length = fs::metadata(file).map_or(0, |metadata| metadata.len());
    ANSWER + time_to_write(usize::try_from(length).unwrap_or(usize::MAX))
}
