//! Mends instances: reopens those that are retired, and pings those whose breaker is open. Of the templates' cache, the
//! former.

mod templates;

use std::io;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use dogpile_lock::Clock;
use parking_lot::{Condvar, Mutex};

use crate::blame;
use crate::calls::Calls;
use crate::engine::{Engine, Spawner};
use crate::events::Events;
use crate::health::State;
use crate::instance::Instance;
use crate::loader::{Attempts, OpenError};
use crate::plugins::PluginSet;
use crate::registry::Snapshot;
use crate::reload::{LastCall, retire};
use crate::template_cache::TemplateCache;
use crate::trust::Trust;
use crate::watched::Mender;

/// An engine whose instances are mended, each on a thread of its own, until the engine is dropped.
pub(crate) fn engine(
    linked: PluginSet,
    clock: &'static Clock,
    spawner: Option<Spawner>,
    trust: Option<Trust>,
    events: Arc<dyn Events>,
) -> Arc<Engine> {
    Arc::new_cyclic(|engine| {
        let workshop = Workshop {
            engine: engine.clone(),
            clock,
            closing: Arc::default(),
            calls: Arc::default(),
        };
        let mender = Arc::new(workshop);
        Engine::new(linked, clock, spawner, trust, mender, events)
    })
}

/// Where a host's instances are mended. It closes when it is dropped with the host and the instances.
struct Workshop {
    engine: Weak<Engine>,
    clock: &'static Clock,
    closing: Arc<Closing>,
    calls: Arc<Calls>,
}

impl Workshop {
    /// Begins with a patient, on a thread of its own.
    fn begin<P: Patient>(&self, patient: &Arc<P>) -> io::Result<()> {
        let job = Job {
            engine: self.engine.clone(),
            patient: Arc::downgrade(patient),
            closing: Arc::clone(&self.closing),
            attempts: Attempts::default(),
        };
        let thread = thread::Builder::new().name("dogpile-mend".to_owned());
        thread.spawn(move || job.run()).map(drop)
    }
}

impl Mender for Workshop {
    fn mend(&self, instance: &Arc<Instance>) -> io::Result<()> {
        self.begin(instance)
    }

    fn mend_templates(&self, cache: &Arc<TemplateCache>) -> io::Result<()> {
        self.begin(cache)
    }

    fn hits(&self, instance: &Instance) -> u64 {
        let Some(engine) = self.engine.upgrade() else {
            return 0;
        };
        let snapshot = engine.registry.load();
        let called = snapshot
            .regions()
            .filter(|region| std::ptr::eq(Arc::as_ptr(&region.instance), instance));
        called.map(|region| region.slot.stats.hits()).sum()
    }

    fn now(&self) -> u64 {
        self.clock.steady()
    }

    fn calls(&self) -> &Arc<Calls> {
        &self.calls
    }

    fn close(&self) {
        self.closing.begin();
    }
}

/// Wakes the threads when the host is dropped.
#[derive(Default)]
struct Closing {
    begun: Mutex<bool>,
    woken: Condvar,
}

impl Closing {
    fn begin(&self) {
        *self.begun.lock() = true;
        self.woken.notify_all();
    }

    /// Waits; true if the host was dropped meanwhile.
    fn within(&self, pause: Duration) -> bool {
        let deadline = Instant::now() + pause;
        let mut begun = self.begun.lock();
        while !*begun {
            if self.woken.wait_until(&mut begun, deadline).timed_out() {
                break;
            }
        }
        *begun
    }
}

/// What can be mended.
trait Patient: Send + Sync + Sized + 'static {
    /// What it is called in the log.
    fn title(&self) -> String;

    /// Whether a snapshot has it.
    fn is_used(self: &Arc<Self>, snapshot: &Snapshot) -> bool;

    /// How long to wait before the next attempt.
    fn next_pause(&self) -> Duration;

    /// It is well again, or has a successor that is.
    fn mended(&self);

    /// Whether it is mended.
    fn attempt(self: &Arc<Self>, job: &Job<Self>) -> bool;
}

/// One patient. Between two attempts the job holds nothing, so that host and patient can go.
struct Job<P> {
    engine: Weak<Engine>,
    patient: Weak<P>,
    closing: Arc<Closing>,
    attempts: Attempts,
}

impl<P: Patient> Job<P> {
    fn run(&self) {
        while let Some(patient) = self.in_use() {
            let pause = patient.next_pause();
            drop(patient);
            let Some(patient) = self.after(pause) else {
                return;
            };
            if self.attempts.run(|| patient.attempt(self)) {
                patient.mended();
                return;
            }
        }
    }

