//! A call that found no fresh value: through the lock, the creator and the store.

use std::error::Error as _;
use std::time::{Duration, Instant};

use dogpile_lock::{LockError, Outcome, Request, Retry, Source, shown};
use dogpile_plugin_api::{ErrorKind as PluginErrorKind, Object, Value};

use super::Region;
use super::beneath::Beneath;
use super::cached::Cached;
use super::call::Call;
use super::creating::{Creating, Goal};
use super::form::Form;
use super::mangle::BackendKey;
use super::read::{Found, Terms, examine, fresh, fresh_with_notes};
use super::wanted::Wanted;
use super::way::Way;
use crate::instance::{Creations, Failure};
use crate::registry::{Configured, configured};
use crate::slot::{Count, MissReason};
use crate::{Error, ErrorKind, Result};

/// A call that has read, and at first found no fresh value.
pub(super) struct Passage<'k, T> {
    creations: Creations,
    key: BackendKey<'k>,
    found: Found<T>,
    wait: Option<Duration>,
    /// How long a failed creation is left alone, if stale values may stand in for it.
    retry_after: Option<Duration>,
}

/// The first read: a fresh value, or what comes then, in a box so that a hit moves no more than a pointer.
pub(super) type First<'k, T> = Result<Object<T>, Box<Result<Passage<'k, T>>>>;

/// Where and for how long a caller waits.
pub(super) struct Waiting<S> {
    pub(super) way: Way,
    /// Gives a future that ends when a time has passed.
    pub(super) timer: S,
}

/// What a read that failed counts as.
pub(super) fn unread(error: &dogpile_plugin_api::Error) -> MissReason {
    match error.kind() {
        PluginErrorKind::Suspended => MissReason::Bypass,
        _ => MissReason::BackendError,
    }
}

