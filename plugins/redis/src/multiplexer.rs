use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Instant;

use dogpile_net::pool::Unlent;
use parking_lot::{Condvar, Mutex};

use crate::connection::{Connection, Exchange};
use crate::failure::{Answer, Failure};
use crate::multiplexed::{Gone, Multiplexed};
use crate::target::Target;
use crate::wire::Wire;

/// The one connection to a server that all callers share. It is made by a call that finds none.
pub(crate) struct Multiplexer {
    target: Arc<Target>,
    state: Mutex<State>,
    made: Condvar,
}

#[derive(Default)]
struct State {
    current: Option<Arc<Multiplexed>>,
    /// Somebody makes one.
    is_making: bool,
    /// How often that has ended, and why it failed the last time.
    ended: u64,
    failure: Option<Failure>,
    is_closed: bool,
}

/// What one caller has of it, for one call.
struct Share<'m> {
    multiplexer: &'m Multiplexer,
    deadline: Instant,
    packed: Vec<u8>,
    /// The connection on which something was done or learnt, which the rest of the call relies on.
    on: Option<Arc<Multiplexed>>,
}

impl Multiplexer {
    pub(crate) fn new(target: Arc<Target>) -> Self {
        Self {
            target,
            state: Mutex::default(),
            made: Condvar::new(),
        }
    }

    /// Makes a call, which ends by the deadline. Blocks for the server.
    pub(crate) fn with<T>(
        &self,
        deadline: Instant,
        call: impl FnOnce(&mut Connection) -> Answer<T>,
    ) -> Answer<T> {
        let mut share = Share {
            multiplexer: self,
            deadline,
            packed: Vec::new(),
            on: None,
        };
        let ended = call(&mut Connection::on(&mut share));
        if let (Err(failure @ Failure::Nonsense), Some(on)) = (&ended, &share.on) {
            // Whose replies the next ones are is not known any more.
            on.end(failure);
        }
        ended
    }

    /// Takes no call any more. The connection is closed when the last one that is under way has ended.
    pub(crate) fn close(&self) {
        let current = {
            let mut state = self.state.lock();
            state.is_closed = true;
            state.current.take()
        };
        self.made.notify_all();
        drop(current);
    }

    /// The connection, which is made if there is none that can be used.
    fn connection(&self, deadline: Instant) -> Answer<Arc<Multiplexed>> {
        let mut state = self.state.lock();
        loop {
            if state.is_closed {
                return Err(Failure::Unlent(Unlent::Closed));
            }
            match &state.current {
                Some(current) if current.is_usable() => return Ok(Arc::clone(current)),
                _ => state.current = None,
            }
            if !state.is_making {
                state.is_making = true;
                break;
            }
            let before = state.ended;
            while state.ended == before && !state.is_closed {
                if self.made.wait_until(&mut state, deadline).timed_out() {
                    return Err(Failure::Connect(ErrorKind::TimedOut.into()));
                }
            }
            if let Some(failure) = &state.failure {
                return Err(failure.shared());
            }
        }
        drop(state);
        let making = Making(self);
        let made = Wire::open(&self.target, deadline).map(|wire| Arc::new(Multiplexed::new(wire)));
        let mut state = self.state.lock();
        state.failure = made.as_ref().err().map(Failure::shared);
        if state.is_closed {
            return Err(Failure::Unlent(Unlent::Closed));
        }
        state.current = made.as_ref().ok().map(Arc::clone);
        drop(state);
        drop(making);
        made
    }
}

/// Who makes the connection, until he has, or panics.
struct Making<'m>(&'m Multiplexer);

impl Drop for Making<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.is_making = false;
        state.ended += 1;
        drop(state);
        self.0.made.notify_all();
    }
}

impl Share<'_> {
    fn on(&mut self) -> Answer<&Arc<Multiplexed>> {
        let on = match self.on.take() {
            Some(on) => on,
            None => self.multiplexer.connection(self.deadline)?,
        };
        Ok(self.on.insert(on))
    }
}

impl Exchange for Share<'_> {
    fn packed(&mut self) -> &mut Vec<u8> {
        &mut self.packed
    }

    fn exchange(
        &mut self,
        count: usize,
        meanwhile: &mut dyn FnMut(),
        each: &mut dyn FnMut(&[u8]) -> Answer<()>,
    ) -> Answer<()> {
        let mut meanwhile = Some(meanwhile);
        let mut replies = loop {
            let is_first = self.on.is_none();
            let on = Arc::clone(self.on()?);
            let outcome = on
                .send(&self.packed, count, self.deadline)
                .and_then(|call| {
                    if let Some(meanwhile) = meanwhile.take() {
                        meanwhile();
                    }
                    on.replies(&call, self.deadline)
                });
            match outcome {
                Ok(replies) => break replies?,
                // Another caller's time was over, or the connection has ended: nothing was sent.
                Err(Gone) if is_first => self.on = None,
                Err(Gone) => return Err(Failure::Broken(ErrorKind::ConnectionAborted.into())),
            }
        };
        let mut outcome = Ok(());
        for _ in 0..count {
            let next = replies.next()?.ok_or(Failure::Nonsense)?;
            let read = each(replies.get(next));
            outcome = outcome.and(read);
        }
        outcome
    }

    fn tracks_to(&mut self) -> Option<i64> {
        // Without a connection there will be one that is not told yet.
        self.on().ok().and_then(|on| on.tracks_to())
    }

    fn track_to(&mut self, link: i64) {
        if let Some(on) = &self.on {
            on.track_to(link);
        }
    }
}
