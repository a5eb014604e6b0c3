use std::sync::Arc;
use std::time::{Duration, Instant};

use dogpile_plugin_api::Result;

use crate::calls::Calls;
use crate::connection::Connection;
use crate::failure::{Answer, Failure};
use crate::per_process::PerProcess;
use crate::target::Target;
use crate::watch::Watch;

/// The servers that hold the entries.
pub(crate) trait Servers: Send + Sync {
    /// How long a call may take.
    fn timeout(&self) -> Duration;

    /// The one that stores, and has the locks; found by the deadline.
    fn writing(&self, deadline: Instant) -> Result<Arc<Server>>;

    /// One that reads, and may not have heard of the last stores yet; found by the deadline.
    fn reading(&self, deadline: Instant) -> Result<Arc<Server>>;

    /// All that store; found by the deadline.
    fn all(&self, deadline: Instant) -> Result<Vec<Arc<Server>>>;

    /// Hears that a call of `server` failed. Whether another may be in its place.
    fn failed(&self, server: &Arc<Server>, failure: &Failure) -> bool;

    /// Closes the connections to all, and ends their threads.
    fn close(&self);
}

/// Each makes a call, within the time that it may take. Where the server has changed, and has not done it, the call is
/// made again, once, of the one in its place.
impl dyn Servers {
    /// Of the server that stores.
    pub(crate) fn write<T>(&self, mut call: impl FnMut(&mut Connection) -> Answer<T>) -> Result<T> {
        self.call(
            |deadline| self.writing(deadline),
            |server, deadline| server.call(deadline, &mut call),
            Failure::did_nothing,
        )
    }

    /// Of one that reads. The call changes nothing.
    pub(crate) fn read<T>(&self, mut call: impl FnMut(&mut Connection) -> Answer<T>) -> Result<T> {
        self.call(
            |deadline| self.reading(deadline),
            |server, deadline| server.call(deadline, &mut call),
            |_| true,
        )
    }

    /// Of what tells of locks.
    pub(crate) fn watch<T>(&self, mut call: impl FnMut(&Watch) -> Answer<T>) -> Result<T> {
        self.call(
            |deadline| self.writing(deadline),
            |server, _| call(&server.live().watch),
            Failure::did_nothing,
        )
    }

    fn call<T>(
        &self,
        find: impl Fn(Instant) -> Result<Arc<Server>>,
        mut call: impl FnMut(&Server, Instant) -> Answer<T>,
        may_repeat: impl Fn(&Failure) -> bool,
    ) -> Result<T> {
        let deadline = Instant::now() + self.timeout();
        let server = find(deadline)?;
        let failure = match call(&server, deadline) {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        if !self.failed(&server, &failure) || !may_repeat(&failure) || Instant::now() >= deadline {
            return Err(failure.on(&server.target));
        }
        let other = find(deadline)?;
        if Arc::ptr_eq(&other, &server) {
            return Err(failure.on(&server.target));
        }
        call(&other, deadline).map_err(|failure| {
            self.failed(&other, &failure);
            failure.on(&other.target)
        })
    }
}

/// A single server.
pub(crate) struct Single(Arc<Server>);

impl Single {
    pub(crate) fn new(target: Target, max_connections: usize) -> Self {
        Self(Arc::new(Server::new(target, max_connections)))
    }
}

impl Servers for Single {
    fn timeout(&self) -> Duration {
        self.0.target.timeout
    }

    fn writing(&self, _: Instant) -> Result<Arc<Server>> {
        Ok(Arc::clone(&self.0))
    }

    fn reading(&self, _: Instant) -> Result<Arc<Server>> {
        Ok(Arc::clone(&self.0))
    }

    fn all(&self, _: Instant) -> Result<Vec<Arc<Server>>> {
        Ok(vec![Arc::clone(&self.0)])
    }

    fn failed(&self, _: &Arc<Server>, _: &Failure) -> bool {
        false
    }

    fn close(&self) {
        self.0.close();
    }
}

/// A server, with the connections to it.
pub(crate) struct Server {
    pub(crate) target: Arc<Target>,
    max_connections: usize,
    live: PerProcess<Live>,
}

struct Live {
    calls: Arc<Calls>,
    watch: Watch,
}

impl Server {
    pub(crate) fn new(target: Target, max_connections: usize) -> Self {
        let target = Arc::new(target);
        let live = PerProcess::new(Live::new(&target, max_connections));
        Self {
            target,
            max_connections,
            live,
        }
    }

    /// Makes a call. Blocks for a connection and for the server, until the deadline at most.
    pub(crate) fn call<T>(
        &self,
        deadline: Instant,
        call: impl FnOnce(&mut Connection) -> Answer<T>,
    ) -> Answer<T> {
        self.live().calls.with(deadline, call)
    }

    /// Makes a call, at most for the time that it may take. The error names the server.
    pub(crate) fn with<T>(&self, call: impl FnOnce(&mut Connection) -> Answer<T>) -> Result<T> {
        self.call(Instant::now() + self.target.timeout, call)
            .map_err(|failure| failure.on(&self.target))
    }

    pub(crate) fn close(&self) {
        let live = self.live();
        live.calls.close();
        live.watch.close();
    }

    fn live(&self) -> Arc<Live> {
        self.live
            .get(|| Live::new(&self.target, self.max_connections))
    }
}

impl Live {
    fn new(target: &Arc<Target>, max_connections: usize) -> Arc<Self> {
        let calls = Arc::new(Calls::new(target, max_connections));
        Arc::new(Self {
            watch: Watch::new(Arc::clone(target), Arc::clone(&calls)),
            calls,
        })
    }
}
