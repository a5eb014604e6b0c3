//! A host to cache templates, and values that show whether they were rendered.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dogpile::{Clock, Host, HostBuilder, ManualClock, RegionConfig, TemplatesConfig};
use dogpile_templates::ViewCache;

pub(crate) struct Fixture {
    pub(crate) host: Host,
    pub(crate) clock: ManualClock,
    pub(crate) cache: ViewCache,
}

impl Fixture {
    /// With the regions `pages` and `other`, in which a text is fresh for 100 seconds.
    pub(crate) fn new() -> Self {
        let (clock, hand) = Clock::manual(1_700_000_000_000_000_000);
        let host = builder()
            .templates(TemplatesConfig::new("template-cache"))
            .clock(clock)
            .build()
            .unwrap();
        let cache = ViewCache::new(&host);
        Self {
            host,
            clock: hand,
            cache,
        }
    }

    pub(crate) fn created(&self, region: &str) -> u64 {
        self.host.region(region).unwrap().stats().creations
    }
}

pub(crate) fn builder() -> HostBuilder {
    let region = |name| RegionConfig::on(name, "memory").expiration_time(Duration::from_secs(100));
    Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .plugin(dogpile_plugin_template_cache::plugin())
        .region(region("pages"))
        .region(region("other"))
}

/// Renders to nothing, and counts how often.
#[derive(Default)]
pub(crate) struct Counter(AtomicUsize);

impl Counter {
    /// How often since this was asked last.
    pub(crate) fn ran(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

impl fmt::Display for Counter {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// Renders to nothing, and does something.
pub(crate) struct Act<'a>(pub(crate) &'a (dyn Fn() + Sync));

impl fmt::Display for Act<'_> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)();
        Ok(())
    }
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[track_caller]
pub(crate) fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}

/// What is logged as a warning on this thread meanwhile, as a text.
pub(crate) fn logged(work: impl FnOnce()) -> String {
    let log = Log::default();
    log.follow(tracing::Level::WARN, work);
    log.text()
}

/// What is logged on some threads.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// What `work` logs on this thread, down to a level.
    pub(crate) fn follow<T>(&self, level: tracing::Level, work: impl FnOnce() -> T) -> T {
        let writer = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, work)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
