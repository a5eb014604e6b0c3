//! A backend that does what tests want of it.

use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use dogpile_plugin_api::{
    Backend, Deserialize, Error, HostContext, JsonSchema, Key, Result, Value, schemars, serde,
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
