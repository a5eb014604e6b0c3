//! What every part of a host shares.

use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, LazyLock};

use dogpile_lock::{Clock, WaitGraph};
use parking_lot::Mutex;

use crate::draining::Draining;
use crate::events::Events;
use crate::plugins::{Images, PluginSet};
use crate::pool::Pool;
use crate::provenance::Provenances;
use crate::records::Poller;
use crate::registry::{Registry, Snapshot};
use crate::trust::Trust;
use crate::watchdog::Watchdog;
use crate::watched::Mender;

/// Starts a task.
pub(crate) type Spawner = Arc<dyn Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync>;

/// Threads for calls that can block.
const CALLS: usize = 32;

/// Threads for creations that nobody waits for, and how many of these may wait for one.
const REFRESHES: usize = 8;
const QUEUED_REFRESHES: usize = 1024;

/// The waits between the creations of a process.
static GRAPH: LazyLock<WaitGraph> = LazyLock::new(WaitGraph::new);

/// The registry, and what regions need to be opened and called.
pub(crate) struct Engine {
    pub(crate) registry: Registry,
    pub(crate) clock: &'static Clock,
    pub(crate) provenances: &'static Provenances,
    /// Of all hosts: a creator of one may ask another.
    pub(crate) graph: WaitGraph,
    /// Calls of backends that can block, for callers that must not. Nothing else: no job waits for another.
    pub(crate) calls: Pool,
    /// Creations that nobody waits for.
    pub(crate) refreshes: Pool,
    /// Starts tasks of the program's runtime, for asynchronous creations that nobody waits for.
    pub(crate) spawner: Option<Spawner>,
    /// Whose manifest and plugins are trusted, if the program says so.
    pub(crate) trust: Option<Trust>,
    /// Linked into the program: they stay through every reload.
    pub(crate) linked: PluginSet,
    /// Follows the records of invalidations.
    pub(crate) poller: Poller,
    /// Notices calls that hang.
    pub(crate) watchdog: Watchdog,
    /// Held while regions are opened and replaced: one change at a time.
    pub(crate) change: Mutex<()>,
    pub(crate) mender: Arc<dyn Mender>,
    pub(crate) draining: Arc<Draining>,
    /// The images of plugins that this host has loaded.
    pub(crate) images: Images,
    /// Who is told of what happens in regions.
    pub(crate) events: Arc<dyn Events>,
    /// How many calls of regions ended because these are not configured.
    pub(crate) unconfigured_calls: AtomicU64,
}

impl Engine {
    pub(crate) fn new(
        linked: PluginSet,
        clock: &'static Clock,
        spawner: Option<Spawner>,
        trust: Option<Trust>,
        mender: Arc<dyn Mender>,
        events: Arc<dyn Events>,
    ) -> Self {
        Self {
            registry: Registry::new(Snapshot::new(linked.clone())),
            clock,
            provenances: Box::leak(Box::new(Provenances::new(clock))),
            graph: GRAPH.clone(),
            calls: Pool::new("dogpile-call", CALLS, usize::MAX),
            refreshes: Pool::new("dogpile-refresh", REFRESHES, QUEUED_REFRESHES),
            spawner,
            trust,
            linked,
            poller: Poller::default(),
            watchdog: Watchdog::default(),
            change: Mutex::new(()),
            mender,
            draining: Arc::default(),
            images: Images::default(),
            events,
            unconfigured_calls: AtomicU64::new(0),
        }
    }
}

/// The threads that mend are told before the backends are closed.
impl Drop for Engine {
    fn drop(&mut self) {
        self.mender.close();
    }
}
