//! A creation that is held until the test lets it go on.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};

use super::LONG;

/// A call whose creator is at work. It goes on when this is dropped, too, as a test does that fails.
pub(crate) struct Held<'s, T> {
    call: ScopedJoinHandle<'s, T>,
    go_on: Sender<()>,
}

/// What its creator waits at.
pub(crate) struct Hold {
    at_work: Sender<()>,
    may_go_on: Mutex<Receiver<()>>,
}

impl Hold {
    pub(crate) fn wait(&self) {
        self.at_work.send(()).expect("it is called once");
        let may_go_on = self.may_go_on.lock();
        let _told = may_go_on.unwrap_or_else(PoisonError::into_inner).recv();
    }
}

/// Makes a call on a thread of its own, and comes back when its creator waits.
#[track_caller]
pub(crate) fn held<'s, T: Send + 's>(
    scope: &'s Scope<'s, '_>,
    call: impl FnOnce(&Hold) -> T + Send + 's,
) -> Held<'s, T> {
    let (at_work, is_at_work) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let hold = Hold {
        at_work,
        may_go_on: Mutex::new(may_go_on),
    };
    let call = scope.spawn(move || call(&hold));
    is_at_work
        .recv_timeout(LONG)
        .expect("its creator is called");
    Held { call, go_on }
}

impl<T> Held<'_, T> {
    /// Lets the creator go on. Gives what its call gave.
    pub(crate) fn end(self) -> T {
        self.go_on.send(()).expect("its creator waits");
        self.call.join().unwrap()
    }
}
