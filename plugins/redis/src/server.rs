use std::mem;
use std::process;
use std::sync::Arc;

use arc_swap::ArcSwap;
use dogpile_plugin_api::Result;

use crate::connection::Connection;
use crate::failure::Answer;
use crate::pool::Pool;
use crate::target::Target;
use crate::watch::Watch;

/// The servers that hold the entries.
pub(crate) trait Servers: Send + Sync {
    /// The one that stores, and has the locks.
    fn writing(&self) -> Result<Arc<Server>>;

    /// One that reads, and may not have heard of the last stores yet.
    fn reading(&self) -> Result<Arc<Server>>;

    /// All that store.
    fn all(&self) -> Result<Vec<Arc<Server>>>;

    /// Closes the connections to all, and ends their threads.
    fn close(&self);
}

/// A single server.
pub(crate) struct Single(Arc<Server>);

impl Single {
    pub(crate) fn new(target: Target, max_connections: usize) -> Self {
        Self(Arc::new(Server::new(target, max_connections)))
    }
}

impl Servers for Single {
    fn writing(&self) -> Result<Arc<Server>> {
        Ok(Arc::clone(&self.0))
    }

    fn reading(&self) -> Result<Arc<Server>> {
        Ok(Arc::clone(&self.0))
    }

    fn all(&self) -> Result<Vec<Arc<Server>>> {
        Ok(vec![Arc::clone(&self.0)])
    }

    fn close(&self) {
        self.0.close();
    }
}

/// A server, with the connections to it.
pub(crate) struct Server {
    target: Arc<Target>,
    max_connections: usize,
    live: ArcSwap<Live>,
}

/// What belongs to one process. A child has none of its parent's connections, of which both would read the replies.
struct Live {
    process: u32,
    pool: Arc<Pool>,
    watch: Watch,
}

impl Server {
    pub(crate) fn new(target: Target, max_connections: usize) -> Self {
        let target = Arc::new(target);
        let live = ArcSwap::new(Live::new(&target, max_connections));
        Self {
            target,
            max_connections,
            live,
        }
    }

    /// Makes a call. Blocks for a connection and for the server, at most for the time that a call may take.
    pub(crate) fn with<T>(&self, call: impl FnOnce(&mut Connection) -> Answer<T>) -> Result<T> {
        let called = self.live().pool.with(call);
        called.map_err(|failure| failure.on(&self.target))
    }

    /// What tells of locks.
    pub(crate) fn watch<T>(&self, call: impl FnOnce(&Watch) -> Answer<T>) -> Result<T> {
        let called = call(&self.live().watch);
        called.map_err(|failure| failure.on(&self.target))
    }

    pub(crate) fn close(&self) {
        let live = self.live();
        live.pool.close();
        live.watch.close();
    }

    fn live(&self) -> Arc<Live> {
        let live = self.live.load_full();
        if live.process == process::id() {
            return live;
        }
        let own = Live::new(&self.target, self.max_connections);
        let before = self.live.compare_and_swap(&live, Arc::clone(&own));
        let is_mine = Arc::ptr_eq(&before, &live);
        // What the parent had may be locked by one of its threads, for ever.
        mem::forget(live);
        if is_mine { own } else { Arc::clone(&before) }
    }
}

impl Live {
    fn new(target: &Arc<Target>, max_connections: usize) -> Arc<Self> {
        let pool = Arc::new(Pool::new(Arc::clone(target), max_connections));
        Arc::new(Self {
            process: process::id(),
            watch: Watch::new(Arc::clone(target), Arc::clone(&pool)),
            pool,
        })
    }
}
