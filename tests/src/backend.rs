//! A backend by itself, without a region.

use dogpile_plugin_api::testing::host;
use dogpile_plugin_api::{BackendInstance, Metadata, OwnedKey, Result, Value};

/// The key, as the host makes it.
pub fn key(text: &str) -> OwnedKey {
    host().key(text)
}

/// Stores bytes.
///
/// # Errors
///
/// Those of the backend.
pub fn set(backend: &BackendInstance, name: &str, bytes: &[u8]) -> Result<()> {
    let key = key(name);
    let value = Value::copied(&Metadata::default(), key.as_key(), bytes);
    backend.set(&key.as_key(), &value)
}

/// The bytes that are stored.
///
/// # Errors
///
/// Those of the backend.
///
/// # Panics
///
/// If it is an object.
pub fn get(backend: &BackendInstance, name: &str) -> Result<Option<Vec<u8>>> {
    let found = backend.get(&key(name).as_key())?;
    Ok(found.map(|value| value.as_bytes().expect("it is bytes").to_owned()))
}
