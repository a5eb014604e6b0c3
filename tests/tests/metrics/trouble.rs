//! A backend that does what tests want of it.

use std::fs;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use dogpile_plugin_api::{
    Backend, Deserialize, Error, HostContext, JsonSchema, Key, Result, TemplateCache,
    TemplateEntry, TemplateRequest, Value, schemars, serde,
};

/// Fails with keys that begin with `fail`, and hangs with those that begin with `hang`.
pub(crate) struct Trouble {
    pings: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "serde")]
#[schemars(crate = "schemars")]
pub(crate) struct TroubleArguments {
    /// Whether it answers pings.
    pings: bool,
}

static HANGING: Mutex<usize> = Mutex::new(0);
static NEVER: Condvar = Condvar::new();

/// How many calls hang.
pub(crate) fn hanging() -> usize {
    *HANGING.lock().unwrap()
}

impl Backend for Trouble {
    type Arguments = TroubleArguments;

    fn open(arguments: TroubleArguments, _: &HostContext) -> Result<Self> {
        Ok(Self {
            pings: arguments.pings,
        })
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        if key.starts_with("hang") {
            let mut hanging = HANGING.lock().unwrap();
            *hanging += 1;
            // A test that fails leaves nobody behind for ever.
            let end = Instant::now() + Duration::from_mins(2);
            while Instant::now() < end {
                hanging = NEVER
                    .wait_timeout(hanging, Duration::from_secs(1))
                    .unwrap()
                    .0;
            }
        }
        if key.starts_with("fail") {
            return Err(Error::unavailable("not today"));
        }
        Ok(None)
    }

    fn set(&self, key: &Key, _: &Value) -> Result<()> {
        if key.starts_with("unstored") {
            return Err(Error::unavailable("no room"));
        }
        Ok(())
    }

    fn delete(&self, _: &Key) -> Result<()> {
        Ok(())
    }

    fn shared(&self) -> bool {
        false
    }

    fn ping(&self) -> Result<()> {
        self.pings
            .then_some(())
            .ok_or_else(|| Error::unavailable("not today"))
    }
}

/// A template cache that panics at what it is asked, and cannot be opened again.
pub(crate) struct TroubleWithTemplates {
    panicked: PathBuf,
}

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "serde")]
#[schemars(crate = "schemars")]
pub(crate) struct TemplatesArguments {
    /// A file that is there once it has panicked.
    panicked: PathBuf,
}

impl TemplateCache for TroubleWithTemplates {
    type Arguments = TemplatesArguments;

    fn open(arguments: TemplatesArguments, _: &HostContext) -> Result<Self> {
        let panicked = arguments.panicked;
        if panicked.exists() {
            return Err(Error::unavailable("not today"));
        }
        Ok(Self { panicked })
    }

    fn key_for<'a>(&'a self, _: &TemplateRequest<'a>) -> Result<TemplateEntry<'a>> {
        fs::write(&self.panicked, "").unwrap();
        panic!("not that one")
    }
}
