//! What crosses the boundary of a template cache.

use abi_stable::StableAbi;
use abi_stable::std_types::{RCowStr, ROption, RVec};

use super::RawValue;
use crate::{TemplateChange, TemplateEvent, TemplateRequest};

/// An open template cache.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct RawTemplateCache {
    /// The plugin's own.
    pub state: *const (),
    /// Its methods.
    pub table: TemplateCacheTableRef,
}

/// See [`crate::TemplateEntry`]. It borrows from the request and from the plugin's state.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawTemplateEntry<'a> {
    /// The name of the region.
    pub region: RCowStr<'a>,
    /// The key in it.
    pub key: RCowStr<'a>,
    /// In nanoseconds; `u64::MAX` is never, none is the region's.
    pub expiration_time: ROption<u64>,
    /// The tags.
    pub tags: RVec<RCowStr<'a>>,
    /// Zeros.
    pub reserved: [usize; 4],
}

/// The methods of a template cache. See [`crate::TemplateCache`].
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = TemplateCacheTableRef)))]
#[sabi(missing_field(option))]
pub struct TemplateCacheTable {
    /// `action` is 0 to bypass the cache, 1 to use it, 2 to refresh it; the entry stays none for 0.
    pub decide: for<'a> unsafe extern "C" fn(
        state: *const (),
        request: &TemplateRequest<'a>,
        action: &mut u8,
        entry_given: &mut ROption<RawTemplateEntry<'a>>,
    ) -> RawValue,
    /// Null, or an error.
    pub key_for: for<'a> unsafe extern "C" fn(
        state: *const (),
        request: &TemplateRequest<'a>,
        entry_given: &mut ROption<RawTemplateEntry<'a>>,
    ) -> RawValue,
    /// Null, or an error.
    pub template_changed:
        unsafe extern "C" fn(state: *const (), change: &TemplateChange<'_>) -> RawValue,
    /// Whether what `decide` says holds for all keys.
    pub ignores_keys: unsafe extern "C" fn(state: *const (), ignores: &mut bool) -> RawValue,
    /// Whether `observe` is to be called.
    pub observes: unsafe extern "C" fn(state: *const (), observes: &mut bool) -> RawValue,
    /// Null, or an error.
    pub observe: unsafe extern "C" fn(
        state: *const (),
        request: &TemplateRequest<'_>,
        event: &TemplateEvent<'_>,
    ) -> RawValue,
    /// Frees the state; nothing may be called afterwards.
    #[sabi(last_prefix_field)]
    pub destroy: unsafe extern "C" fn(state_given: *const ()) -> RawValue,
}
