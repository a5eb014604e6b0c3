//! A call that found no fresh value: through the lock, the creator and the store.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use dogpile_lock::{LockError, Operation, Outcome, Reading, Source};
use dogpile_plugin_api::{Object, Value};

use super::Region;
use super::cached::Cached;
use super::call::Call;
use super::form::Form;
use super::mangle::BackendKey;
use super::read::{Found, Terms, examine, fresh};
use super::store::{object, store};
use crate::instance::{Creations, Failure};
use crate::registry::{Configured, Snapshot, configured};
use crate::slot::{Count, MissReason};
use crate::{Error, ErrorKind, Result};

/// What a caller brings: how to create the value, and whether to keep it.
pub(crate) struct Creator<'a, T> {
    pub(crate) create: &'a mut dyn FnMut() -> Result<T>,
    pub(crate) should_cache: &'a dyn Fn(&T) -> bool,
}

/// A call that has read, and found no fresh value.
pub(super) struct Passage<'k, T> {
    creations: Arc<Creations>,
    key: BackendKey<'k>,
    found: Found<T>,
    wait: Option<Duration>,
}

/// The first read: a fresh value, or what comes then, in a box so that a hit moves no more than a pointer.
pub(super) type First<'k, T> = Result<Object<T>, Box<Result<Passage<'k, T>>>>;

impl Region {
    /// The first read.
    ///
    /// A hit on an object under a plain key is judged here, in line with its caller and with the snapshot pinned; all
    /// else by `judge_first`.
    #[inline]
    pub(super) fn begin<'k, T: Send + Sync + 'static, F: Form<T>>(
        &self,
        key: &'k str,
        call: &Call,
    ) -> First<'k, T> {
        let Some(pin) = self.registry().pin() else {
            return self.begin_unpinned::<T, F>(key, call);
        };
        let Some(region) = pin.plain_region(self.slot().number) else {
            drop(pin);
            return self.begin_unpinned::<T, F>(key, call);
        };
        let key = BackendKey::plain(key);
        let got = match region.instance.backend.get(&key.key()) {
            Ok(Some(value)) => match fresh::<T>(value, &self.terms(region, call)) {
                Ok(object) => {
                    self.slot().stats.count_pinned_hit(&pin);
                    return Ok(object);
                }
                Err(value) => Ok(Some(value)),
            },
            other => other,
        };
        self.judge_first::<T, F>(&pin.release(), key, call, got)
    }

    #[inline(never)]
    fn begin_unpinned<'k, T: Send + Sync + 'static, F: Form<T>>(
        &self,
        key: &'k str,
        call: &Call,
    ) -> First<'k, T> {
        let snapshot = self.registry().load();
        let begun = configured(&snapshot, self.slot()).and_then(|region| {
            let key = BackendKey::new(region, key)?;
            let got = region.instance.backend.get(&key.key());
            Ok((key, got))
        });
        match begun {
            Ok((key, got)) => self.judge_first::<T, F>(&snapshot, key, call, got),
            Err(error) => Err(Box::new(Err(self.ended(error)))),
        }
    }

    #[inline(never)]
    fn judge_first<'k, T: Send + Sync + 'static, F: Form<T>>(
        &self,
        snapshot: &Snapshot,
        key: BackendKey<'k>,
        call: &Call,
        got: dogpile_plugin_api::Result<Option<Value>>,
    ) -> First<'k, T> {
        let judged = configured(snapshot, self.slot()).and_then(|region| {
            let found = self.judge_read::<T, F>(region, &key, call, got)?;
            Ok((region, found))
        });
        match judged {
            Ok((_, Found::Fresh(object))) => {
                self.slot().stats.count(Count::Hit);
                Ok(object)
            }
            Ok((region, found)) => Err(Box::new(Ok(self.not_fresh(region, key, found)))),
            Err(error) => Err(Box::new(Err(self.ended(error)))),
        }
    }

    #[inline]
    fn terms<'a>(&self, region: &'a Configured, call: &Call) -> Terms<'a> {
        Terms {
            region,
            expiration_time: call.expiration_time,
            now: self.clock().coarse(),
        }
    }

    #[cold]
    fn not_fresh<'k, T>(
        &self,
        region: &Configured,
        key: BackendKey<'k>,
        found: Found<T>,
    ) -> Passage<'k, T> {
        if let Found::Stale(_, reason) | Found::Miss(reason) = &found {
            self.slot().stats.count(reason.count());
            tracing::debug!(target: "dogpile.cache", region = self.name(), key = key.shown(), ?reason, "no fresh value");
        }
        Passage {
            creations: Arc::clone(&region.instance.creations),
            key,
            found,
            wait: region.config.lock_wait,
        }
    }

    /// The rest of `get_or_create`: the lock, the creator and the store.
    ///
    /// The snapshot is taken anew for each backend call. If the region was given another instance meanwhile, the
    /// passage begins again there, unless the value is created already: then it goes to who waits, and is not stored.
    #[cold]
    pub(super) fn pass<'k, T: Send + Sync + 'static, F: Form<T>>(
        &self,
        mut passage: Passage<'k, T>,
        key: &'k str,
        call: &Call,
        creator: &mut Creator<'_, T>,
    ) -> Result<Cached<T>> {
        let mut mismatched = false;
        // A creation that began before this is not what the caller may get any more, though it waits for it.
        let outdated_before = self.slot().invalidations.outdated().hard;
        loop {
            let Passage {
                creations,
                key: backend_key,
                found,
                wait,
            } = passage;
            let mut operation = Creating::<T, F> {
                region: self,
                creations: &creations,
                own_key: key,
                key: &backend_key,
                call,
                creator,
                form: PhantomData,
            };
            let first = found.into_reading();
            let outcome = creations.get_or_create(
                backend_key.hash(),
                backend_key.text(),
                first,
                &mut operation,
                wait,
            );
            match outcome {
                Ok(Outcome {
                    value,
                    source: Source::Waited,
                }) if value.metadata().started <= outdated_before => {}
                Ok(Outcome { value, source }) => match Object::from_value(value) {
                    Ok(object) => return Ok(self.passed(object, source)),
                    // The caller waited for created it as another type: what is stored is read once more.
                    Err(_) if !mismatched => mismatched = true,
                    Err(_) => return Err(self.mismatch::<T>(key)),
                },
                Err(LockError::Creation(Failure::Replaced)) => {}
                Err(error) => return Err(self.failed(error)),
            }
            passage = match self.begin::<T, F>(key, call) {
                Ok(object) => return Ok(Cached::new(object, Source::Fresh)),
                Err(passage) => (*passage)?,
            };
        }
    }

    fn passed<T: Send + Sync + 'static>(&self, object: Object<T>, source: Source) -> Cached<T> {
        match source {
            Source::Stale => self.slot().stats.count(Count::Stale),
            Source::Waited => self.slot().stats.count(Count::Wait),
            Source::Fresh | Source::Created => {}
        }
        Cached::new(object, source)
    }

    /// Judges what a backend call gave. An error counts as a miss, or ends the call, as `on_backend_error` says.
    pub(super) fn judge_read<T: Send + Sync + 'static, F: Form<T>>(
        &self,
        region: &Configured,
        key: &BackendKey<'_>,
        call: &Call,
        got: dogpile_plugin_api::Result<Option<Value>>,
    ) -> Result<Found<T>> {
        match got {
            Ok(Some(value)) => Ok(examine::<T, F>(value, key.key(), &self.terms(region, call))),
            Ok(None) => Ok(Found::Miss(MissReason::Absent)),
            Err(error) => {
                self.backend_failed(region, "get", error)?;
                Ok(Found::Miss(MissReason::BackendError))
            }
        }
    }

    #[cold]
    fn failed(&self, error: LockError<Failure>) -> Error {
        let kind = match error {
            LockError::Creation(Failure::Error(error)) => return self.ended(error),
            LockError::Circle(_) => ErrorKind::Circle,
            _ => ErrorKind::LockWait,
        };
        let message = format!("region `{}`: {error}", self.name());
        self.ended(Error::new(kind, message))
    }

    #[cold]
    fn mismatch<T>(&self, key: &str) -> Error {
        self.ended(Error::new(
            ErrorKind::TypeMismatch,
            format!(
                "region `{}`: callers of key {key:?} keep creating it as another type than {}; use one type for a \
                 key, or a namespace in the key for each type",
                self.name(),
                std::any::type_name::<T>()
            ),
        ))
    }
}

