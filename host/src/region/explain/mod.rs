//! What a caller of a key would get now, and why: for who asks a live system.

mod judged;
mod sentence;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use self::judged::Judged;
use super::mangle::BackendKey;
use super::{CacheKey, Region};
use crate::Result;
use crate::manifest::OnBackendError;
use crate::records;
use crate::registry::{Configured, configured};

/// What is known of a key of a region, and what its callers would get at this moment. Field names are stable: `dogpile
/// explain --json` prints them. Times are texts by RFC 3339.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The region's name.
    pub region: String,
    /// The key as callers have it.
    pub key: String,
    /// The key that the backend gets: by the key manglers, with the region's prefix.
    pub stored_key: String,
    /// The plugin of the backend.
    pub plugin: String,
    /// The backend.
    pub backend: String,
    /// The proxies around it, the outermost first.
    pub proxies: Vec<String>,
    /// The backend's arguments, such as its servers, with secrets masked.
    pub arguments: Json,
    /// Whether other processes see what the backend stores.
    pub shared: bool,
    /// The state of the backend, as in [`RegionStatus`](crate::RegionStatus).
    pub state: String,
    /// Why it is not `open`.
    pub state_reason: Option<String>,
    /// What is stored; none if nothing is, or nobody knows.
    pub value: Option<ExplainedValue>,
    /// Why nobody knows what is stored: how the backend failed, or why it is not called at present. A value is one that this
    /// process holds, then.
    #[serde(default)]
    pub value_error: Option<String>,
    /// What a caller would get.
    pub outcome: ExplainedOutcome,
    /// Why it is not fresh, if it is not.
    pub reason: Option<ExplainedReason>,
    /// More of that, for people: what is damaged, or how the backend failed.
    pub detail: Option<String>,
    /// What outdated the value, if an invalidation did, whatever the reason.
    pub invalidated_by: Option<ExplainedInvalidation>,
    /// Whether the value may stand in for a creation that fails (`stale_if_error`).
    pub serves_on_error: bool,
    /// Who creates.
    pub lock: ExplainedLock,
    /// What a caller would get, as a sentence.
    pub caller: String,
}

/// A stored value. What a pickle of Python's or other foreign bytes say of themselves is not known.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExplainedValue {
    /// What is stored, in bytes, with its envelope; none of an object.
    pub size: Option<usize>,
    /// Who wrote it, as the envelope says; none of an object, and where it does not say.
    pub serializer: Option<String>,
    /// When its creation ended.
    pub cached_time: Option<String>,
    /// When its creation started.
    pub started_time: Option<String>,
    /// How long ago its creation ended, in seconds; 0 if that lies ahead.
    pub age_seconds: Option<f64>,
    /// When it expires or did, after `jitter`; none: never.
    pub expires_at: Option<String>,
    /// Until when it may be served while a new one is created; none: for ever.
    pub stale_until: Option<String>,
    /// From when on the backend may drop it; none: never.
    pub keep_until: Option<String>,
    /// The `value_version` that it was stored with.
    pub value_version: Option<u32>,
    /// Its tags.
    pub tags: Vec<String>,
}

/// What a caller would get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExplainedOutcome {
    /// The value, at once.
    Fresh,
    /// One caller creates a new value, and the others get this one meanwhile.
    Stale,
    /// One caller creates a value, and the others wait.
    Missing,
    /// An error.
    Failed,
}

/// Why a value is not fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExplainedReason {
    /// There is none.
    Absent,
    /// It is older than its expiration time.
    Expired,
    /// It is past its expiration time by more than `max_stale`.
    TooStale,
    /// A soft invalidation came after its creation had started.
    SoftInvalidated,
    /// A hard one did.
    HardInvalidated,
    /// Its creation time lies more than a minute ahead, by a clock that is wrong.
    FutureCreation,
    /// Python pickled it.
    Foreign,
    /// It cannot be read.
    Damaged,
    /// It was stored with another `value_version`.
    Version,
    /// The backend failed.
    BackendError,
    /// The backend is not called at present.
    Bypass,
    /// The key is that of a region's record of invalidations.
    Reserved,
}

