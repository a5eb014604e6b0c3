//! Hangs in the method that its arguments name, for as long as a file is there, and notes in another what it was called
//! for at the end.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dogpile_plugin_api::{
    Backend, Deserialize, HostContext, JsonSchema, Key, Lease, Mutex, Result, Value, export_plugin,
};

struct Hangs(Arc<Arguments>);

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "dogpile_plugin_api::serde")]
#[schemars(crate = "dogpile_plugin_api::schemars")]
struct Arguments {
    /// The methods, such as `get`.
    hang_in: Vec<String>,
    while_there: PathBuf,
    log: PathBuf,
}

impl Arguments {
    fn call(&self, method: &str) -> Result<()> {
        let mut log = OpenOptions::new().append(true).create(true).open(&self.log)?;
        writeln!(log, "{method}")?;
        if self.hang_in.iter().any(|hangs| hangs == method) {
            while self.while_there.exists() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Ok(())
    }
}

impl Backend for Hangs {
    type Arguments = Arguments;

    fn open(arguments: Arguments, _: &HostContext) -> Result<Self> {
        Ok(Self(Arc::new(arguments)))
    }

    fn get(&self, _: &Key) -> Result<Option<Value>> {
        self.0.call("get").map(|()| None)
    }

    fn set(&self, _: &Key, _: &Value) -> Result<()> {
        self.0.call("set")
    }

    fn delete(&self, _: &Key) -> Result<()> {
        self.0.call("delete")
    }

    fn ping(&self) -> Result<()> {
        self.0.call("ping")
    }

    /// So that nobody but the tests calls it.
    fn shared(&self) -> bool {
        false
    }

    fn close(&self) -> Result<()> {
        self.0.call("close")
    }

    fn mutex(&self, _: &Key) -> Result<Option<Box<dyn Mutex>>> {
        Ok(Some(Box::new(HangsInAcquire(Arc::clone(&self.0)))))
    }
}

struct HangsInAcquire(Arc<Arguments>);

impl Mutex for HangsInAcquire {
    fn try_acquire(&self, _: Duration) -> Result<Option<Lease>> {
        self.0.call("acquire")?;
        Ok(Some(Lease::new([0; 16], 0)))
    }

    fn wait(&self, _: Duration) -> Result<()> {
        Ok(())
    }

    fn renew(&self, _: &mut Lease) -> Result<bool> {
        Ok(true)
    }

    fn release(&self, _: Lease) -> Result<()> {
        Ok(())
    }

    fn is_locked(&self) -> Result<bool> {
        Ok(false)
    }
}

export_plugin! { backends: { "hangs" => Hangs } }
