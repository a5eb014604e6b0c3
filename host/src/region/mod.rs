//! Regions: what an application calls.

mod asynchronous;
mod background;
mod beneath;
mod cached;
mod call;
mod creating;
mod deferred;
mod entry;
mod envelope;
mod explain;
mod foreign;
mod form;
mod goal;
mod invalidate;
mod keep;
mod key;
mod key_mutex;
mod mangle;
mod metadata;
mod multi;
mod multi_creating;
mod multi_passage;
mod multi_read;
mod multi_refresh;
mod multi_set;
mod notes;
mod objects;
mod passage;
mod payload;
mod ping;
mod read;
mod reserved;
mod store;
mod together;
mod told;
mod usual_envelope;
mod wanted;
mod way;

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dogpile_lock::{Blocking, Clock, Source};
use dogpile_plugin_api::{BackendStats, ErrorKind as PluginErrorKind, Key, Object};

pub use dogpile_plugin_api::Expiration;

pub use self::background::{Background, BackgroundAsync};
pub use self::cached::Cached;
pub use self::entry::Entry;
pub use self::explain::{
    ExplainedInvalidation, ExplainedLock, ExplainedOutcome, ExplainedReason, ExplainedValue,
    Explanation,
};
pub use self::form::Cacheable;
pub use self::key::CacheKey;
pub(crate) use self::mangle::BackendKey;
pub use self::metadata::ValueMetadata;
pub use self::multi::Entries;
pub use self::objects::Objects;
pub use self::payload::Payload;

use self::call::Call;
use self::creating::Goal;
use self::form::{Form, Serde};
use self::goal::Once;
use self::keep::Always;
use self::passage::{Passage, Waiting};
use self::way::{Way, delay};
use crate::blame::told;
use crate::engine::Engine;
use crate::events::CreatedEvent;
use crate::instance::Instance;
use crate::key_generator::KeyGenerator;
use crate::manifest::OnBackendError;
use crate::pool;
use crate::registry::{Configured, Current, Registry, configured};
use crate::serializer::Serializer;
use crate::slot::{Hold, RegionStats, Slot};
use crate::{Error, ErrorKind, Result};

/// A handle to a region: a cache with a backend, an expiration time and a dogpile lock for each key.
///
/// Cheap to clone and to share between threads. It follows every reload of the manifest and keeps the host alive; a
/// region that handles hold cannot be removed from the manifest.
///
/// When many callers want the same missing or expired value at once, one of them runs its creator. The others are
/// served the previous value if it may still be served (`max_stale`), or wait for the new one.
///
/// ```
/// # use dogpile::{Host, RegionConfig};
/// # use std::time::Duration;
/// # let host = Host::builder()
/// #     .plugin(dogpile_plugin_memory::plugin())
/// #     .region(RegionConfig::on("users", "memory").expiration_time(Duration::from_secs(300)))
/// #     .build()?;
/// let users = host.region("users")?;
/// let name = users.get_or_create("user:42", || String::from("Ada"))?;
/// assert_eq!(*name, "Ada");
/// # Ok::<(), dogpile::Error>(())
/// ```
#[derive(Clone)]
pub struct Region {
    hold: Hold,
    engine: Arc<Engine>,
    /// What must live for as long as the handle does.
    _host: Arc<dyn Any + Send + Sync>,
}

impl Region {
    pub(crate) fn new(
        slot: Arc<Slot>,
        engine: Arc<Engine>,
        host: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        Self {
            hold: Hold::new(slot),
            engine,
            _host: host,
        }
    }

    /// The region's name.
    pub fn name(&self) -> &str {
        &self.slot().name
    }

    /// Whether it has a backend: regions that were declared get one when they are configured.
    pub fn is_configured(&self) -> bool {
        self.registry().load().region(self.slot().number).is_some()
    }

    /// The fresh value of `key`; or the one that `creator` makes, which is stored; or, while another caller makes
    /// one, the previous value if it may still be served. Without one it blocks until the other is done.
    ///
    /// The creator runs on this thread, at most once. A panic in it goes to this caller, and the next one that waits
    /// takes over.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::LockWait`] and [`ErrorKind::Circle`] instead of waiting; [`ErrorKind::Backend`] if the backend
    /// fails and the region's `on_backend_error` is `"fail"`; the creator's error if it was another caller's, by
    /// [`Region::try_get_or_create`]; [`ErrorKind::Serializer`] if the value cannot be written.
    #[inline]
    pub fn get_or_create<T: Cacheable>(
        &self,
        key: impl CacheKey,
        creator: impl FnOnce() -> T,
    ) -> Result<Cached<T>> {
        let goal = Once::new(|| ready(Ok(creator())), Always);
        self.fetch::<T, Serde>(&key.cache_key(), Call::PLAIN, goal)
    }

