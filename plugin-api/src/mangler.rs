//! The trait of a key mangler.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{HostContext, Result};

/// Turns a key into one that the storage can hold, such as a hash of it.
///
/// It must be a pure function: the same key gives the same result in every process and build, or programs that share
/// a storage part ways. Called on the caller's thread for every call of a region that names it.
pub trait KeyMangler: Send + Sync + Sized + 'static {
    /// What the manifest's `arguments` hold. Unknown keys are refused before `open` is called.
    type Arguments: DeserializeOwned + JsonSchema;

    /// Makes an instance. Called on a thread of its own, which may block for as long as `[host] open_timeout`. An error
    /// refuses the manifest.
    fn open(arguments: Self::Arguments, host: &HostContext) -> Result<Self>;

    /// The mangled key. Called on the caller's thread, which it must not block, be it that of an asynchronous task. An error,
    /// or a panic, is an error of the call, which `on_backend_error` does not hide: without a key there is no cache to do
    /// without. The mangler goes on being called.
    fn mangle(&self, key: &str) -> Result<String>;
}
