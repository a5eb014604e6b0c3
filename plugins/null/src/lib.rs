//! The backend `null`: stores nothing, so that every call creates its value. For tests, and to switch a cache off.

#![forbid(unsafe_code)]

use dogpile_plugin_api::{
    Backend, BackendStats, HostContext, Key, NoArguments, Result, Storage, Value, export_plugin,
};

/// The backend `null`. It has no arguments, and takes objects, since what is never given back need not be serialised.
#[derive(Debug)]
pub struct Null;

impl Backend for Null {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self)
    }

    fn get(&self, _: &Key) -> Result<Option<Value>> {
        Ok(None)
    }

    fn set(&self, _: &Key, _: &Value) -> Result<()> {
        Ok(())
    }

    fn delete(&self, _: &Key) -> Result<()> {
        Ok(())
    }

    fn clear(&self) -> Result<()> {
        Ok(())
    }

    fn stats(&self) -> Result<BackendStats> {
        let mut stats = BackendStats::default();
        stats.entries = Some(0);
        stats.bytes = Some(0);
        Ok(stats)
    }

    fn storage(&self) -> Storage {
        Storage::Objects
    }

    fn blocking(&self) -> bool {
        false
    }

    fn shared(&self) -> bool {
        false
    }
}

export_plugin! { backends: { "null" => Null } }