impl Region {
    /// The first read.
    ///
    /// Most calls have no terms of their own, which is known where they are made: they are spared the question.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "else the question is asked here after all, on every hit"
    )]
    pub(super) fn begin<'k, T: Send + Sync + 'static, F: Form<T>>(
        &self,
        key: &'k str,
        call: &Call<'_>,
    ) -> First<'k, T> {
        match call.expiration_time {
            None => self.begin_by::<T, F, false>(key, call),
            Some(_) => self.begin_by::<T, F, true>(key, call),
        }
    }

    /// A hit on an object under a plain key is judged here, in line with its caller and with the snapshot pinned; all
    /// else by `judge_first`. `OWN`: the call has an expiration time of its own.
    #[inline(never)]
    fn begin_by<'k, T: Send + Sync + 'static, F: Form<T>, const OWN: bool>(
        &self,
        key: &'k str,
        call: &Call<'_>,
    ) -> First<'k, T> {
        let Some(pin) = self.registry().pin() else {
            return self.begin_unpinned::<T, F>(key, call);
        };
        let Some(region) = pin.plain_region(self.slot().number) else {
            drop(pin);
            return self.begin_unpinned::<T, F>(key, call);
        };
        let key = BackendKey::plain(key);
        let backend = &region.instance.backend;
        let mark = self.slot().stats.mark(&pin);
        mark.enter(backend.address());
        let got = match backend.get_unnoted(&key.key()) {
            Ok(Some(value)) => {
                let terms = self.terms(region, call);
                let judged = fresh::<T, OWN>(value, &terms);
                match judged.or_else(|value| fresh_with_notes::<T, OWN>(value, &terms)) {
                    Ok(object) => {
                        mark.leave_with_hit();
                        return Ok(object);
                    }
                    Err(value) => Ok(Some(value)),
                }
            }
            other => other,
        };
        mark.leave();
        let got = backend.noted(got);
        let snapshot = pin.release();
        let region = configured(&snapshot, self.slot());
        self.judge_first::<T, F>(region, key, call, got)
    }

    #[inline(never)]
    fn begin_unpinned<'k, T: Send + Sync + 'static, F: Form<T>>(
        &self,
        key: &'k str,
        call: &Call<'_>,
    ) -> First<'k, T> {
        let snapshot = self.registry().load();
        let begun = configured(&snapshot, self.slot()).and_then(|region| {
            let key = BackendKey::new(region, key)?;
            let got = region.instance.backend.get(&key.key());
            Ok((region, key, got))
        });
        match begun {
            Ok((region, key, got)) => self.judge_first::<T, F>(Ok(region), key, call, got),
            Err(error) => Err(Box::new(Err(self.ended(error)))),
        }
    }

    /// The first read of a caller whose thread may not block.
    pub(super) async fn begin_on<'k, T: Send + Sync + 'static, F: Form<T>>(
        &self,
        way: Way,
        key: &'k str,
        call: &Call<'_>,
    ) -> First<'k, T> {
        let begun = self.current().and_then(|region| {
            let key = BackendKey::new(&region, key)?;
            Ok((region, key))
        });
        let (region, key) = match begun {
            Ok((region, _)) if way == Way::Here || !region.instance.may_block() => {
                return self.begin::<T, F>(key, call);
            }
            Ok(begun) => begun,
            Err(error) => return Err(Box::new(Err(self.ended(error)))),
        };
        let got = self
            .call_with_key(way, &region.instance, &key, |instance, key| {
                instance.backend.get(key)
            })
            .await;
        self.judge_first::<T, F>(Ok(&region), key, call, got)
    }

    #[inline(never)]
    fn judge_first<'k, T: Send + Sync + 'static, F: Form<T>>(
        &self,
        region: Result<&Configured>,
        key: BackendKey<'k>,
        call: &Call<'_>,
        got: dogpile_plugin_api::Result<Option<Value>>,
    ) -> First<'k, T> {
        let judged = region.and_then(|region| {
            let found = self.judge_read::<T, F>(region, &key, call, got)?;
            Ok((region, found))
        });
        match judged {
            Ok((_, Found::Fresh(object))) => {
                self.slot().stats.count(Count::Hit);
                Ok(object)
            }
            Ok((region, found)) => self.not_fresh(region, key, found),
            Err(error) => {
                self.count_unread(&error, 1);
                Err(Box::new(Err(self.ended(error))))
            }
        }
    }

    #[inline]
    pub(super) fn terms<'a>(&self, region: &'a Configured, call: &Call<'_>) -> Terms<'a> {
        Terms {
            region,
            expiration_time: call.expiration_time,
            now: self.clock().coarse(),
        }
    }

    /// Without a read, as if nothing was there.
    pub(super) fn begin_anew<'k, T: Send + Sync + 'static>(
        &self,
        key: &'k str,
    ) -> Result<Passage<'k, T>> {
        let begun = self.current().and_then(|region| {
            let key = BackendKey::new(&region, key)?;
            let found = Found::Miss(MissReason::Absent);
            Ok(passage(&region, key, found))
        });
        begun.map_err(|error| self.ended(error))
    }

    /// One more read of a call that has read before, and is counted already.
    async fn begin_again<'k, T: Send + Sync + 'static, F: Form<T>>(
        &self,
        way: Way,
        key: &'k str,
        call: &Call<'_>,
    ) -> Result<Passage<'k, T>> {
        let begun = async {
            let region = self.current()?;
            let key = BackendKey::new(&region, key)?;
            let got = self
                .call_with_key(way, &region.instance, &key, |instance, key| {
                    instance.backend.get(key)
                })
                .await;
            let found = self.judge_read::<T, F>(&region, &key, call, got)?;
            Ok(passage(&region, key, found))
        };
        begun.await.map_err(|error| self.ended(error))
    }

    #[cold]
    fn not_fresh<'k, T: Send + Sync + 'static>(
        &self,
        region: &Configured,
        key: BackendKey<'k>,
        found: Found<T>,
    ) -> First<'k, T> {
        self.count_miss(&key, &found);
        match found {
            Found::Held(object) => Ok(object),
            found => Err(Box::new(Ok(passage(region, key, found)))),
        }
    }

    pub(super) fn count_miss<T: Send + Sync + 'static>(
        &self,
        key: &BackendKey<'_>,
        found: &Found<T>,
    ) {
        if let Some(reason) = found.reason() {
            self.slot().stats.count(reason.count());
            tracing::debug!(target: "dogpile.cache", region = self.name(), key = key.shown(), ?reason, "no fresh value");
        }
    }

    /// A first read that failed, and so ended its call, is a miss of each of its keys.
    #[cold]
    pub(super) fn count_unread(&self, error: &Error, keys: usize) {
        let cause = error.source().and_then(|cause| cause.downcast_ref());
        if error.kind() == ErrorKind::Backend
            && let Some(reason) = cause.map(unread)
        {
            for _ in 0..keys {
                self.slot().stats.count(reason.count());
            }
        }
    }

    /// The rest of `get_or_create`: the lock, the creator and the store.
    ///
    /// The snapshot is taken anew for each backend call. If the region was given another instance meanwhile, the
    /// passage begins again there, unless the value is created already: then it goes to who waits, and is not stored.
    pub(super) async fn pass<'k, T, F, G, S, Timer>(
        &self,
        mut passage: Passage<'k, T>,
        key: &'k str,
        call: &Call<'_>,
        goal: &mut G,
        waiting: Waiting<Timer>,
    ) -> Result<Cached<T>>
    where
        T: Send + Sync + 'static,
        F: Form<T>,
        G: Goal<T>,
        S: Future<Output = ()>,
        Timer: Fn(Duration) -> S,
    {
        self.refuse_record(&passage.key)
            .map_err(|error| self.ended(error))?;
        let mut mismatched = false;
        let began = Instant::now();
        // A creation that began before this is not what the caller may get any more, though it waits for it.
        let wanted = Wanted::begun_after(self, goal.since());
        loop {
            let Passage {
                creations,
                key: backend_key,
                found,
                wait,
                retry_after,
            } = passage;
            let beneath = Beneath::found(self, &found);
            let first = found.into_reading();
            let mut creating = Creating::<T, F, G>::new(
                self,
                &creations,
                key,
                &backend_key,
                call,
                goal,
                waiting.way,
            )
            .over(beneath);
            let left = wait.map(|wait| wait.saturating_sub(began.elapsed()));
            let request = Request {
                hash: backend_key.hash(),
                key: backend_key.text(),
                first,
                wait: left,
                retry: retry_after.map(|after| Retry {
                    after,
                    clock: self.clock(),
                }),
            };
            let outcome = creations
                .get_or_create_async(request, &mut creating, &waiting.timer)
                .await;
            let is_refused = match &outcome {
                Ok(outcome) => wanted.refuses(outcome),
                Err(LockError::Creation(failure)) => failure.attempt().is_some_and(|attempt| {
                    wanted.refuses_attempt(attempt) && !creating.is_own(attempt)
                }),
                Err(_) => false,
            };
            drop(creating);
            match outcome {
                _ if is_refused => {}
                Ok(Outcome { value, source }) => match Object::from_value(value) {
                    Ok(object) => return Ok(self.passed(object, source, began)),
                    // The caller waited for created it as another type: what is stored is read once more.
                    Err(_) if !mismatched => mismatched = true,
                    Err(_) => return Err(self.mismatch::<T>(key)),
                },
                Err(LockError::Creation(Failure::Replaced)) => {}
                Err(error) => return Err(self.failed(error, wait, began)),
            }
            passage = if goal.newer_than() == u64::MAX {
                self.begin_anew(key)?
            } else {
                self.begin_again::<T, F>(waiting.way, key, call).await?
            };
        }
    }

    /// A call has a value, for which it waited since then if it did.
    pub(super) fn passed<T: Send + Sync + 'static>(
        &self,
        object: Object<T>,
        source: Source,
        since: Instant,
    ) -> Cached<T> {
        let stats = &self.slot().stats;
        match source {
            Source::Stale => stats.count(Count::Stale),
            Source::Waited => {
                stats.count(Count::Wait);
                stats.wait_times.observe(since.elapsed().as_secs_f64());
            }
            Source::Fresh | Source::Created => {}
        }
        self.cached(object, source)
    }

    /// Judges what a backend call gave. An error counts as a miss, unless the value was held that was created while the
    /// backend failed; or it ends the call, as `on_backend_error` says.
    pub(super) fn judge_read<T: Send + Sync + 'static, F: Form<T>>(
        &self,
        region: &Configured,
        key: &BackendKey<'_>,
        call: &Call<'_>,
        got: dogpile_plugin_api::Result<Option<Value>>,
    ) -> Result<Found<T>> {
        match got {
            Ok(Some(value)) => {
                let found = examine::<T, F>(value, key.key(), &self.terms(region, call));
                if found.is_foreign() {
                    self.found_foreign(region, key);
                }
                Ok(found)
            }
            Ok(None) => Ok(Found::Miss(MissReason::Absent)),
            Err(error) => {
                let reason = unread(&error);
                self.backend_failed(region, call, "get", error)?;
                let spare = self.spare::<T, F>(region, key, call);
                Ok(spare.unwrap_or(Found::Miss(reason)))
            }
        }
    }

    /// The value that was created while the backend failed, and is fresh.
    pub(super) fn spare<T: Send + Sync + 'static, F: Form<T>>(
        &self,
        region: &Configured,
        key: &BackendKey<'_>,
        call: &Call<'_>,
    ) -> Option<Found<T>> {
        let value = region.instance.spare.get(&key.key(), self.clock())?;
        let found = examine::<T, F>(value, key.key(), &self.terms(region, call));
        match found {
            Found::Fresh(object) => Some(Found::Held(object)),
            _ => None,
        }
    }

    #[cold]
    pub(super) fn failed(
        &self,
        error: LockError<Failure>,
        wait: Option<Duration>,
        since: Instant,
    ) -> Error {
        let kind = match error {
            LockError::Creation(Failure::Error(error, _)) => return self.ended(error),
            LockError::Circle(_) => ErrorKind::Circle,
            _ => ErrorKind::LockWait,
        };
        if kind == ErrorKind::LockWait {
            let waited = since.elapsed().as_secs_f64();
            self.slot().stats.wait_times.observe(waited);
        }
        // Of the whole call, not of its last wait.
        let error = match (error, wait) {
            (LockError::TimedOut(_), Some(wait)) => LockError::TimedOut(wait),
            (error, _) => error,
        };
        let message = format!("region `{}`: {error}", self.name());
        self.ended(Error::new(kind, message))
    }

    #[cold]
    pub(super) fn mismatch<T>(&self, key: &str) -> Error {
        self.ended(Error::new(
            ErrorKind::TypeMismatch,
            format!(
                "region `{}`: callers of key {:?} keep creating it as another type than {}; use one type for a \
                 key, or a namespace in the key for each type",
                self.name(),
                shown(key),
                std::any::type_name::<T>()
            ),
        ))
    }
}

/// How long a call waits for others. Within a creator, on a storage that other processes share, there is always an end:
/// a circle of waits through another process would have none.
pub(super) fn patience(region: &Configured) -> Option<Duration> {
    let own = region.config.lock_wait;
    let may_be_a_circle = region.instance.properties.shared && dogpile_lock::in_creation();
    own.or_else(|| may_be_a_circle.then_some(region.config.lock_timeout))
}

fn passage<'k, T>(region: &Configured, key: BackendKey<'k>, found: Found<T>) -> Passage<'k, T> {
    Passage {
        creations: region.instance.creations.clone(),
        key,
        found,
        wait: patience(region),
        retry_after: region.retry_after(),
    }
}
