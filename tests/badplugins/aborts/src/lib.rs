//! Nothing is wrong with its source; the tests build it with `panic = "abort"`.

use dogpile_plugin_api::{Backend, HostContext, Key, NoArguments, Result, Value, export_plugin};

struct Aborts;

impl Backend for Aborts {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self)
    }

    fn get(&self, _: &Key) -> Result<Option<Value>> {
        panic!("nobody can catch this")
    }

    fn set(&self, _: &Key, _: &Value) -> Result<()> {
        Ok(())
    }

    fn delete(&self, _: &Key) -> Result<()> {
        Ok(())
    }
}

export_plugin! { backends: { "aborts" => Aborts } }
