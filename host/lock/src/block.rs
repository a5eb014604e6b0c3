//! Driving a passage on the caller's own thread.

use crate::sync::{self, Arc, AtomicBool, Moment, Ordering, Thread, current_thread};
use std::cell::Cell;
use std::fmt::{self, Debug, Formatter};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Runs the futures of this crate on the caller's own thread, which sleeps while there is nothing to do.
///
/// [`Flights::get_or_create`](crate::Flights::get_or_create) does that by itself; this is for who has a future around
/// it. A future that waits for anything but this crate's own must see to it that its waker is called.
pub struct Blocking {
    deadline: Cell<Option<Moment>>,
    asleep: fn(&mut dyn FnMut()),
}

impl Blocking {
    /// For one call of [`Blocking::on`].
    pub fn new() -> Self {
        Self::asleep_in(|sleep| sleep())
    }

    /// As [`Blocking::new`], with each sleep of the thread inside of `asleep`, which calls what it is given once: for who
    /// counts the threads that are at work.
    pub fn asleep_in(asleep: fn(&mut dyn FnMut())) -> Self {
        Self {
            deadline: Cell::new(None),
            asleep,
        }
    }

    /// Ends when `wait`, counted from its first poll, has passed. Only within this thread's [`Blocking::on`].
    pub fn deadline(&self, wait: Duration) -> Deadline<'_> {
        Deadline {
            sleeper: self,
            patience: Patience::Unused(wait),
        }
    }

    /// Runs the future to its end on this thread.
    pub fn on<T>(&self, future: impl Future<Output = T>) -> T {
        let alarm = Arc::new(Alarm {
            thread: current_thread(),
            rung: AtomicBool::new(false),
        });
        let waker = Waker::from(Arc::clone(&alarm));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                return value;
            }
            // A thread's permit to go on may be used up by a call inside a creator; the flag is this call's own.
            while !alarm.rung.swap(false, Ordering::Acquire) {
                let deadline = self.deadline.take();
                (self.asleep)(&mut || {
                    // What `asleep` did may have used the permit up.
                    if alarm.rung.load(Ordering::Acquire) {
                        return;
                    }
                    match deadline {
                        Some(moment) => moment.park(),
                        None => sync::park(),
                    }
                });
                if deadline.is_some() {
                    // It is polled again, and says whether the moment has come.
                    break;
                }
            }
        }
    }
}

impl Default for Blocking {
    fn default() -> Self {
        Self::new()
    }
}

impl Debug for Blocking {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking").finish_non_exhaustive()
    }
}

struct Alarm {
    thread: Thread,
    rung: AtomicBool,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// From [`Blocking::deadline`].
pub struct Deadline<'a> {
    sleeper: &'a Blocking,
    patience: Patience,
}

enum Patience {
    Unused(Duration),
    Until(Moment),
    /// It ends too far away to be written down.
    Endless,
}

impl Future for Deadline<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if let Patience::Unused(wait) = self.patience {
            self.patience = Moment::after(wait).map_or(Patience::Endless, Patience::Until);
        }
        if let Patience::Until(moment) = self.patience {
            if moment.has_come() {
                return Poll::Ready(());
            }
            self.sleeper.deadline.set(Some(moment));
        }
        Poll::Pending
    }
}

impl Debug for Deadline<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadline").finish_non_exhaustive()
    }
}
