//! A template cache on both sides of the boundary.

use std::borrow::Cow;
use std::marker::PhantomData;

use abi_stable::prefix_type::WithMetadata;
use abi_stable::staticref;
use abi_stable::std_types::{RCowStr, ROption};

use super::barrier::done;
use super::failed_drop::FailedDrop;
use crate::abi::{
    RawTemplateCache, RawTemplateEntry, RawValue, TemplateCacheTable, TemplateCacheTableRef, breach,
};
use crate::{
    Decision, Error, Expiration, HostContext, Result, TemplateCache, TemplateChange, TemplateEntry,
    TemplateEvent, TemplateRequest, arguments,
};

const BYPASS: u8 = 0;
const CACHE: u8 = 1;
const REFRESH: u8 = 2;

/// The plugin's side; `state` is a `Box<T>`.
struct Provider<T>(PhantomData<T>);

/// Opens a template cache for the host.
pub(super) fn open<T: TemplateCache>(json: &str, host: HostContext) -> Result<RawTemplateCache> {
    let cache = T::open(arguments::parse(json)?, &host)?;
    Ok(RawTemplateCache {
        state: Box::into_raw(Box::new(cache)).cast_const().cast(),
        table: TemplateCacheTableRef(Provider::<T>::TABLE.as_prefix()),
    })
}

impl<T: TemplateCache> Provider<T> {
    staticref!(const TABLE: WithMetadata<TemplateCacheTable> = WithMetadata::new(TemplateCacheTable {
        decide: Self::decide,
        key_for: Self::key_for,
        template_changed: Self::template_changed,
        ignores_keys: Self::ignores_keys,
        observes: Self::observes,
        observe: Self::observe,
        destroy: Self::destroy,
    }));

    /// # Safety
    ///
    /// `state` is that of an open template cache of this type, as the host calls with it.
    unsafe fn of<'a>(state: *const ()) -> &'a T {
        // SAFETY: by this function's contract.
        unsafe { &*state.cast::<T>() }
    }

    unsafe extern "C" fn decide<'a>(
        state: *const (),
        request: &TemplateRequest<'a>,
        action: &mut u8,
        entry_given: &mut ROption<RawTemplateEntry<'a>>,
    ) -> RawValue {
        done("decide", || {
            // SAFETY: the host calls with the state of an open template cache, as in all methods.
            let decision = unsafe { Self::of(state) }.decide(request)?;
            let (made, entry) = match decision {
                Decision::Bypass => (BYPASS, None),
                Decision::Cache(entry) => (CACHE, Some(entry)),
                Decision::Refresh(entry) => (REFRESH, Some(entry)),
            };
            (*action, *entry_given) = (made, entry.map(raw).into());
            Ok(())
        })
    }

    unsafe extern "C" fn key_for<'a>(
        state: *const (),
        request: &TemplateRequest<'a>,
        entry_given: &mut ROption<RawTemplateEntry<'a>>,
    ) -> RawValue {
        done("key_for", || {
            // SAFETY: as in `decide`.
            let entry = unsafe { Self::of(state) }.key_for(request)?;
            *entry_given = ROption::RSome(raw(entry));
            Ok(())
        })
    }

    unsafe extern "C" fn template_changed(
        state: *const (),
        change: &TemplateChange<'_>,
    ) -> RawValue {
        done("template_changed", || {
            // SAFETY: as in `decide`.
            unsafe { Self::of(state) }.template_changed(change)
        })
    }

    unsafe extern "C" fn ignores_keys(state: *const (), ignores: &mut bool) -> RawValue {
        done("ignores_keys", || {
            // SAFETY: as in `decide`.
            *ignores = unsafe { Self::of(state) }.ignores_keys();
            Ok(())
        })
    }

    unsafe extern "C" fn observes(state: *const (), observes: &mut bool) -> RawValue {
        done("observes", || {
            // SAFETY: as in `decide`.
            *observes = unsafe { Self::of(state) }.observes();
            Ok(())
        })
    }

    unsafe extern "C" fn observe(
        state: *const (),
        request: &TemplateRequest<'_>,
        event: &TemplateEvent<'_>,
    ) -> RawValue {
        done("observe", || {
            // SAFETY: as in `decide`.
            unsafe { Self::of(state) }.observe(request, event)
        })
    }

    unsafe extern "C" fn destroy(state: *const ()) -> RawValue {
        done("drop", || {
            // SAFETY: `open` made the box, and the host destroys it once, after the last call.
            drop(unsafe { Box::from_raw(state.cast::<T>().cast_mut()) });
            Ok(())
        })
    }
}

