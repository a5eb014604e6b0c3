//! The boundary itself: what crosses it, in C layout. Authors of plugins need none of it.
//!
//! Functions are grouped in tables which may grow at their end; `abi_stable` checks their layout when a plugin is
//! loaded. Every function catches panics, and answers with a [`RawValue`]: null for "done" or "nothing", a value, or
//! an error, which is a kind of value.
//!
//! Names say who owns the memory: `*_borrowed` stays the caller's, `*_given` becomes the callee's.

#![expect(
    clippy::expl_impl_clone_on_copy,
    reason = "the derive of `abi_stable` writes it"
)]

mod header;
mod raw;
#[cfg(test)]
mod snapshot;
mod template_cache;

use abi_stable::StableAbi;
use abi_stable::std_types::{ROption, RSlice, RStr};

pub use self::header::{ABI_EPOCH, ABI_STABLE_VERSION, MAGIC, PluginHeader, SYMBOL_PREFIX, layout};
pub use self::raw::RawValue;
pub(crate) use self::raw::{Raw, breach};
pub use self::template_cache::{
    RawTemplateCache, RawTemplateEntry, TemplateCacheTable, TemplateCacheTableRef,
};
pub use crate::value::{Header as ValueHeader, ValueVtable};
use crate::{Key, Lease};

/// What a plugin exports.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginTableRef)))]
#[sabi(missing_field(option))]
pub struct PluginTable {
    /// What the plugin is and holds, as JSON of [`crate::PluginInfo`].
    pub describe: extern "C" fn() -> RawValue,
    /// Called once after loading, before anything is opened: leads logs and panics to the host.
    pub start: extern "C" fn(host_borrowed: &RawHost) -> RawValue,
    /// Opens a backend by name; `arguments` are JSON.
    pub open_backend: extern "C" fn(
        name: RStr<'_>,
        arguments: RStr<'_>,
        host_borrowed: &RawHost,
        backend_given: &mut ROption<RawBackend>,
    ) -> RawValue,
    /// Opens a key mangler by name; `arguments` are JSON.
    pub open_mangler: extern "C" fn(
        name: RStr<'_>,
        arguments: RStr<'_>,
        host_borrowed: &RawHost,
        mangler_given: &mut ROption<RawMangler>,
    ) -> RawValue,
    /// Opens a proxy by name; `arguments` are JSON. The plugin destroys `inner_given`, even if it does not open.
    pub open_proxy: extern "C" fn(
        name: RStr<'_>,
        arguments: RStr<'_>,
        host_borrowed: &RawHost,
        inner_given: RawBackend,
        proxy_given: &mut ROption<RawBackend>,
    ) -> RawValue,
    /// Opens a template cache by name; `arguments` are JSON.
    #[sabi(last_prefix_field)]
    pub open_template_cache: extern "C" fn(
        name: RStr<'_>,
        arguments: RStr<'_>,
        host_borrowed: &RawHost,
        cache_given: &mut ROption<RawTemplateCache>,
    ) -> RawValue,
}

/// What a plugin may ask of the host.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct RawHost {
    /// The host's mark, by which a plugin that is linked into the host's own image knows it.
    pub(crate) image: *const u8,
    /// The name under which the manifest lists the plugin; lives as long as the process.
    pub(crate) plugin: RStr<'static>,
    /// Handed back to the functions of the table; lives as long as the process.
    pub(crate) context: *const (),
    pub(crate) table: HostTableRef,
    /// Zeros.
    pub(crate) reserved: [usize; 4],
}

