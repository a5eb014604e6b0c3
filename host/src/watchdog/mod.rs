//! Notices calls that hang, and has nobody else wait for what they hang in.
//!
//! One thread for a host looks at the calls that are under way, a few times within the shortest `hang_after`. It asks no
//! clock in any call: a call that is seen in two looks has taken at least the time between them. That time counts only as
//! far as the thread itself got its turns: a process that was stopped, or a machine that slept, raises no alarm.

mod sight;

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use self::sight::{Place, Seen, Sight};
use crate::engine::Engine;
use crate::instance::Instance;
use crate::manifest::HANG_AFTER;
use crate::registry::Snapshot;
use crate::template_cache::TemplateCache;
use crate::worker::{Turns, Worker};

/// A call that hangs is noticed late by two looks at most.
const LOOKS: u32 = 8;
const OFTENEST: Duration = Duration::from_millis(5);
const SELDOMEST: Duration = Duration::from_millis(250);

/// The thread, from the first region that has a `hang_after` to the end of the host.
#[derive(Default)]
pub(crate) struct Watchdog(Worker);

impl Watchdog {
    /// Watches what there is now, and from now on. Called after each change of regions.
    pub(crate) fn follow(engine: &Arc<Engine>) {
        let is_wanted = || look_again(&wards(&engine.registry.load())).is_some();
        let held = Arc::downgrade(engine);
        let run = move |turns: &Turns| run(&held, turns);
        let worker = &engine.watchdog.0;
        if let Err(error) = worker.wake("dogpile-watchdog", is_wanted, run) {
            tracing::error!(
                target: "dogpile.cache", %error,
                "no thread to notice calls on that hang: `hang_after` has no effect"
            );
        }
    }

    /// Ends the thread and waits for it. It calls no plugin.
    pub(crate) fn stop(&self) {
        if !self.0.stop() {
            tracing::error!(target: "dogpile.cache", "the thread that notices calls that hang panicked");
        }
    }
}

fn run(engine: &Weak<Engine>, turns: &Turns) {
    let (mut sight, mut looked) = (Sight::default(), Instant::now());
    // Between two looks nothing of the host is held.
    while let Some(engine) = engine.upgrade() {
        let snapshot = engine.registry.load_full();
        let wards = wards(&snapshot);
        let pause = look_again(&wards);
        let now = Instant::now();
        let passed = now - looked;
        looked = now;
        look(
            &mut sight,
            &engine,
            &snapshot,
            &wards,
            counted(passed, pause),
        );
        drop((wards, snapshot, engine));
        if !turns.next(pause) {
            return;
        }
    }
}

/// What is called: a backend, a proxy or a template cache.
trait Callee {
    fn title(&self) -> String;

    /// How a call hangs in it, for people. Nobody else is to wait for it.
    fn hangs(&self, hang: &str);

    /// How many calls hang in it.
    fn set_stuck(&self, calls: usize);
}

impl Callee for Arc<Instance> {
    fn title(&self) -> String {
        Instance::title(self)
    }

    fn hangs(&self, hang: &str) {
        self.backend.hangs(&hang);
    }

    fn set_stuck(&self, calls: usize) {
        self.backend.health().set_stuck(calls);
    }
}

impl Callee for Arc<TemplateCache> {
    fn title(&self) -> String {
        TemplateCache::title(self)
    }

    fn hangs(&self, hang: &str) {
        TemplateCache::hangs(self, hang);
    }

    fn set_stuck(&self, _: usize) {}
}

/// What is watched.
struct Ward {
    callee: Box<dyn Callee>,
    /// None: for ever.
    limit: Option<Duration>,
}

/// What regions and templates call, and what that was opened around, by its address; with the shortest limit of those
/// that it is called for.
fn wards(snapshot: &Snapshot) -> HashMap<usize, Ward> {
    let mut wards: HashMap<usize, Ward> = HashMap::new();
    for region in snapshot.regions() {
        for link in region.instance.links() {
            let least = link.least_hang_after();
            let limit = region.config.hang_after.map(|limit| limit.max(least));
            let ward = wards.entry(link.backend.address());
            let ward = ward.or_insert_with(|| Ward {
                callee: Box::new(Arc::clone(link)),
                limit,
            });
            ward.limit = [ward.limit, limit].into_iter().flatten().min();
        }
    }
    if let Some(templates) = &snapshot.templates {
        let ward = Ward {
            callee: Box::new(Arc::clone(&templates.cache)),
            limit: Some(HANG_AFTER),
        };
        wards.insert(templates.cache.address(), ward);
    }
    wards
}

/// When to look again, if ever.
fn look_again(wards: &HashMap<usize, Ward>) -> Option<Duration> {
    let shortest = wards.values().filter_map(|ward| ward.limit).min()?;
    Some(pause(shortest))
}

fn pause(shortest: Duration) -> Duration {
    (shortest / LOOKS).clamp(OFTENEST, SELDOMEST)
}

/// How much of the time that has passed since the last look calls have grown older by: not what the thread had no turn in.
fn counted(passed: Duration, pause: Option<Duration>) -> Duration {
    passed.min(2 * pause.unwrap_or(SELDOMEST))
}

/// Looks at all calls, `passed` after it last did, and says what is new.
fn look(
    sight: &mut Sight,
    engine: &Engine,
    snapshot: &Snapshot,
    wards: &HashMap<usize, Ward>,
    passed: Duration,
) {
    let mut look = sight.look(passed);
    engine.mender.calls().seen(|call| {
        let place = Place::Stripe(call.stripe);
        look.sees(place, call.number, call.callee, call.method);
    });
    for region in snapshot.regions() {
        for call in region.slot.stats.marked() {
            let place = Place::Mark(region.slot.number, call.stripe);
            look.sees(place, call.number, call.callee, "get");
        }
    }
    for (title, call) in look.end() {
        tracing::warn!(
            target: "dogpile.cache",
            "{title}: a call of {} that hung has come back after {}", call.method, seconds(call.age)
        );
    }
    for (address, ward) in wards {
        let mut worst: Option<Seen> = None;
        let (mut stuck, mut new) = (0, 0);
        for call in sight.longer_than(*address, ward.limit.unwrap_or(Duration::MAX)) {
            stuck += 1;
            if call.title.is_none() {
                new += 1;
                call.title = Some(ward.callee.title());
                if worst.as_ref().is_none_or(|worst| worst.age < call.age) {
                    worst = Some(call.clone());
                }
            }
        }
        ward.callee.set_stuck(stuck);
        if let Some(worst) = worst {
            let hang = format!("hang in {} for {}", worst.method, seconds(worst.age));
            let hang = match new {
                1 => hang,
                more => format!("{hang}, and {} more calls", more - 1),
            };
            ward.callee.hangs(&hang);
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_was_stopped_raises_no_alarm() {
        for limit in [50, 100, 2_000, 3_600_000].map(Duration::from_millis) {
            let aged = counted(Duration::from_hours(24), Some(pause(limit)));
            assert!(2 * aged <= limit, "{aged:?} of {limit:?}");
        }
        let passed = Duration::from_millis(300);
        assert_eq!(counted(passed, None), passed);
    }
}
