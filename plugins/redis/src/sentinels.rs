use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use dogpile_plugin_api::tracing::{debug, info, warn};
use dogpile_plugin_api::{Error, Result};
use parking_lot::{Condvar, Mutex};

use crate::failure::Failure;
use crate::known::{Known, Wanted};
use crate::per_process::PerProcess;
use crate::sentinel::{all_failed, ask, is_master};
use crate::server::{Server, Servers};
use crate::target::{Place, Target};

/// The servers of a service that sentinels watch: the master stores, the replicas read.
///
/// What the sentinels said is used until it is old or a call fails. Then one caller asks them, and the others go on with
/// what is known, or wait for him where that has failed.
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
    known: ArcSwapOption<Known>,
    asking: Mutex<Asking>,
    asked: Condvar,
    /// Which replica reads next.
    turn: AtomicUsize,
}

/// Who asks, and what came of it last.
#[derive(Default)]
struct Asking {
    is_under_way: bool,
    last: Option<(Instant, Result<()>)>,
    /// The sentinel to ask first: the one that answered last.
    first: usize,
    is_closed: bool,
}

/// How long nobody asks the sentinels again, however many callers want to. Where they led to no master, callers get that
/// error meanwhile, and nobody waits; where they did, and a call failed since, callers wait for the next question.
const PAUSE: Duration = Duration::from_millis(100);

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
        match live.known.load_full() {
            Some(known) if known.is_young() && known.has(wanted) => Ok(known),
            _ => self.found(&live, wanted, deadline),
        }
    }

    /// By the caller that asks, or by this one.
    fn found(&self, live: &Live, wanted: Wanted, deadline: Instant) -> Result<Arc<Known>> {
        let mut asking = live.asking.lock();
        loop {
            if asking.is_closed {
                return Err(closed(&self.service));
            }
            let known = live.known.load_full();
            if let Some(known) = &known
                && known.has(wanted)
                && (known.is_young() || asking.is_under_way)
            {
                return Ok(Arc::clone(known));
            }
            if let (Some((when, outcome)), false) = (&asking.last, asking.is_under_way)
                && when.elapsed() < PAUSE
            {
                outcome.clone()?;
                let next = (*when + PAUSE).min(deadline);
                if !live.asked.wait_until(&mut asking, next).timed_out() || next < deadline {
                    continue;
                }
                return known.ok_or_else(|| closed(&self.service));
            }
            if asking.is_under_way {
                if live.asked.wait_until(&mut asking, deadline).timed_out() {
                    return Err(Error::unavailable(format_args!(
                        "the sentinels of `{}` are asked by another call, and it takes longer than `socket_timeout`",
                        self.service
                    )));
                }
                continue;
            }
            asking.is_under_way = true;
            let first = asking.first;
            drop(asking);
            let asker = Asker(live);
            let (answered, outcome) = self.ask(live, first, deadline);
            live.asking.lock().answered(answered, outcome.clone());
            drop(asker);
            return match live.known.load_full() {
                Some(known) if known.has(wanted) => Ok(known),
                known => {
                    outcome?;
                    known.ok_or_else(|| closed(&self.service))
                }
            };
        }
    }

    /// Asks the sentinels in turn, from that on, until one leads to the master. Gives which did, or where to begin next
    /// time. Where none answers, what is known is good enough.
    fn ask(&self, live: &Live, first: usize, deadline: Instant) -> (usize, Result<()>) {
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
                Some(report) => match self.master(live, &report.master, sentinel, deadline) {
                    Ok(master) => {
                        self.learn(live, &master, &report.replicas);
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
        let known = live
            .known
            .rcu(|known| known.as_ref().map(|known| known.renewed(is_silent)));
        let next = (first + 1) % count;
        if is_silent && known.is_some() {
            warn!(%error, "the servers that were known are used further");
            return (next, Ok(()));
        }
        (next, Err(error))
    }

    /// The server in that place, if it is a master by its own word.
    fn master(
        &self,
        live: &Live,
        place: &Place,
        sentinel: &Target,
        deadline: Instant,
    ) -> Result<Arc<Server>> {
        let known = live.known.load_full();
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
    fn learn(&self, live: &Live, master: &Arc<Server>, replicas: &[Place]) {
        let before = live.known.load_full();
        let reading = before.iter().flat_map(|known| &known.replicas);
        let replicas = if self.read_from_replicas {
            let places = replicas
                .iter()
                .filter(|place| **place != master.target.place);
            places
                .map(|place| self.at(place, reading.clone()))
                .collect()
        } else {
            Vec::new()
        };
        let known = Arc::new(Known::new(Arc::clone(master), replicas));
        let asking = live.asking.lock();
        live.known.store(Some(Arc::clone(&known)));
        let is_closed = asking.is_closed;
        drop(asking);
        if is_closed {
            known.close();
        }
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
        match servers.find(|server| server.target.place == *place) {
            Some(server) => Arc::clone(server),
            None => Arc::new(Server::watched(
                self.server.at(place.clone()),
                self.max_connections,
            )),
        }
    }
}

impl Servers for Sentinels {
    fn timeout(&self) -> Duration {
        self.server.timeout
    }

    fn writing(&self, deadline: Instant) -> Result<Arc<Server>> {
        let known = self.known(Wanted::Master, deadline)?;
        Ok(Arc::clone(&known.master))
    }

    fn reading(&self, deadline: Instant) -> Result<Arc<Server>> {
        let known = self.known(Wanted::Any, deadline)?;
        let servers = &known.replicas;
        if servers.is_empty() {
            return Ok(Arc::clone(&known.master));
        }
        let turn = self.live().turn.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::clone(&servers[turn % servers.len()]))
    }

    fn all(&self, deadline: Instant) -> Result<Vec<Arc<Server>>> {
        Ok(vec![self.writing(deadline)?])
    }

    fn failed(&self, server: &Arc<Server>, failure: &Failure) -> bool {
        if !failure.is_about_server() {
            return false;
        }
        let live = self.live();
        match &*live.known.load() {
            Some(known) if Arc::ptr_eq(&known.master, server) => {
                known.doubt();
            }
            Some(_) => {
                // The sentinels may give it back.
                live.known
                    .rcu(|known| known.as_ref().map(|known| known.without(server)));
            }
            None => {}
        }
        true
    }

    fn close(&self) {
        let live = self.live();
        live.asking.lock().is_closed = true;
        if let Some(known) = live.known.swap(None) {
            known.close();
        }
    }
}

impl Asking {
    fn answered(&mut self, first: usize, outcome: Result<()>) {
        self.first = first;
        self.last = Some((Instant::now(), outcome));
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// The end of the first of so many equal parts of the time that is left.
fn share(deadline: Instant, parts: usize) -> Instant {
    let parts = u32::try_from(parts).unwrap_or(u32::MAX);
    Instant::now() + left(deadline) / parts
}

fn closed(service: &str) -> Error {
    Error::unavailable(format_args!("the service `{service}` {}", Failure::Closed))
}

/// Who asks, until he has an answer, or panics.
struct Asker<'l>(&'l Live);

impl Drop for Asker<'_> {
    fn drop(&mut self) {
        self.0.asking.lock().is_under_way = false;
        self.0.asked.notify_all();
    }
}
