//! The images of this process, by what is in them.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use dogpile_plugin_api::{Plugin, PluginInfo};
use parking_lot::{Condvar, Mutex};
use sha2::{Digest as _, Sha256};

use super::Fault;

/// The SHA-256 of a file's bytes. Shown in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A mapped and started plugin.
pub(super) struct Image {
    pub(super) plugin: Plugin,
    pub(super) info: PluginInfo,
    pub(super) api_version: String,
    pub(super) rustc: String,
    pub(super) number: u64,
}

/// All images of the process.
pub(super) struct Images {
    known: LazyLock<Mutex<HashMap<Digest, State>>>,
    changed: Condvar,
    mapped: AtomicU64,
}

enum State {
    /// A thread is at it.
    Loading,
    Loaded(Arc<Image>),
    /// It was mapped, and then found wrong. To map it again would only leak it again.
    Refused(Fault),
}

/// Gives an image its number, once it is mapped.
pub(super) struct Numbers<'a> {
    images: &'a Images,
    was_mapped: &'a mut bool,
}

impl Numbers<'_> {
    /// The number of the image that was mapped just now. It counts from here on, whatever becomes of it.
    pub(super) fn mapped(self) -> u64 {
        *self.was_mapped = true;
        self.images.mapped.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Images {
    pub(super) const fn new() -> Self {
        Self {
            known: LazyLock::new(Mutex::default),
            changed: Condvar::new(),
            mapped: AtomicU64::new(0),
        }
    }

    pub(super) fn mapped(&self) -> usize {
        usize::try_from(self.mapped.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }

    /// The image of those bytes, or what `load` makes of them. One thread loads, with no lock held; the others wait
    /// for it. What fails before it is mapped is tried again the next time.
    pub(super) fn get_or_load(
        &self,
        digest: Digest,
        load: impl FnOnce(Numbers<'_>) -> Result<Arc<Image>, Fault>,
    ) -> Result<Arc<Image>, Fault> {
        if let Some(known) = self.known_or_mine(digest) {
            return known;
        }
        let mut turn = Turn {
            images: self,
            digest,
            outcome: None,
        };
        let mut was_mapped = false;
        let result = load(Numbers {
            images: self,
            was_mapped: &mut was_mapped,
        });
        turn.outcome = match &result {
            Ok(image) => Some(State::Loaded(Arc::clone(image))),
            Err(fault) if was_mapped => Some(State::Refused(fault.clone())),
            Err(_) => None,
        };
        result
    }

    /// What is known of those bytes, once no other thread is at them. `None`: it is this thread's turn.
    fn known_or_mine(&self, digest: Digest) -> Option<Result<Arc<Image>, Fault>> {
        let mut known = self.known.lock();
        loop {
            match known.get(&digest) {
                Some(State::Loaded(image)) => return Some(Ok(Arc::clone(image))),
                Some(State::Refused(fault)) => return Some(Err(fault.clone())),
                Some(State::Loading) => self.changed.wait(&mut known),
                None => {
                    known.insert(digest, State::Loading);
                    return None;
                }
            }
        }
    }
}

/// A thread's turn at loading; its end, a panic included, wakes those who wait.
struct Turn<'a> {
    images: &'a Images,
    digest: Digest,
    outcome: Option<State>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut known = self.images.known.lock();
        match self.outcome.take() {
            Some(state) => known.insert(self.digest, state),
            None => known.remove(&self.digest),
        };
        drop(known);
        self.images.changed.notify_all();
    }
}