/// What a host does for its plugins.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = HostTableRef)))]
#[sabi(missing_field(option))]
pub struct HostTable {
    /// The hash of a key.
    pub hash: unsafe extern "C" fn(context: *const (), text: RStr<'_>) -> u64,
    /// The host's clock, in nanoseconds since 1970.
    pub now: unsafe extern "C" fn(context: *const ()) -> u64,
    /// Whether a record of that level (1 error … 5 trace) would be kept.
    pub log_enabled: extern "C" fn(level: u8, plugin: RStr<'_>) -> bool,
    /// Keeps a record.
    #[sabi(last_prefix_field)]
    pub log: extern "C" fn(level: u8, plugin: RStr<'_>, target: RStr<'_>, message: RStr<'_>),
}

impl RawHost {
    /// A host for the plugin of that name.
    ///
    /// # Safety
    ///
    /// `context` is what the functions take, and stays so for the life of the process, on any thread.
    pub const unsafe fn new(plugin: &'static str, context: *const (), table: HostTableRef) -> Self {
        Self {
            image: crate::value::image(),
            plugin: RStr::from_str(plugin),
            context,
            table,
            reserved: [0; 4],
        }
    }

    /// The name under which the manifest lists the plugin.
    pub fn plugin(&self) -> &'static str {
        self.plugin.as_str()
    }

    /// The hash of a key.
    pub fn hash(&self, text: &str) -> u64 {
        // SAFETY: by the contract of `new`.
        unsafe { (self.table.hash())(self.context, text.into()) }
    }

    /// The host's clock, in nanoseconds since 1970.
    pub fn now(&self) -> u64 {
        // SAFETY: by the contract of `new`.
        unsafe { (self.table.now())(self.context) }
    }
}

// SAFETY: the pointers are addresses of things that live as long as the process and are shared by contract.
unsafe impl Send for RawHost {}
// SAFETY: as above.
unsafe impl Sync for RawHost {}

/// An open backend.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct RawBackend {
    /// The plugin's own.
    pub state: *const (),
    /// Its methods.
    pub table: BackendTableRef,
}

/// The methods of a backend. See [`crate::Backend`] for what each promises.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = BackendTableRef)))]
#[sabi(missing_field(option))]
pub struct BackendTable {
    /// The value, or null.
    pub get: unsafe extern "C" fn(state: *const (), key: &Key<'_>) -> RawValue,
    /// Null, or an error.
    pub set: unsafe extern "C" fn(
        state: *const (),
        key: &Key<'_>,
        value_borrowed: &RawValue,
    ) -> RawValue,
    /// Null, or an error.
    pub delete: unsafe extern "C" fn(state: *const (), key: &Key<'_>) -> RawValue,
    /// Fills as many places as there are keys, with a value or null each, unless it answers with an error.
    pub get_multi: unsafe extern "C" fn(
        state: *const (),
        keys: RSlice<'_, Key<'_>>,
        values_given: *mut RawValue,
    ) -> RawValue,
    /// Null, or an error.
    pub set_multi: unsafe extern "C" fn(
        state: *const (),
        keys: RSlice<'_, Key<'_>>,
        values_borrowed: RSlice<'_, RawValue>,
    ) -> RawValue,
    /// Null, or an error.
    pub delete_multi: unsafe extern "C" fn(state: *const (), keys: RSlice<'_, Key<'_>>) -> RawValue,
    /// The value, or null.
    pub get_fresh: unsafe extern "C" fn(state: *const (), key: &Key<'_>) -> RawValue,
    /// Fills places as `get_multi` does.
    pub get_multi_fresh: unsafe extern "C" fn(
        state: *const (),
        keys: RSlice<'_, Key<'_>>,
        values_given: *mut RawValue,
    ) -> RawValue,
    /// Null, or an error.
    pub clear: unsafe extern "C" fn(state: *const ()) -> RawValue,
    /// Null, or an error.
    pub ping: unsafe extern "C" fn(state: *const ()) -> RawValue,
    /// JSON of [`crate::BackendStats`].
    pub stats: unsafe extern "C" fn(state: *const ()) -> RawValue,
    /// Null, or an error.
    pub close: unsafe extern "C" fn(state: *const ()) -> RawValue,
    /// Frees the state; nothing may be called afterwards.
    pub destroy: unsafe extern "C" fn(state_given: *const ()) -> RawValue,
    /// Sets the bits of [`property`].
    pub properties: unsafe extern "C" fn(state: *const (), bits: &mut u32) -> RawValue,
    /// The name of the backend's own mangler, or null.
    pub key_mangler: unsafe extern "C" fn(state: *const ()) -> RawValue,
    /// The mutex of a key, or none.
    pub mutex: unsafe extern "C" fn(
        state: *const (),
        key: &Key<'_>,
        mutex_given: &mut ROption<RawMutex>,
    ) -> RawValue,
    /// `outcome` is 0 if the lease was lost, 1 if it was stored, 2 if the key was deleted. See [`crate::Guarded`].
    pub set_guarded: unsafe extern "C" fn(
        state: *const (),
        key: &Key<'_>,
        value_borrowed: &RawValue,
        lease: &Lease,
        outcome: &mut u8,
    ) -> RawValue,
    /// Fills as many places as there are keys, each as the outcome of `set_guarded`, unless it answers with an error.
    pub set_guarded_multi: unsafe extern "C" fn(
        state: *const (),
        keys: RSlice<'_, Key<'_>>,
        values_borrowed: RSlice<'_, RawValue>,
        leases: RSlice<'_, Lease>,
        outcomes: *mut u8,
    ) -> RawValue,
    /// `done` is false if a new instance is wanted.
    pub reconfigure:
        unsafe extern "C" fn(state: *const (), arguments: RStr<'_>, done: &mut bool) -> RawValue,
    /// `nanoseconds` stays 0 if nobody knows.
    #[sabi(last_prefix_field)]
    pub longest_call: unsafe extern "C" fn(state: *const (), nanoseconds: &mut u64) -> RawValue,
}

/// The bits of [`BackendTable::properties`].
pub mod property {
    /// [`crate::Storage::Objects`].
    pub const OBJECTS: u32 = 1;
    /// [`crate::Backend::blocking`].
    pub const BLOCKING: u32 = 2;
    /// [`crate::Backend::exclusive`].
    pub const EXCLUSIVE: u32 = 4;
    /// [`crate::Backend::shared`].
    pub const SHARED: u32 = 8;
}

/// The mutex of one key.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct RawMutex {
    /// The plugin's own.
    pub state: *const (),
    /// Its methods.
    pub table: MutexTableRef,
}

/// The methods of a mutex. See [`crate::Mutex`].
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = MutexTableRef)))]
#[sabi(missing_field(option))]
pub struct MutexTable {
    /// `lease` stays none while somebody else holds the mutex.
    pub try_acquire: unsafe extern "C" fn(
        state: *const (),
        nanoseconds: u64,
        lease: &mut ROption<Lease>,
    ) -> RawValue,
    /// Null, or an error.
    pub wait: unsafe extern "C" fn(state: *const (), nanoseconds: u64) -> RawValue,
    /// `held` is false if the lease was lost.
    pub renew:
        unsafe extern "C" fn(state: *const (), lease: &mut Lease, held: &mut bool) -> RawValue,
    /// Null, or an error.
    pub release: unsafe extern "C" fn(state: *const (), lease: &Lease) -> RawValue,
    /// Whether anybody holds it.
    pub is_locked: unsafe extern "C" fn(state: *const (), locked: &mut bool) -> RawValue,
    /// Frees the state; nothing may be called afterwards.
    #[sabi(last_prefix_field)]
    pub destroy: unsafe extern "C" fn(state_given: *const ()) -> RawValue,
}

/// An open key mangler.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct RawMangler {
    /// The plugin's own.
    pub state: *const (),
    /// Its methods.
    pub table: ManglerTableRef,
}

/// The methods of a key mangler. See [`crate::KeyMangler`].
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = ManglerTableRef)))]
#[sabi(missing_field(option))]
pub struct ManglerTable {
    /// The mangled key, as UTF-8 bytes.
    pub mangle: unsafe extern "C" fn(state: *const (), key: RStr<'_>) -> RawValue,
    /// Frees the state; nothing may be called afterwards.
    #[sabi(last_prefix_field)]
    pub destroy: unsafe extern "C" fn(state_given: *const ()) -> RawValue,
}