/// An invalidation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExplainedInvalidation {
    /// `region`; `tag`; `tags` for one of a tag that is not told apart any more; `strategy` for the program's own.
    pub of: String,
    /// The tag.
    pub tag: Option<String>,
    /// `hard` or `soft`.
    pub how: String,
    /// When, as this process knows it; none of a hard one by a strategy.
    pub at: Option<String>,
}

/// Who creates the key's value at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExplainedLock {
    /// Whether somebody does.
    pub held: bool,
    /// Whether this host does.
    pub by_this_host: bool,
    /// How many callers of this host wait for it.
    pub waiting: usize,
    /// Why it is not known whether another process does.
    pub error: Option<String>,
}

impl Region {
    /// What is known of `key`, and what its callers would get at this moment, in a call that has no options of its own.
    ///
    /// Nothing is created, changed or counted. The value is read once, and the backend's mutex asked whether it is held,
    /// unless reading failed: it blocks as they do. Of a payload is told whether the region's serializer reads it at all; whether it is of the
    /// caller's type, only the caller knows. What the backend does with an error is told, and no error here.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RegionNotConfigured`](crate::ErrorKind::RegionNotConfigured), and
    /// [`ErrorKind::Plugin`](crate::ErrorKind::Plugin) if a key mangler fails.
    pub fn explain(&self, key: impl CacheKey) -> Result<Explanation> {
        let snapshot = self.registry().load_full();
        let region = configured(&snapshot, self.slot())?;
        let text = key.cache_key();
        let key = BackendKey::new(region, &text)?;
        let is_reserved = snapshot
            .regions()
            .any(|region| records::lies_under(region, key.text()));
        let judged = if is_reserved {
            Judged::reserved()
        } else {
            Judged::of(region, &key, self.clock())
        };
        let is_out = judged.reason == Some(ExplainedReason::BackendError);
        // Who has not answered is not waited for once more.
        let lock = lock(region, &key, judged.detail.clone().filter(|_| is_out));
        let fails = region.config.on_backend_error == OnBackendError::Fail;
        let outcome = judged.outcome(fails);
        Ok(Explanation {
            caller: sentence::of(region, &judged, outcome, &lock),
            region: self.name().to_owned(),
            key: text.clone().into_owned(),
            stored_key: key.text().to_owned(),
            plugin: region.instance.base().plugin.name.clone(),
            backend: region.config.backend.name.clone(),
            proxies: {
                let proxies = region.config.proxies.iter();
                proxies.map(|proxy| proxy.name.clone()).collect()
            },
            arguments: region.config.masked_arguments(),
            shared: region.instance.properties.shared,
            state: region.instance.state().name().to_owned(),
            state_reason: region.instance.cause(),
            value: judged.value,
            value_error: judged.unread,
            outcome,
            reason: judged.reason,
            detail: judged.detail,
            invalidated_by: judged.invalidated_by,
            serves_on_error: judged.on_error,
            lock,
        })
    }
}

/// Whether the key is being created, and where. The backend is asked unless it has failed already.
fn lock(region: &Configured, key: &BackendKey<'_>, failed: Option<String>) -> ExplainedLock {
    let creations = &region.instance.creations;
    let (hash, text) = (key.hash(), key.text());
    let mut lock = ExplainedLock {
        held: creations.is_creating(hash, text),
        by_this_host: creations.is_creating_here(hash, text),
        waiting: creations.waiting(hash, text),
        error: None,
    };
    if !lock.held && failed.is_some() {
        lock.error = failed;
    } else if !lock.held {
        let mutex = region.instance.backend.mutex(&key.key());
        match mutex.and_then(|mutex| mutex.map_or(Ok(false), |mutex| mutex.is_locked())) {
            Ok(held) => lock.held = held,
            Err(error) => {
                lock.error = Some(region.instance.without_secrets(error).message().to_owned());
            }
        }
    }
    lock
}