    /// Like [`Region::get_or_create`], with a creator that can fail. All who wait for a creation that fails get its
    /// error, but for those who came after a deletion or hard invalidation that it began before; nothing is stored, and the
    /// next call creates at once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Creator`], from which [`Error::creator`] gives the creator's own; and those of
    /// [`Region::get_or_create`].
    #[inline]
    pub fn try_get_or_create<T: Cacheable, E: Into<Box<dyn StdError + Send + Sync>>>(
        &self,
        key: impl CacheKey,
        creator: impl FnOnce() -> Result<T, E>,
    ) -> Result<Cached<T>> {
        let goal = Once::new(|| ready(creator().map_err(creator_failed)), Always);
        self.fetch::<T, Serde>(&key.cache_key(), Call::PLAIN, goal)
    }

    /// A call with options of its own.
    pub fn entry<'a, K: CacheKey + ?Sized>(&'a self, key: &'a K) -> Entry<'a> {
        Entry::new(self, key.cache_key())
    }

    /// Creates the value of `key` anew and stores it, whatever is there, also what Python pickled. A creation
    /// under way is waited for first. The value of one that begins after this call has, such as another refresh, will do.
    ///
    /// # Errors
    ///
    /// As [`Region::get_or_create`].
    pub fn refresh<T: Cacheable>(
        &self,
        key: impl CacheKey,
        creator: impl FnOnce() -> T,
    ) -> Result<Cached<T>> {
        self.entry(&key).refresh(creator)
    }

    /// As [`Region::refresh`], with a creator that can fail: then what is stored stays.
    ///
    /// # Errors
    ///
    /// As [`Region::try_get_or_create`].
    pub fn try_refresh<T: Cacheable, E: Into<Box<dyn StdError + Send + Sync>>>(
        &self,
        key: impl CacheKey,
        creator: impl FnOnce() -> Result<T, E>,
    ) -> Result<Cached<T>> {
        self.entry(&key).try_refresh(creator)
    }

    /// The fresh value of `key`, if there is one. Never waits for a creation.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Backend`] if the backend fails and the region's `on_backend_error` is `"fail"`.
    pub fn get<T: Cacheable>(&self, key: impl CacheKey) -> Result<Option<Cached<T>>> {
        self.look::<T, Serde>(&key.cache_key(), Call::PLAIN)
    }

    /// Stores `value`, as created now, whatever is there: also over what Python pickled. A creation of `key` that is under
    /// way in this process goes to who waits for it already, but is not stored over `value`, nor if storing `value` fails.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Serializer`] if it cannot be written; [`ErrorKind::Backend`] if the backend fails and the region's
    /// `on_backend_error` is `"fail"`.
    pub fn set<T: Cacheable>(&self, key: impl CacheKey, value: T) -> Result<Cached<T>> {
        self.put::<T, Serde>(&key.cache_key(), Call::PLAIN, value)
    }

    /// Removes `key`; no error if it was not there. A creation of it that is under way in this process goes to who waits
    /// for it already, but is not stored; who comes later has it created anew. What another process is creating is stored
    /// all the same unless the backend's documentation says otherwise: [`Region::invalidate`] outdates that too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Backend`], whatever `on_backend_error` says: the caller must know that the value may be there.
    pub fn delete(&self, key: impl CacheKey) -> Result<()> {
        Blocking::new().on(self.delete_on(Way::Here, &key.cache_key()))
    }

    /// Removes everything that the region's backend holds, where the backend can. What this process is creating in it is
    /// treated as [`Region::delete`] does with one key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Backend`] if it cannot or fails.
    pub fn clear(&self) -> Result<()> {
        Blocking::new().on(self.clear_on(Way::Here))
    }

