use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dogpile_net::endpoint::Place;
use dogpile_net::per_process::PerProcess;
use dogpile_plugin_api::tracing::{debug, info, warn};
use dogpile_plugin_api::{Error, Result};

use crate::failure::{Failure, WATCHED};
use crate::inquiry::{Informants, Inquiry, Knowledge, left, share};
use crate::known::{Known, Wanted};
use crate::sentinel::{all_failed, ask, is_master};
use crate::server::Server;
use crate::servers::{Next, Servers};
use crate::target::Target;

/// The servers of a service that sentinels watch: the master stores, the replicas read.
pub(crate) struct Sentinels {
    /// Those of the sentinels, and how they are spoken to.
    places: Vec<Target>,
    service: String,
    /// How the servers are spoken to, wherever they are.
    server: Target,
    max_connections: usize,
    read_from_replicas: bool,
    live: PerProcess<Live>,
}

#[derive(Default)]
struct Live {
    inquiry: Inquiry<Known>,
    /// Which replica reads next.
    turn: AtomicUsize,
}

impl Sentinels {
    pub(crate) fn new(
        places: Vec<Target>,
        service: String,
        server: Target,
        max_connections: usize,
        read_from_replicas: bool,
    ) -> Self {
        Self {
            places,
            service,
            server,
            max_connections,
            read_from_replicas,
            live: PerProcess::new(Arc::default()),
        }
    }

    fn live(&self) -> Arc<Live> {
        self.live.get(Arc::default)
    }

    /// The servers, by the deadline.
    fn known(&self, wanted: Wanted, deadline: Instant) -> Result<Arc<Known>> {
        let live = self.live();
        let inquiry = &live.inquiry;
        match inquiry.known.load_full() {
            Some(known) if known.is_young() && known.has(wanted) => Ok(known),
            _ => inquiry.known(self, |known| known.has(wanted), deadline),
        }
    }

    /// The server in that place, if it is a master by its own word.
    fn master(
        &self,
        inquiry: &Inquiry<Known>,
        place: &Place,
        sentinel: &Target,
        deadline: Instant,
    ) -> Result<Arc<Server>> {
        let known = inquiry.known.load_full();
        let servers = known.iter().flat_map(|known| known.servers());
        let server = self.at(place, servers);
        let unfit = |why: Error| {
            Error::unavailable(format_args!(
                "{}, and the sentinel {sentinel} names it as the master: a failover may be under way",
                why.message()
            ))
        };
        match server.call(share(deadline, 2), is_master) {
            Ok(true) => Ok(server),
            Ok(false) => {
                if let Some(known) = known.filter(|known| Arc::ptr_eq(&known.master, &server)) {
                    known.doubt();
                }
                let target = &server.target;
                Err(unfit(Error::unavailable(format_args!(
                    "the server {target} is a replica"
                ))))
            }
            Err(failure) if failure.is_about_server() => Err(unfit(server.told(failure))),
            Err(failure) => Err(server.told(failure)),
        }
    }

    /// These are the servers from now on.
    fn learn(&self, inquiry: &Inquiry<Known>, master: &Arc<Server>, replicas: &[Place]) {
        let before = inquiry.known.load_full();
        let reading = before.iter().flat_map(|known| &known.replicas);
        let replicas = if self.read_from_replicas {
            let places = replicas
                .iter()
                .filter(|place| **place != master.target.endpoint.place);
            places
                .map(|place| self.at(place, reading.clone()))
                .collect()
        } else {
            Vec::new()
        };
        let known = Arc::new(Known::new(Arc::clone(master), replicas));
        inquiry.learn(&known);
        match before {
            Some(before) if Arc::ptr_eq(&before.master, master) => {}
            Some(before) => {
                info!(
                    "the master of {} is {} now, and was {}",
                    self.service, master.target, before.master.target
                );
                // Who waits for a lock of it waits at the new one.
                before.master.close();
            }
            None => debug!("the master of {} is {}", self.service, master.target),
        }
    }

