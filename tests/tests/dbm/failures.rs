//! Failures while keys are locked leave nothing locked for anybody.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex};
use std::time::Duration;

use dogpile::{Host, Region, RegionConfig};
use dogpile_plugin_api::{
    self as api, Backend, Error, Guarded, HostContext, Key, Lease, Mutex, Result, Value,
};
use dogpile_plugin_dbm::{Dbm, DbmArguments};

use crate::processes::Shared;

static FAILS: AtomicBool = AtomicBool::new(true);
static ASKED: StdMutex<Vec<String>> = StdMutex::new(Vec::new());

/// The backend, but the creation lock of the key `c` cannot be asked.
struct Failing(Dbm);

struct Broken(Arc<str>);

impl Mutex for Broken {
    fn try_acquire(&self, _: Duration) -> Result<Option<Lease>> {
        Err(Error::unavailable(format!("the lock of {} fails", self.0)))
    }

    fn wait(&self, _: Duration) -> Result<()> {
        Ok(())
    }

    fn renew(&self, _: &mut Lease) -> Result<bool> {
        Ok(false)
    }

    fn release(&self, _: Lease) -> Result<()> {
        Ok(())
    }

    fn is_locked(&self) -> Result<bool> {
        Ok(false)
    }
}

impl Backend for Failing {
    type Arguments = DbmArguments;

    fn open(arguments: DbmArguments, host: &HostContext) -> Result<Self> {
        Dbm::open(arguments, host).map(Self)
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        self.0.get(key)
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        self.0.set(key, value)
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.0.delete(key)
    }

    fn set_guarded(&self, key: &Key, value: &Value, lease: &Lease) -> Result<Guarded> {
        self.0.set_guarded(key, value, lease)
    }

    fn mutex(&self, key: &Key) -> Result<Option<Box<dyn api::Mutex>>> {
        ASKED.lock().unwrap().push(key.to_string());
        if &**key == "c" && FAILS.load(Ordering::SeqCst) {
            return Ok(Some(Box::new(Broken(Arc::from(&**key)))));
        }
        self.0.mutex(key)
    }
}

fn region(shared: &Shared, host: dogpile::HostBuilder, backend: &str) -> Region {
    let config = RegionConfig::on("users", backend)
        .argument("filename", shared.file().to_str().unwrap())
        .on_backend_error(dogpile::OnBackendError::Fail);
    let host = host.region(config).build().unwrap();
    host.region("users").unwrap()
}

#[test]
fn a_failure_while_locks_are_collected_leaves_no_key_of_the_file_locked_for_another_region() {
    let shared = Shared::new();
    let failing = region(
        &shared,
        Host::builder().backend::<Failing>("failing"),
        "failing",
    );
    let keys = ["a", "b", "c", "d"];
    let created = failing.get_or_create_multi(&keys, |missing: &[&str]| {
        missing.iter().map(|key| (*key, 1_u32)).collect::<Vec<_>>()
    });
    let error = created.unwrap_err().to_string();
    assert!(error.contains("the lock of c fails"), "{error}");
    assert!(ASKED.lock().unwrap().len() > 2);
    // Another region on the file, which is to it what another process is.
    let other = region(
        &shared,
        Host::builder().plugin(dogpile_plugin_dbm::plugin()),
        "dbm",
    );
    for key in keys {
        assert!(!other.key_is_locked(key).unwrap(), "{key}");
    }
    let got = other.get_or_create_multi(&keys, |missing: &[&str]| {
        missing.iter().map(|key| (*key, 2_u32)).collect::<Vec<_>>()
    });
    let got: Vec<u32> = got
        .unwrap()
        .into_iter()
        .map(|value| *value.unwrap())
        .collect();
    assert_eq!(got, [2; 4]);
}