fn raw(entry: TemplateEntry<'_>) -> RawTemplateEntry<'_> {
    RawTemplateEntry {
        region: entry.region.into(),
        key: entry.key.into(),
        expiration_time: entry.expiration_time.map(Expiration::nanoseconds).into(),
        tags: entry.tags.into_iter().map(RCowStr::from).collect(),
        reserved: [0; 4],
    }
}

/// What the plugin's `method` gave, whose texts are looked at: they go to storages, logs and other plugins.
fn entry<'a>(method: &str, raw: RawTemplateEntry<'a>) -> Result<TemplateEntry<'a>> {
    let texts = [&raw.region, &raw.key].into_iter().chain(&raw.tags);
    for text in texts {
        if let Err(error) = std::str::from_utf8(text.as_bytes()) {
            return Err(breach(
                method,
                &format!("with a text that is not UTF-8: {error}"),
            ));
        }
    }
    let expiration_time = raw.expiration_time.into_option();
    Ok(TemplateEntry {
        region: raw.region.into(),
        key: raw.key.into(),
        expiration_time: expiration_time.map(Expiration::from_nanoseconds),
        tags: raw.tags.into_iter().map(Cow::from).collect(),
    })
}

/// An open template cache of a plugin.
pub struct TemplateCacheInstance {
    raw: RawTemplateCache,
    ignores_keys: bool,
    observes: bool,
    failed_drop: FailedDrop,
}

// SAFETY: what stands behind it is a `TemplateCache`, which is `Send` and `Sync`.
unsafe impl Send for TemplateCacheInstance {}
// SAFETY: as above.
unsafe impl Sync for TemplateCacheInstance {}

impl TemplateCacheInstance {
    /// # Safety
    ///
    /// `raw` was given by a plugin and is used nowhere else.
    pub(super) unsafe fn new(raw: RawTemplateCache) -> Result<Self> {
        let mut instance = Self {
            raw,
            ignores_keys: false,
            observes: false,
            failed_drop: FailedDrop::default(),
        };
        // SAFETY: the state is the plugin's own and not yet destroyed, as in all methods.
        unsafe {
            (raw.table.ignores_keys())(raw.state, &mut instance.ignores_keys)
                .take_nothing("ignores_keys")?;
        }
        // SAFETY: as above.
        unsafe {
            (raw.table.observes())(raw.state, &mut instance.observes).take_nothing("observes")?;
        }
        Ok(instance)
    }

    /// Tells of an error, such as a panic, with which it is dropped. Without it, the log is told.
    pub fn on_failed_drop(&mut self, tell: impl Fn(Error) + Send + Sync + 'static) {
        self.failed_drop = FailedDrop::new(tell);
    }

    /// See [`TemplateCache::decide`].
    pub fn decide<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<Decision<'a>> {
        let (mut action, mut given) = (BYPASS, ROption::RNone);
        let decide = self.raw.table.decide();
        // SAFETY: as in `new`.
        unsafe {
            decide(self.raw.state, request, &mut action, &mut given).take_nothing("decide")?;
        }
        match (action, given) {
            (BYPASS, _) => Ok(Decision::Bypass),
            (CACHE, ROption::RSome(raw)) => entry("decide", raw).map(Decision::Cache),
            (REFRESH, ROption::RSome(raw)) => entry("decide", raw).map(Decision::Refresh),
            (other, _) => Err(breach(
                "decide",
                &format!("with {other} and not with what belongs to it"),
            )),
        }
    }

    /// See [`TemplateCache::key_for`].
    pub fn key_for<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<TemplateEntry<'a>> {
        let mut given = ROption::RNone;
        // SAFETY: as in `new`.
        unsafe {
            (self.raw.table.key_for())(self.raw.state, request, &mut given)
                .take_nothing("key_for")?;
        }
        match given {
            ROption::RSome(raw) => entry("key_for", raw),
            ROption::RNone => Err(breach("key_for", "with nothing")),
        }
    }

    /// See [`TemplateCache::template_changed`].
    pub fn template_changed(&self, change: &TemplateChange<'_>) -> Result<()> {
        // SAFETY: as in `new`.
        unsafe {
            (self.raw.table.template_changed())(self.raw.state, change)
                .take_nothing("template_changed")
        }
    }

    /// See [`TemplateCache::ignores_keys`].
    pub fn ignores_keys(&self) -> bool {
        self.ignores_keys
    }

    /// See [`TemplateCache::observes`].
    pub fn observes(&self) -> bool {
        self.observes
    }

    /// See [`TemplateCache::observe`].
    pub fn observe(&self, request: &TemplateRequest<'_>, event: &TemplateEvent<'_>) -> Result<()> {
        // SAFETY: as in `new`.
        unsafe {
            (self.raw.table.observe())(self.raw.state, request, event).take_nothing("observe")
        }
    }
}

impl Drop for TemplateCacheInstance {
    fn drop(&mut self) {
        // SAFETY: as in `new`; nothing is called afterwards.
        let dropped = unsafe { (self.raw.table.destroy())(self.raw.state).take_nothing("destroy") };
        self.failed_drop.look("template cache", dropped);
    }
}