    /// The server in that place: one of these, with its connections, or a new one.
    fn at<'k>(
        &self,
        place: &Place,
        mut servers: impl Iterator<Item = &'k Arc<Server>>,
    ) -> Arc<Server> {
        match servers.find(|server| server.target.endpoint.place == *place) {
            Some(server) => Arc::clone(server),
            None => Arc::new(Server::new(
                &WATCHED,
                self.server.at(place.clone()),
                self.max_connections,
            )),
        }
    }
}

impl Informants<Known> for Sentinels {
    /// Until one leads to the master. Where none answers, what is known is good enough.
    fn ask(
        &self,
        inquiry: &Inquiry<Known>,
        first: usize,
        deadline: Instant,
    ) -> (usize, Result<()>) {
        let mut errors = Vec::new();
        let mut is_heard = false;
        let mut unfit = None;
        let count = self.places.len();
        let is_in_haste = left(deadline) < self.places[first].timeout.min(self.timeout() / 2);
        for turn in 0..count {
            let at = (first + turn) % count;
            let sentinel = &self.places[at];
            // The others, and who asks for all this, are to have their share.
            let report = match ask(sentinel, &self.service, share(deadline, count - turn + 1)) {
                Ok(report) => report,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            is_heard = true;
            match report {
                Some(report) if unfit.as_ref() == Some(&report.master) => {}
                Some(report) => match self.master(inquiry, &report.master, sentinel, deadline) {
                    Ok(master) => {
                        self.learn(inquiry, &master, &report.replicas);
                        return (at, Ok(()));
                    }
                    Err(error) => {
                        errors.push(error);
                        unfit = Some(report.master);
                    }
                },
                None => errors.push(Error::unavailable(format_args!(
                    "the sentinel {sentinel} watches no such service: correct `service_name`"
                ))),
            }
        }
        let error = all_failed(&self.service, &errors);
        let is_silent = !is_heard && !is_in_haste;
        let known = inquiry
            .known
            .rcu(|known| known.as_ref().map(|known| known.renewed(is_silent)));
        let next = (first + 1) % count;
        if is_silent && known.is_some() {
            warn!(%error, "the servers that were known are used further");
            return (next, Ok(()));
        }
        (next, Err(error))
    }

    fn name(&self) -> String {
        format!("the sentinels of `{}`", self.service)
    }
}

impl Servers for Sentinels {
    fn timeout(&self) -> Duration {
        self.server.timeout
    }

    fn writing(&self, _: Option<u16>, deadline: Instant) -> Result<Arc<Server>> {
        let known = self.known(Wanted::Master, deadline)?;
        Ok(Arc::clone(&known.master))
    }

    fn reading(&self, _: Option<u16>, deadline: Instant) -> Result<Arc<Server>> {
        let known = self.known(Wanted::Any, deadline)?;
        let servers = &known.replicas;
        if servers.is_empty() {
            return Ok(Arc::clone(&known.master));
        }
        let turn = self.live().turn.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::clone(&servers[turn % servers.len()]))
    }

    fn all(&self, deadline: Instant) -> Result<Vec<Arc<Server>>> {
        Ok(vec![self.writing(None, deadline)?])
    }

    fn failed(&self, server: &Arc<Server>, _: Option<u16>, failure: &Failure) -> Next {
        if !failure.is_about_server() {
            return Next::Fail;
        }
        let live = self.live();
        let known = &live.inquiry.known;
        match &*known.load() {
            Some(known) if Arc::ptr_eq(&known.master, server) => {
                known.doubt();
            }
            Some(_) => {
                // The sentinels may give it back.
                known.rcu(|known| known.as_ref().map(|known| known.without(server)));
            }
            None => {}
        }
        Next::Another
    }

    fn close(&self) {
        self.live().inquiry.close();
    }
}
