//! Waits in `open` for a file to appear, and leaves one when it is closed.

use std::path::PathBuf;
use std::time::Duration;

use dogpile_plugin_api::{
    Backend, Deserialize, HostContext, JsonSchema, Key, Result, Value, export_plugin,
};

struct Hangs(Arguments);

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "dogpile_plugin_api::serde")]
#[schemars(crate = "dogpile_plugin_api::schemars")]
struct Arguments {
    wait_for: PathBuf,
    when_closed: PathBuf,
}

impl Backend for Hangs {
    type Arguments = Arguments;

    fn open(arguments: Arguments, _: &HostContext) -> Result<Self> {
        while !arguments.wait_for.exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Self(arguments))
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

    fn close(&self) -> Result<()> {
        Ok(std::fs::write(&self.0.when_closed, "closed")?)
    }
}

export_plugin! { backends: { "hangs" => Hangs } }
