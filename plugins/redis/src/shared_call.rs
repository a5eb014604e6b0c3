use std::mem;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::failure::{Answer, Failure};

/// A call on a connection that others share, for whose answer its caller waits.
#[derive(Default)]
pub(crate) struct SharedCall {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The replies that have come.
    replies: Vec<u8>,
    answer: Option<Answer<()>>,
    /// What its caller is to do for all.
    duty: Option<Duty>,
    is_waiting: bool,
    /// Nothing of it was sent, nor will be.
    is_unsent: bool,
}

/// What one caller does for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    Read,
    Write,
}

/// Why a wait has ended.
pub(crate) enum Turned {
    /// There is something to do, whatever else there is.
    Duty(Duty),
    /// With all replies, one after the other.
    Answered(Answer<Vec<u8>>),
    /// Nothing of it was sent, nor will be.
    Unsent,
    TimedOut,
}

impl SharedCall {
    /// Whether there is still something to wait for. If `for_others`, its caller waits from now on, and takes duties.
    pub(crate) fn waits(&self, for_others: bool) -> bool {
        let mut state = self.state.lock();
        let waits = state.answer.is_none() && !state.is_unsent;
        // Who has an answer, be it that his time is over, goes, though the call may still have its place in the order.
        state.is_waiting = for_others && waits;
        waits
    }

    pub(crate) fn wait(&self, deadline: Instant) -> Turned {
        let mut state = self.state.lock();
        let mut is_over = false;
        loop {
            if let Some(duty) = state.duty.take() {
                return Turned::Duty(duty);
            }
            if let Some(answer) = state.answer.take() {
                let replies = mem::take(&mut state.replies);
                return Turned::Answered(answer.map(|()| replies));
            }
            if state.is_unsent {
                return Turned::Unsent;
            }
            if is_over {
                return Turned::TimedOut;
            }
            is_over = self.changed.wait_until(&mut state, deadline).timed_out();
        }
    }

    /// Whether its caller takes a duty, which he has then.
    pub(crate) fn give(&self, duty: Duty) -> bool {
        let mut state = self.state.lock();
        if state.answer.is_some() || !state.is_waiting {
            return false;
        }
        state.is_waiting = false;
        state.duty = Some(duty);
        self.changed.notify_one();
        true
    }

    #[cfg(test)]
    pub(crate) fn is_waiting(&self) -> bool {
        self.state.lock().is_waiting
    }

    /// Whether there is nothing to wait for any more.
    pub(crate) fn has_ended(&self) -> bool {
        let state = self.state.lock();
        state.answer.is_some() || state.is_unsent
    }

    /// A reply has come.
    pub(crate) fn came(&self, reply: &[u8], is_last: bool) {
        let mut state = self.state.lock();
        if state.answer.is_some() {
            return;
        }
        state.replies.extend_from_slice(reply);
        if is_last {
            state.answer = Some(Ok(()));
            self.changed.notify_one();
        }
    }

    /// It has failed, unless it is answered.
    pub(crate) fn fail(&self, failure: Failure) {
        let mut state = self.state.lock();
        state.answer.get_or_insert(Err(failure));
        self.changed.notify_one();
    }

    /// Nothing of it was sent, nor will be.
    pub(crate) fn was_not_sent(&self) {
        self.state.lock().is_unsent = true;
        self.changed.notify_one();
    }

    /// Its time is over: it has failed unless it is answered, and takes no duty. Whether it failed, and what duty it had been
    /// given already.
    pub(crate) fn time_out(&self) -> (bool, Option<Duty>) {
        let mut state = self.state.lock();
        state.is_waiting = false;
        let fails = state.answer.is_none();
        state
            .answer
            .get_or_insert_with(|| Err(Failure::timed_out()));
        (fails, state.duty.take())
    }
}
