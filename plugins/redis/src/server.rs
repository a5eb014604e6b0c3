use std::sync::Arc;
use std::time::Instant;

use dogpile_net::per_process::PerProcess;
use dogpile_plugin_api::{Error, Result};

use crate::calls::Calls;
use crate::connection::Connection;
use crate::failure::{Answer, Failure, Party};
use crate::target::Target;
use crate::watch::Watch;

/// A server, with the connections to it.
pub(crate) struct Server {
    pub(crate) target: Arc<Target>,
    max_connections: usize,
    party: &'static Party,
    live: PerProcess<Live>,
}

struct Live {
    calls: Arc<Calls>,
    watch: Watch,
}

impl Server {
    /// `party`: what it is to whoever reads its errors.
    pub(crate) fn new(party: &'static Party, target: Target, max_connections: usize) -> Self {
        let target = Arc::new(target);
        let live = PerProcess::new(Live::new(&target, max_connections));
        Self {
            target,
            max_connections,
            party,
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
            .map_err(|failure| self.told(failure))
    }

    /// The error for the host, which names the server.
    pub(crate) fn told(&self, failure: Failure) -> Error {
        failure.on(&self.target, self.party)
    }

    /// Makes a call of what tells of locks.
    pub(crate) fn watching<T>(&self, call: impl FnOnce(&Watch) -> Answer<T>) -> Answer<T> {
        call(&self.live().watch)
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
