//! Panics in `get` and `set`, and as it is dropped.

use dogpile_plugin_api::{Backend, HostContext, Key, NoArguments, Result, Value, export_plugin};

struct Panics;

impl Backend for Panics {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self)
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        panic!("get of {key} is not for me")
    }

    fn set(&self, key: &Key, _: &Value) -> Result<()> {
        panic!("set of {key} is not for me")
    }

    fn delete(&self, _: &Key) -> Result<()> {
        Ok(())
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("drop is not for me")
    }
}

export_plugin! { backends: { "panics" => Panics } }
