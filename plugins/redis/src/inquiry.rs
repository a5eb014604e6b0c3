use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use dogpile_plugin_api::{Error, Result};
use parking_lot::{Condvar, Mutex};

/// What others say of the servers. It is used until it is old or a call fails. Then one caller asks them, and the others go
/// on with what is known, or wait for him where that does not do.
pub(crate) struct Inquiry<K> {
    pub(crate) known: ArcSwapOption<K>,
    asking: Mutex<Asking>,
    asked: Condvar,
}

/// Who asks, and what came of it last.
#[derive(Default)]
struct Asking {
    is_under_way: bool,
    last: Option<(Instant, Result<()>)>,
    /// Whom to ask first: by default the one that answered last.
    first: usize,
    is_closed: bool,
}

/// What is known.
pub(crate) trait Knowledge {
    /// Whether it is relied on without asking.
    fn is_young(&self) -> bool;

    /// Closes the connections to all servers in it.
    fn close(&self);
}

/// Whom callers ask.
pub(crate) trait Informants<K> {
    /// Asks them in turn, from that on. Gives where to begin next time. What they said is known then.
    fn ask(&self, inquiry: &Inquiry<K>, first: usize, deadline: Instant) -> (usize, Result<()>);

    /// What they tell of, for errors: `the sentinels of x`.
    fn name(&self) -> String;
}

/// How long nobody is asked again, however many callers want to. Where an inquiry failed, callers get that error meanwhile,
/// and nobody waits; where it did not, and a call failed since, callers wait for the next.
const PAUSE: Duration = Duration::from_millis(100);

impl<K> Default for Inquiry<K> {
    fn default() -> Self {
        Self {
            known: ArcSwapOption::empty(),
            asking: Mutex::default(),
            asked: Condvar::new(),
        }
    }
}

impl<K: Knowledge> Inquiry<K> {
    /// What is known by the deadline, by the caller that asks, or by this one. `does`: whether it is what is wanted; what
    /// was just said is given all the same.
    pub(crate) fn known(
        &self,
        informants: &dyn Informants<K>,
        does: impl Fn(&K) -> bool,
        deadline: Instant,
    ) -> Result<Arc<K>> {
        let mut asking = self.asking.lock();
        loop {
            if asking.is_closed {
                return Err(closed(informants));
            }
            let known = self.known.load_full();
            if let Some(known) = &known
                && does(known)
                && (known.is_young() || asking.is_under_way)
            {
                return Ok(Arc::clone(known));
            }
            if let (Some((when, outcome)), false) = (&asking.last, asking.is_under_way)
                && when.elapsed() < PAUSE
            {
                outcome.clone()?;
                let next = (*when + PAUSE).min(deadline);
                if !self.asked.wait_until(&mut asking, next).timed_out() || next < deadline {
                    continue;
                }
                return known.ok_or_else(|| closed(informants));
            }
            if asking.is_under_way {
                if self.asked.wait_until(&mut asking, deadline).timed_out() {
                    return Err(Error::unavailable(format_args!(
                        "{} are asked by another call, and it takes longer than `socket_timeout`",
                        informants.name()
                    )));
                }
                continue;
            }
            asking.is_under_way = true;
            let first = asking.first;
            drop(asking);
            let asker = Asker(self);
            let (first, outcome) = informants.ask(self, first, deadline);
            {
                let mut asking = self.asking.lock();
                asking.first = first;
                asking.last = Some((Instant::now(), outcome.clone()));
            }
            drop(asker);
            return match self.known.load_full() {
                Some(known) if does(&known) => Ok(known),
                known => {
                    outcome?;
                    known.ok_or_else(|| closed(informants))
                }
            };
        }
    }

    /// This is known from now on. Gives what was before.
    pub(crate) fn learn(&self, known: &Arc<K>) -> Option<Arc<K>> {
        let asking = self.asking.lock();
        let before = self.known.swap(Some(Arc::clone(known)));
        let is_closed = asking.is_closed;
        drop(asking);
        if is_closed {
            self.known.store(None);
            known.close();
        }
        before
    }

    /// Nothing is known, or asked for, from now on.
    pub(crate) fn close(&self) {
        self.asking.lock().is_closed = true;
        if let Some(known) = self.known.swap(None) {
            known.close();
        }
    }
}

fn closed<K>(informants: &dyn Informants<K>) -> Error {
    Error::unavailable(format_args!("{}: the backend is closed", informants.name()))
}

/// Who asks, until he has an answer, or panics.
struct Asker<'i, K>(&'i Inquiry<K>);

impl<K> Drop for Asker<'_, K> {
    fn drop(&mut self) {
        self.0.asking.lock().is_under_way = false;
        self.0.asked.notify_all();
    }
}

/// The end of the first of so many equal parts of the time that is left.
pub(crate) fn share(deadline: Instant, parts: usize) -> Instant {
    let parts = u32::try_from(parts).unwrap_or(u32::MAX);
    Instant::now() + left(deadline) / parts
}

pub(crate) fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
