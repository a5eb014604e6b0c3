//! Driving a passage on the caller's own thread.

use crate::sync::{self, Arc, AtomicBool, Moment, Ordering, Thread, current_thread};
use std::cell::Cell;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// A thread that sleeps until it is woken or its deadline has come.
pub(crate) struct Blocking {
    deadline: Cell<Option<Moment>>,
}

impl Blocking {
    pub(crate) fn new() -> Self {
        Self {
            deadline: Cell::new(None),
        }
    }

    /// Ends when `wait`, counted from its first poll, has passed. Only within this thread's [`Blocking::on`].
    pub(crate) fn deadline(&self, wait: Duration) -> Deadline<'_> {
        Deadline {
            sleeper: self,
            patience: Patience::Unused(wait),
        }
    }

    /// Runs the future to its end on this thread.
    pub(crate) fn on<T>(&self, future: impl Future<Output = T>) -> T {
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
                match self.deadline.take() {
                    Some(moment) => {
                        moment.park();
                        // It is polled again, and says whether the moment has come.
                        break;
                    }
                    None => sync::park(),
                }
            }
        }
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
pub(crate) struct Deadline<'a> {
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
