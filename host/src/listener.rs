//! The program's own code that is told of what happens in a host.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::events::{CreatedEvent, Events, EvictedEvent, InvalidatedEvent};
use crate::reload::{ReloadRecord, Trigger};

/// Is told of what happens in a host: see [`HostBuilder::listener`](crate::HostBuilder::listener). Each method does
/// nothing unless it is written.
///
/// Each is called on the thread on which it happens, which waits for it, with no lock of the host held; several threads
/// may call at once. So none should block for long: hand over what takes time, to a channel or a task. A panic of a
/// listener is caught, and goes no further; the first one of a host is logged. The same events are in the log,
/// through `tracing`: see [the crate's documentation](crate#logging).
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::sync::Arc;
///
/// use dogpile::{CreatedEvent, Host, Listener, RegionConfig};
///
/// struct Slow(Arc<AtomicU64>);
///
/// impl Listener for Slow {
///     fn created(&self, event: &CreatedEvent<'_>) {
///         if event.seconds < 1.0 {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let quick = Arc::new(AtomicU64::new(0));
/// let host = Host::builder()
///     .plugin(dogpile_plugin_memory::plugin())
///     .region(RegionConfig::on("users", "memory"))
///     .listener(Slow(quick.clone()))
///     .build()?;
/// let users = host.region("users")?;
/// users.get_or_create("user:42", || String::from("Ada"))?;
/// users.get_or_create("user:42", || String::from("Ada"))?;
/// assert_eq!(quick.load(Ordering::Relaxed), 1);
/// # Ok::<(), dogpile::Error>(())
/// ```
pub trait Listener: Send + Sync + 'static {
    /// A creator gave a value; not when it fails. Called on the thread of the creator, which still has the turn to create
    /// that key: others who want the value wait for this too, and a call for the same key from here would wait for
    /// itself, which is [`ErrorKind::Circle`](crate::ErrorKind::Circle). Whether the value is stored comes later.
    fn created(&self, event: &CreatedEvent<'_>) {
        let _ = event;
    }

    /// A backend removed entries to make room. Backends do not tell of it when they do, nor which: they are asked how many
    /// whenever the [metrics](crate::Host::metrics_text) are read, on the thread that reads these. What an instance
    /// removes between the last such reading and its end is not told.
    fn evicted(&self, event: &EvictedEvent<'_>) {
        let _ = event;
    }

    /// This process invalidated values, and sees them so already. Called by the thread that does it; of those that
    /// another process invalidates, nothing is told here.
    fn invalidated(&self, event: &InvalidatedEvent<'_>) {
        let _ = event;
    }

    /// A reload begins, whatever is its cause: to tell a service manager, say. Called on the thread that reloads; two
    /// reloads may overlap. Reloading from here would go round for ever. The host's start is no reload, and of a
    /// [retry](Trigger::Retry) its end alone is told, and only if it came to something else.
    fn reload_began(&self, trigger: Trigger) {
        let _ = trigger;
    }

    /// A reload has ended, however it did. Called as [`reload_began`](Self::reload_began) is. Where several came at once,
    /// this may be the record of a later one.
    fn reloaded(&self, record: &ReloadRecord) {
        let _ = record;
    }
}

/// Those of a host.
#[derive(Default)]
pub(crate) struct Listeners {
    listeners: Vec<Box<dyn Listener>>,
    has_panicked: AtomicBool,
}

impl Listeners {
    pub(crate) fn add(&mut self, listener: impl Listener) {
        self.listeners.push(Box::new(listener));
    }

    pub(crate) fn reload_began(&self, trigger: Trigger) {
        self.tell("reload_began", |one| one.reload_began(trigger));
    }

    pub(crate) fn reloaded(&self, record: &ReloadRecord) {
        self.tell("reloaded", |one| one.reloaded(record));
    }

    /// A panic must end neither a thread of the host nor the call that it happens in.
    fn tell(&self, method: &str, tell: impl Fn(&dyn Listener)) {
        for listener in &self.listeners {
            let Err(payload) = catch_unwind(AssertUnwindSafe(|| tell(&**listener))) else {
                continue;
            };
            // Its drop may panic again.
            std::mem::forget(payload);
            if !self.has_panicked.swap(true, Ordering::Relaxed) {
                tracing::error!(
                    target: "dogpile.cache",
                    "the program's listener panicked in `{method}`, further panics of it are not logged"
                );
            }
        }
    }
}

impl Events for Listeners {
    fn created(&self, event: &CreatedEvent<'_>) {
        self.tell("created", |one| one.created(event));
    }

    fn evicted(&self, event: &EvictedEvent<'_>) {
        self.tell("evicted", |one| one.evicted(event));
    }

    fn invalidated(&self, event: &InvalidatedEvent<'_>) {
        self.tell("invalidated", |one| one.invalidated(event));
    }
}