    /// The patient after a pause, and after no earlier attempt hangs in a plugin any more: another would leave one more
    /// thread there.
    fn after(&self, pause: Duration) -> Option<Arc<P>> {
        let mut is_told = false;
        loop {
            if self.closing.within(pause) {
                return None;
            }
            let patient = self.in_use()?;
            if !self.attempts.hang() {
                return Some(patient);
            }
            if !std::mem::replace(&mut is_told, true) {
                blame::opens_still(&patient.title());
            }
        }
    }

    /// The patient, if a reload has not replaced it meanwhile.
    fn in_use(&self) -> Option<Arc<P>> {
        let engine = self.engine.upgrade()?;
        let patient = self.patient.upgrade()?;
        patient.is_used(&engine.registry.load()).then_some(patient)
    }
}

impl Patient for Instance {
    fn title(&self) -> String {
        self.title()
    }

    fn is_used(self: &Arc<Self>, snapshot: &Snapshot) -> bool {
        snapshot.uses(self)
    }

    fn next_pause(&self) -> Duration {
        self.next_pause()
    }

    fn mended(&self) {
        self.mended();
    }

    fn attempt(self: &Arc<Self>, job: &Job<Self>) -> bool {
        match self.backend.health().state() {
            State::Open => true,
            State::BreakerOpen => answers(self),
            State::Retired | State::Closed => job.reopened(self),
        }
    }
}

impl Job<Instance> {
    /// Opens a successor, and gives it to all regions of the instance. Without the change lock, so that a reload need
    /// not wait for a plugin.
    fn reopened(&self, instance: &Arc<Instance>) -> bool {
        let Some(timeouts) = self
            .engine
            .upgrade()
            .map(|engine| engine.registry.load().timeouts)
        else {
            return true;
        };
        if instance.properties.exclusive && !self.closed(instance, timeouts.drain) {
            return false;
        }
        let successor = instance.reopen(instance.inner.as_ref(), timeouts.open);
        match successor.and_then(|successor| self.succeed(instance, &successor)) {
            Ok(()) => true,
            Err(error) => {
                blame::not_reopened(&instance.title(), &error);
                false
            }
        }
    }

    /// Puts the successor in the instance's place, with new proxies around it where there were some.
    fn succeed(
        &self,
        instance: &Arc<Instance>,
        successor: &Arc<Instance>,
    ) -> Result<(), OpenError> {
        let Some(engine) = self.engine.upgrade() else {
            return Ok(());
        };
        // Dropped after the lock: it may close what was opened for nothing.
        let mut known = vec![(Arc::clone(instance), Arc::clone(successor))];
        let _change = engine.change.lock();
        let current = engine.registry.load_full();
        // A reload came first.
        if !current.uses(instance) {
            return Ok(());
        }
        let mut next = Snapshot::clone(&current);
        drop(current);
        let timeout = next.timeouts.open;
        next.succeed(&mut known, timeout)?;
        let old = engine.registry.amend(next);
        retire(&engine, old);
        tracing::info!(target: "dogpile.cache", "{} was reopened", successor.title());
        Ok(())
    }

    /// Closes an instance that must be closed before its successor opens.
    fn closed(&self, instance: &Arc<Instance>, patience: Option<Duration>) -> bool {
        let Some(engine) = self.engine.upgrade() else {
            return false;
        };
        let change = engine.change.lock();
        let last_call = LastCall::begin(&engine, instance, 1);
        drop(change);
        drop(engine);
        let mut gone = false;
        let closed = last_call.finish(patience, |pause| {
            gone = self.closing.within(pause);
            gone
        });
        if !closed && !gone {
            tracing::error!(
                target: "dogpile.cache",
                "{} is held by a call that began before: it cannot be closed and reopened yet",
                instance.title()
            );
        }
        closed
    }
}

/// Pings, and closes the breaker if there is an answer. A ping may hang as well; then this is the only thread that does.
fn answers(instance: &Instance) -> bool {
    match instance.backend.ping() {
        Ok(()) => {
            let closed = instance.backend.health().close_breaker();
            if closed {
                tracing::info!(target: "dogpile.cache", "{} answers again: its breaker is closed", instance.title());
            }
            closed
        }
        Err(error) => {
            tracing::debug!(target: "dogpile.cache", %error, "{} does not answer yet", instance.title());
            instance.unanswered();
            false
        }
    }
}
