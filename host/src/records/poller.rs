//! Looks at the records of a host's regions, each once an interval, on one thread.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::exchange;
use crate::engine::Engine;
use crate::instance::Instance;
use crate::registry::Configured;
use crate::worker::{Turns, Worker};

/// The shortest interval.
const SHORTEST: Duration = Duration::from_millis(1);

/// The longest, so that no sum of times overflows.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// The thread, from the first region that shares its invalidations to the end of the host.
#[derive(Default)]
pub(crate) struct Poller(Worker);

impl Poller {
    /// Looks at the regions as they are now, and from now on. Called after each change of them.
    pub(crate) fn follow(engine: &Arc<Engine>) {
        let is_wanted = || {
            let snapshot = engine.registry.load();
            snapshot.regions().any(Configured::shares_invalidations)
        };
        let held = Arc::downgrade(engine);
        let run = move |turns: &Turns| run(&held, turns);
        if let Err(error) = engine.poller.0.wake("dogpile-poll", is_wanted, run) {
            tracing::error!(
                target: "dogpile.cache",
                %error,
                "no thread to read the records of invalidations on: those of other processes are not seen"
            );
        }
    }

    /// Ends the thread and waits for it: for a call of a backend at most.
    pub(crate) fn stop(&self) {
        if !self.0.stop() {
            tracing::error!(target: "dogpile.cache", "the thread that reads the records of invalidations panicked");
        }
    }
}

/// A region's last look.
struct Look {
    /// When it began; when it ended, if it failed.
    at: Instant,
    /// Where it looked.
    instance: Weak<Instance>,
    key_prefix: String,
    failed: bool,
}

impl Look {
    fn is_of(&self, region: &Configured) -> bool {
        self.instance.as_ptr() == Arc::as_ptr(&region.instance)
            && self.key_prefix == region.config.key_prefix
    }
}

fn run(engine: &Weak<Engine>, turns: &Turns) {
    let mut looks = HashMap::new();
    // Between two rounds nothing of the host is held.
    while let Some(next) = engine
        .upgrade()
        .map(|engine| round(&engine, &mut looks, turns))
    {
        let pause = next.map(|next| next.saturating_duration_since(Instant::now()));
        if !turns.next(pause) {
            return;
        }
    }
}

/// Looks at all regions whose time has come; gives when the next one's does.
fn round(engine: &Engine, looks: &mut HashMap<usize, Look>, turns: &Turns) -> Option<Instant> {
    let shares = |region: &&Configured| region.shares_invalidations();
    let snapshot = engine.registry.load_full();
    let numbers: Vec<_> = snapshot
        .regions()
        .filter(shares)
        .map(|region| region.slot.number)
        .collect();
    drop(snapshot);
    looks.retain(|number, _| numbers.contains(number));
    let mut next: Option<Instant> = None;
    for number in numbers {
        if turns.are_over() {
            return None;
        }
        // A snapshot is held for one look at one region.
        let snapshot = engine.registry.load_full();
        let Some(region) = snapshot.region(number).filter(shares) else {
            continue;
        };
        let interval = region.config.invalidation_interval.clamp(SHORTEST, LONGEST);
        let last = looks.get(&number).filter(|look| look.is_of(region));
        let now = Instant::now();
        let due = last.map(|look| look.at + interval).filter(|due| *due > now);
        let had_failed = last.is_some_and(|look| look.failed);
        let due = due.unwrap_or_else(|| {
            let failed = look(engine, region, had_failed);
            // A storage that lets its callers wait is left alone for as long.
            let at = if failed { Instant::now() } else { now };
            let look = Look {
                at,
                instance: Arc::downgrade(&region.instance),
                key_prefix: region.config.key_prefix.clone(),
                failed,
            };
            looks.insert(number, look);
            at + interval
        });
        next = Some(next.map_or(due, |next| next.min(due)));
    }
    next
}

/// Whether it failed. A storage that is away is reported when that begins and when it ends.
fn look(engine: &Engine, region: &Configured, failed: bool) -> bool {
    let name = &region.config.name;
    match exchange(region, engine.clock) {
        Ok(()) => {
            if failed {
                tracing::info!(target: "dogpile.cache", region = name, "its record of invalidations can be read again");
            }
            false
        }
        Err(error) => {
            if !failed {
                tracing::warn!(
                    target: "dogpile.cache",
                    region = name, %error,
                    "its record of invalidations cannot be read or written: until it can, this process and others do \
                     not see each other's"
                );
            }
            true
        }
    }
}