    /// Whether somebody creates `key` at this moment: in this process or, where the backend has a mutex, anywhere.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Backend`] if the backend's mutex cannot be asked.
    pub fn key_is_locked(&self, key: impl CacheKey) -> Result<bool> {
        let snapshot = self.registry().load();
        let region = configured(&snapshot, self.slot())?;
        let text = key.cache_key();
        let key = BackendKey::new(region, &text)?;
        if region
            .instance
            .creations
            .is_creating(key.hash(), key.text())
        {
            return Ok(true);
        }
        let mutex = region.instance.backend.mutex(&key.key());
        let locked = mutex.and_then(|mutex| mutex.map_or(Ok(false), |mutex| mutex.is_locked()));
        locked.map_err(|error| self.call_failed(region, "mutex", error))
    }

    /// When the value of `key` was created, how old it is and when it may be dropped, fresh or not; `None` if there
    /// is none that dogpile wrote.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Backend`] if the backend fails.
    pub fn get_value_metadata(&self, key: impl CacheKey) -> Result<Option<ValueMetadata>> {
        let snapshot = self.registry().load();
        let region = configured(&snapshot, self.slot())?;
        let text = key.cache_key();
        let key = BackendKey::new(region, &text)?;
        let got = region.instance.backend.get(&key.key());
        let value = got.map_err(|error| self.call_failed(region, "get", error))?;
        Ok(value.and_then(|value| ValueMetadata::of(&value, self.clock().exact())))
    }

