//! A host with a region that is served all the time, beside regions on the plugin of lies.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex as Lock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dogpile::Host;
use dogpile_plugin_api::{Backend, HostContext, Key, NoArguments, Result, Value};
use tempfile::TempDir;

use crate::fixtures::{LONG, rust};

/// Within which a lie is to be refused, beside the time for which a hang is waited for.
pub(crate) const SOON: Duration = Duration::from_secs(1);
pub(crate) const OPEN_TIMEOUT: Duration = Duration::from_millis(300);

/// A good backend of the program's own.
#[derive(Default)]
struct Steady(Lock<HashMap<String, Value>>);

impl Backend for Steady {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self::default())
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        Ok(self.0.lock().unwrap().get(key.as_str()).cloned())
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        let mut entries = self.0.lock().unwrap();
        entries.insert(key.to_string(), value.clone());
        Ok(())
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.0.lock().unwrap().remove(key.as_str());
        Ok(())
    }

    fn shared(&self) -> bool {
        false
    }
}

/// A folder with the plugin of lies and a manifest, and a host that follows it when it is told to.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
}

impl Site {
    /// With more of a manifest.
    pub(crate) fn open(rest: &str) -> (Self, Host) {
        let folder = tempfile::tempdir().unwrap();
        let site = Self { folder };
        site.put("plugin.so", &rust("lies"));
        site.save(rest);
        let host = Host::builder()
            .backend::<Steady>("steady")
            .manifest(site.path("dogpile.toml"))
            .watch(false)
            .build()
            .unwrap();
        (site, host)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn save(&self, rest: &str) {
        let text = format!(
            "version = 1\n[host]\nplugin_dir = \".\"\nopen_timeout = \"{}ms\"\n\
             [plugins.lies]\nfile = \"plugin.so\"\n\
             [regions.steady]\nbackend = \"steady\"\nexpiration_time = \"1h\"\n{rest}",
            OPEN_TIMEOUT.as_millis()
        );
        self.put("dogpile.toml", text.as_bytes());
    }
}

/// A region that is lied to, and fails rather than do without.
pub(crate) fn region(name: &str, arguments: &str) -> String {
    format!(
        "[regions.{name}]\nbackend = \"lies\"\nexpiration_time = 60\non_backend_error = \"fail\"\n\
         arguments = {{ {arguments} }}\n"
    )
}

pub(crate) fn state(host: &Host, region: &str) -> String {
    let regions = host.status().regions;
    let mut regions = regions.into_iter();
    regions.find(|one| one.name == region).unwrap().state
}

#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < LONG, "never: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A thread that reads the region `steady` all the time, and gets what is there each time.
pub(crate) struct Served {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Served {
    pub(crate) fn begin(host: &Host) -> Self {
        let steady = host.region("steady").unwrap();
        steady.set("a", 1).unwrap();
        let (stop, calls) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&calls));
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                assert_eq!(steady.get::<i32>("a").unwrap().as_deref(), Some(&1));
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self {
            stop,
            calls,
            thread,
        }
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Until some more calls were answered.
    #[track_caller]
    pub(crate) fn goes_on(&self) {
        let before = self.calls();
        until("other regions are served", || self.calls() > before + 10);
    }

    /// All calls were answered, and how many that were.
    pub(crate) fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("each call was answered");
        self.calls.load(Ordering::Relaxed)
    }
}