/// A creation's two steps, as the lock calls them.
struct Creating<'a, 'c, T, F> {
    region: &'a Region,
    creations: &'a Arc<Creations>,
    /// As the caller spells it, and as the backend did when the passage began.
    own_key: &'a str,
    key: &'a BackendKey<'a>,
    call: &'a Call,
    creator: &'a mut Creator<'c, T>,
    form: PhantomData<F>,
}

impl<T: Send + Sync + 'static, F: Form<T>> Creating<'_, '_, T, F> {
    /// Whether the region still has the instance and the key that this passage began with.
    fn is_current(&self, region: &Configured) -> bool {
        Arc::ptr_eq(&region.instance.creations, self.creations)
            && BackendKey::new(region, self.own_key).is_ok_and(|key| key.text() == self.key.text())
    }
}

impl<T: Send + Sync + 'static, F: Form<T>> Operation for Creating<'_, '_, T, F> {
    type Value = Value;
    type Error = Failure;

    fn read_again(&mut self) -> Result<Reading<Value>, Failure> {
        let snapshot = self.region.registry().load();
        let region = configured(&snapshot, self.region.slot()).map_err(Failure::Error)?;
        if !self.is_current(region) {
            return Err(Failure::Replaced);
        }
        let got = region.instance.backend.get_fresh(&self.key.key());
        let found = self
            .region
            .judge_read::<T, F>(region, self.key, self.call, got);
        Ok(found.map_err(Failure::Error)?.into_reading())
    }

    fn create(&mut self) -> Result<Value, Failure> {
        let started = self.region.slot().invalidations.start(self.region.clock());
        let value = (self.creator.create)().map_err(Failure::Error)?;
        let keep = (self.creator.should_cache)(&value);
        self.region.slot().stats.count(Count::Creation);
        let snapshot = self.region.registry().load();
        let region = configured(&snapshot, self.region.slot()).map_err(Failure::Error)?;
        let object = object(self.region, region, self.key, self.call, started, value);
        // What was created for an instance that is gone is stored nowhere.
        if keep && self.is_current(region) {
            store::<T, F>(self.region, region, self.key, &object).map_err(Failure::Error)?;
        }
        Ok(object.into_value())
    }
}
