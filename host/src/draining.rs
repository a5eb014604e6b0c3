//! What was replaced and is not closed yet.

use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

/// The instances of a host that were replaced, and are not closed yet.
#[derive(Default)]
pub(crate) struct Draining(Mutex<Vec<Arc<Leaving>>>);

/// One of them.
pub(crate) struct Leaving {
    /// What it is, for people.
    pub(crate) title: String,
    /// When it was replaced.
    pub(crate) since: SystemTime,
    state: Mutex<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Calls have not ended; whether that was reported.
    Called {
        calls: usize,
        stuck: bool,
    },
    Closing,
}

impl Leaving {
    /// How many calls of it have not ended, when last looked.
    pub(crate) fn calls(&self) -> usize {
        match *self.state.lock() {
            State::Called { calls, .. } => calls,
            State::Closing => 0,
        }
    }

    /// So many calls have not ended; `stuck` once that takes longer than it should.
    pub(crate) fn called(&self, calls: usize, stuck: bool) {
        *self.state.lock() = State::Called { calls, stuck };
    }

    /// All have ended.
    pub(crate) fn closing(&self) {
        *self.state.lock() = State::Closing;
    }

    /// Its name in the status.
    pub(crate) fn state(&self) -> &'static str {
        match *self.state.lock() {
            State::Called { stuck: false, .. } => "draining",
            State::Called { stuck: true, .. } => "stuck",
            State::Closing => "closing",
        }
    }
}

impl Draining {
    /// Those that are left, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Leaving>> {
        self.0.lock().clone()
    }

    pub(crate) fn add(&self, title: String) -> Arc<Leaving> {
        let leaving = Arc::new(Leaving {
            title,
            since: SystemTime::now(),
            state: Mutex::new(State::Called {
                calls: 0,
                stuck: false,
            }),
        });
        self.0.lock().push(Arc::clone(&leaving));
        leaving
    }

    /// It is closed.
    pub(crate) fn remove(&self, leaving: &Arc<Leaving>) {
        self.0.lock().retain(|one| !Arc::ptr_eq(one, leaving));
    }
}