    /// The region for values that are not serde types, in a backend that holds objects. From then on the region
    /// cannot be moved to a backend that holds bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotObjects`] if its backend holds bytes.
    pub fn objects(&self) -> Result<Objects<'_>> {
        Objects::new(self)
    }

    /// Gives the region a serializer of the program's own, in place of the configured one, over all reloads, until another is
    /// set; the configured one does not come back. It concerns regions whose backend holds bytes, and
    /// what [`Region::get_payload`] gives of objects. Values that are there already are misses from now on, unless the serializer's name is theirs.
    ///
    /// The command `dogpile` has no part in this where it opens the region itself, without a running host: it prints
    /// such payloads as they are, and what it stores is written by the configured serializer.
    pub fn set_serializer(&self, serializer: impl Serializer) {
        self.slot().set_serializer(Box::new(serializer));
    }

    /// Tells what a value of type `T` weighs, in bytes, for backends with a limit in bytes. Without, and for other
    /// types, an object weighs what its own allocation does: header, key and the value itself, without what it owns
    /// elsewhere. Holds for values created from now on, over all reloads.
    pub fn set_weigher<T: 'static>(&self, weigher: impl Fn(&T) -> u32 + Send + Sync + 'static) {
        let weigh = move |value: &dyn Any| value.downcast_ref().map(|value| weigher(value).max(1));
        let replaced = self.slot().weigher.write().replace(Arc::new(weigh));
        // It may run the program's own code: not under the lock.
        drop(replaced);
    }

    /// How the keys of `#[cached]` functions in this region are made, by all handles and from now on, until another
    /// is set: [`RustKeys`](crate::RustKeys) is what a region starts with. Functions with a generator of their own keep
    /// that.
    pub fn set_function_key_generator(&self, generator: impl KeyGenerator) {
        self.slot().key_generators.set_function(generator);
    }

    /// How the keys of `#[cached_multi]` functions in this region are made. The generator is asked for one key at a
    /// time.
    pub fn set_function_multi_key_generator(&self, generator: impl KeyGenerator) {
        self.slot().key_generators.set_function_multi(generator);
    }

    /// What the region has counted since the host started.
    pub fn stats(&self) -> RegionStats {
        self.slot().stats.read()
    }

    /// How much the region's backend holds, as far as it knows.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Backend`] if it fails.
    pub fn backend_stats(&self) -> Result<BackendStats> {
        let snapshot = self.registry().load();
        let region = configured(&snapshot, self.slot())?;
        let stats = region.instance.backend.stats();
        stats.map_err(|error| self.call_failed(region, "stats", error))
    }

    #[inline]
    fn fetch<T: Send + Sync + 'static, F: Form<T>>(
        &self,
        key: &str,
        call: &Call<'_>,
        goal: impl Goal<T>,
    ) -> Result<Cached<T>> {
        match self.begin::<T, F>(key, call) {
            Ok(object) => Ok(self.cached(object, Source::Fresh)),
            Err(passage) => self.create::<T, F>(*passage, key, call, goal),
        }
    }

    #[cold]
    #[inline(never)]
    fn create<'k, T: Send + Sync + 'static, F: Form<T>>(
        &self,
        passage: Result<Passage<'k, T>>,
        key: &'k str,
        call: &Call<'_>,
        mut goal: impl Goal<T>,
    ) -> Result<Cached<T>> {
        let blocking = Blocking::asleep_in(pool::asleep);
        let waiting = Waiting {
            way: Way::Here,
            timer: |wait| blocking.deadline(wait),
        };
        blocking.on(self.pass::<T, F, _, _, _>(passage?, key, call, &mut goal, waiting))
    }

    /// As `fetch`, for a caller whose thread must not block.
    async fn fetch_async<T: Send + Sync + 'static, F: Form<T>>(
        &self,
        key: &str,
        call: &Call<'_>,
        mut goal: impl Goal<T>,
    ) -> Result<Cached<T>> {
        match self.begin_on::<T, F>(Way::Pool, key, call).await {
            Ok(object) => Ok(self.cached(object, Source::Fresh)),
            Err(passage) => {
                let waiting = Waiting {
                    way: Way::Pool,
                    timer: delay,
                };
                let pass = self.pass::<T, F, _, _, _>((*passage)?, key, call, &mut goal, waiting);
                // A hit is spared its size, and a creator that calls for other keys the sum of theirs.
                Box::pin(pass).await
            }
        }
    }

    /// Creates whatever is there: nothing is read first.
    fn renew<T: Send + Sync + 'static, F: Form<T>>(
        &self,
        key: &str,
        call: &Call<'_>,
        goal: impl Goal<T>,
    ) -> Result<Cached<T>> {
        self.create::<T, F>(self.begin_anew(key), key, call, goal)
    }

    async fn renew_async<T: Send + Sync + 'static, F: Form<T>>(
        &self,
        key: &str,
        call: &Call<'_>,
        mut goal: impl Goal<T>,
    ) -> Result<Cached<T>> {
        let waiting = Waiting {
            way: Way::Pool,
            timer: delay,
        };
        let passage = self.begin_anew(key)?;
        let pass = self.pass::<T, F, _, _, _>(passage, key, call, &mut goal, waiting);
        Box::pin(pass).await
    }

    async fn look_on<T: Send + Sync + 'static, F: Form<T>>(
        &self,
        way: Way,
        key: &str,
        call: &Call<'_>,
    ) -> Result<Option<Cached<T>>> {
        match self.begin_on::<T, F>(way, key, call).await {
            Ok(object) => Ok(Some(self.cached(object, Source::Fresh))),
            Err(passage) => passage.map(|_| None),
        }
    }

    fn look<T: Send + Sync + 'static, F: Form<T>>(
        &self,
        key: &str,
        call: &Call<'_>,
    ) -> Result<Option<Cached<T>>> {
        match self.begin::<T, F>(key, call) {
            Ok(object) => Ok(Some(self.cached(object, Source::Fresh))),
            Err(passage) => passage.map(|_| None),
        }
    }

    async fn put_on<T: Send + Sync + 'static, F: Form<T>>(
        &self,
        way: Way,
        key: &str,
        call: &Call<'_>,
        value: T,
    ) -> Result<Cached<T>> {
        let put = async {
            let region = self.current()?;
            let key = BackendKey::new(&region, key)?;
            self.refuse_record(&key)?;
            let started = self.slot().invalidations.start(self.clock());
            let object = store::object(self, &region, &key, call, self.ends_now(started), value);
            let stored = store::stored_form::<T, F>(self, &region, &key, &object)?;
            let set = move |instance: &Arc<Instance>, key: &Key<'_>| {
                instance.creations.delete(key.hash(), key);
                creating::set(instance, key, &stored, None)
            };
            let outcome = self.call_with_key(way, &region.instance, &key, set).await;
            self.after_store(
                &region,
                call,
                &key,
                (object.as_value(), false, None),
                Some(outcome),
            )?;
            Ok(self.cached(object, Source::Created))
        };
        put.await.map_err(|error| self.ended(error))
    }

    fn put<T: Send + Sync + 'static, F: Form<T>>(
        &self,
        key: &str,
        call: &Call<'_>,
        value: T,
    ) -> Result<Cached<T>> {
        Blocking::new().on(self.put_on::<T, F>(Way::Here, key, call, value))
    }

    async fn delete_on(&self, way: Way, key: &str) -> Result<()> {
        let region = self.current()?;
        let key = BackendKey::new(&region, key)?;
        self.refuse_record(&key)
            .map_err(|error| self.ended(error))?;
        let delete = |instance: &Arc<Instance>, key: &Key<'_>| {
            instance.creations.delete(key.hash(), key);
            instance.spare.forget(key);
            instance.backend.delete(key)
        };
        let deleted = self
            .call_with_key(way, &region.instance, &key, delete)
            .await;
        deleted.map_err(|error| self.call_failed(&region, "delete", error))
    }

    async fn clear_on(&self, way: Way) -> Result<()> {
        let region = self.current()?;
        let instance = Arc::clone(&region.instance);
        let clear = move || {
            instance.creations.delete_all();
            instance.spare.clear();
            instance.backend.clear()
        };
        let cleared = self.call_instance(way, &region.instance, clear).await;
        cleared.map_err(|error| self.call_failed(&region, "clear", error))
    }

    /// The region as it is configured now.
    fn current(&self) -> Result<Current> {
        self.registry().current(self.slot())
    }

    /// Counts a call that ends with an error.
    #[cold]
    fn ended(&self, error: Error) -> Error {
        self.slot().stats.count_error(error.kind());
        if error.kind() == ErrorKind::RegionNotConfigured {
            self.engine
                .unconfigured_calls
                .fetch_add(1, Ordering::Relaxed);
        }
        error
    }

    /// A creator of `key`, as its caller spells it, gave a value.
    fn tell_created(&self, key: &str, seconds: f64) {
        self.engine.events.created(&CreatedEvent {
            region: self.name(),
            key,
            seconds,
        });
    }

    #[inline]
    pub(crate) fn slot(&self) -> &Arc<Slot> {
        self.hold.slot()
    }

    #[inline]
    pub(crate) fn registry(&self) -> &Registry {
        &self.engine.registry
    }

    #[inline]
    fn clock(&self) -> &'static Clock {
        self.engine.clock
    }

    #[inline]
    fn cached<T: Send + Sync + 'static>(&self, object: Object<T>, source: Source) -> Cached<T> {
        Cached::new(object, self.engine.provenances.of(source))
    }

    /// A failed backend call: logged, and an error only if the region wants it so.
    #[cold]
    fn backend_failed(
        &self,
        region: &Configured,
        call: &Call<'_>,
        method: &str,
        error: dogpile_plugin_api::Error,
    ) -> Result<()> {
        let fail = region.config.on_backend_error == OnBackendError::Fail && !call.bypass;
        // What takes a backend out is logged once, not each call that is not made.
        let suspended = error.kind() == PluginErrorKind::Suspended;
        let log = !suspended && self.slot().may_log(self.clock().coarse());
        // A dead backend costs no text on each call.
        if !fail && !log {
            return Ok(());
        }
        let error = self.backend_error(region, method, error);
        if log {
            tracing::warn!(
                target: "dogpile.cache",
                region = self.name(),
                "{error}; further failures of this region are not logged for a second"
            );
        }
        if fail { Err(error) } else { Ok(()) }
    }

    /// A failed backend call that ends the region's, whatever `on_backend_error` says.
    #[cold]
    fn call_failed(
        &self,
        region: &Configured,
        method: &str,
        error: dogpile_plugin_api::Error,
    ) -> Error {
        self.ended(self.backend_error(region, method, error))
    }

    #[cold]
    fn backend_error(
        &self,
        region: &Configured,
        method: &str,
        error: dogpile_plugin_api::Error,
    ) -> Error {
        let (name, served) = (self.name(), region.instance.title());
        let message = if error.kind() == PluginErrorKind::Suspended {
            let (why, code) = (region.instance.why_out(), error.kind().code());
            format!("region `{name}`: {served} is not called: {why} [{code}]")
        } else {
            let told = told(&error, "give the region another backend");
            format!("region `{name}`: {served} failed in {method}: {told}")
        };
        Error::with_source(ErrorKind::Backend, message, error)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

#[cold]
fn creator_failed<E: Into<Box<dyn StdError + Send + Sync>>>(error: E) -> Error {
    let error = error.into();
    Error::with_source(
        ErrorKind::Creator,
        format!("the creator failed: {error}"),
        error,
    )
}
