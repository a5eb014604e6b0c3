//! A template cache on both sides of the boundary.

use std::borrow::Cow;
use std::marker::PhantomData;

use abi_stable::prefix_type::WithMetadata;
use abi_stable::staticref;
use abi_stable::std_types::{RCowStr, ROption};

use super::barrier::done;
use crate::abi::{
    RawTemplateCache, RawTemplateEntry, RawValue, TemplateCacheTable, TemplateCacheTableRef,
};
use crate::{
    Decision, Error, ErrorKind, Expiration, HostContext, Result, TemplateCache, TemplateChange,
    TemplateEntry, TemplateEvent, TemplateRequest, arguments,
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

fn entry(raw: RawTemplateEntry<'_>) -> TemplateEntry<'_> {
    let expiration_time = raw.expiration_time.into_option();
    TemplateEntry {
        region: raw.region.into(),
        key: raw.key.into(),
        expiration_time: expiration_time.map(Expiration::from_nanoseconds),
        tags: raw.tags.into_iter().map(Cow::from).collect(),
    }
}

/// An open template cache of a plugin.
pub struct TemplateCacheInstance {
    raw: RawTemplateCache,
    observes: bool,
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
            observes: false,
        };
        // SAFETY: the state is the plugin's own and not yet destroyed, as in all methods.
        unsafe { (raw.table.observes())(raw.state, &mut instance.observes).take()? };
        Ok(instance)
    }

    /// See [`TemplateCache::decide`].
    pub fn decide<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<Decision<'a>> {
        let (mut action, mut given) = (BYPASS, ROption::RNone);
        let decide = self.raw.table.decide();
        // SAFETY: as in `new`.
        unsafe { decide(self.raw.state, request, &mut action, &mut given).take()? };
        match (action, given) {
            (BYPASS, _) => Ok(Decision::Bypass),
            (CACHE, ROption::RSome(raw)) => Ok(Decision::Cache(entry(raw))),
            (REFRESH, ROption::RSome(raw)) => Ok(Decision::Refresh(entry(raw))),
            (other, _) => Err(Error::new(
                ErrorKind::Contract,
                format!("decide answered with {other} and not with what belongs to it"),
            )),
        }
    }

    /// See [`TemplateCache::key_for`].
    pub fn key_for<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<TemplateEntry<'a>> {
        let mut given = ROption::RNone;
        // SAFETY: as in `new`.
        unsafe { (self.raw.table.key_for())(self.raw.state, request, &mut given).take()? };
        match given {
            ROption::RSome(raw) => Ok(entry(raw)),
            ROption::RNone => Err(Error::new(
                ErrorKind::Contract,
                "key_for answered with nothing",
            )),
        }
    }

    /// See [`TemplateCache::template_changed`].
    pub fn template_changed(&self, change: &TemplateChange<'_>) -> Result<()> {
        // SAFETY: as in `new`.
        unsafe { (self.raw.table.template_changed())(self.raw.state, change).take() }.map(drop)
    }

    /// See [`TemplateCache::observes`].
    pub fn observes(&self) -> bool {
        self.observes
    }

    /// See [`TemplateCache::observe`].
    pub fn observe(&self, request: &TemplateRequest<'_>, event: &TemplateEvent<'_>) -> Result<()> {
        // SAFETY: as in `new`.
        unsafe { (self.raw.table.observe())(self.raw.state, request, event).take() }.map(drop)
    }
}

impl Drop for TemplateCacheInstance {
    fn drop(&mut self) {
        // SAFETY: as in `new`; nothing is called afterwards.
        if let Err(error) = unsafe { (self.raw.table.destroy())(self.raw.state).take() } {
            // The panic hook has told the message, where it is cleared of secrets.
            tracing::error!(target: "dogpile", kind = ?error.kind(), "a plugin's template cache failed as it was dropped");
        }
    }
}
