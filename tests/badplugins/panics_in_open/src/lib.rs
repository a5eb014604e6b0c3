//! Panics in `open`.

use dogpile_plugin_api::{Backend, HostContext, Key, NoArguments, Result, Value, export_plugin};

struct Panics;

impl Backend for Panics {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        panic!("open is not for me")
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
}

export_plugin! { backends: { "panics" => Panics } }
