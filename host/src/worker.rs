//! A thread of a host that looks at things again and again, until the host ends.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;

/// The thread, from when it is wanted first.
#[derive(Default)]
pub(crate) struct Worker(Mutex<Option<Running>>);

struct Running {
    wake: SyncSender<()>,
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// What the thread waits by.
pub(crate) struct Turns {
    woken: Receiver<()>,
    stopping: Arc<AtomicBool>,
}

impl Worker {
    /// Has the thread look at once: wakes it, or has it begin to `run` if it is wanted.
    pub(crate) fn wake(
        &self,
        name: &str,
        is_wanted: impl FnOnce() -> bool,
        run: impl FnOnce(&Turns) + Send + 'static,
    ) -> io::Result<()> {
        let mut running = self.0.lock();
        if let Some(running) = &*running {
            // Full means that it is being woken already.
            let _ = running.wake.try_send(());
            return Ok(());
        }
        if !is_wanted() {
            return Ok(());
        }
        let (wake, woken) = mpsc::sync_channel(1);
        let stopping = Arc::new(AtomicBool::new(false));
        let turns = Turns {
            woken,
            stopping: Arc::clone(&stopping),
        };
        let thread = thread::Builder::new().name(name.to_owned());
        let thread = thread.spawn(move || run(&turns))?;
        *running = Some(Running {
            wake,
            stopping,
            thread,
        });
        Ok(())
    }

    /// Ends the thread and waits for it: for what it is in the middle of. False if it panicked.
    #[must_use]
    pub(crate) fn stop(&self) -> bool {
        let running = self.0.lock().take();
        running.is_none_or(|running| {
            running.stopping.store(true, Ordering::Release);
            drop(running.wake);
            running.thread.join().is_ok()
        })
    }
}

impl Turns {
    /// Waits for so long, or until it is woken, or for ever. False if the thread is to end.
    pub(crate) fn next(&self, pause: Option<Duration>) -> bool {
        match pause {
            Some(pause) => self.woken.recv_timeout(pause) != Err(RecvTimeoutError::Disconnected),
            None => self.woken.recv().is_ok(),
        }
    }

    /// Whether the thread is to end, for who looks in the middle of a turn.
    pub(crate) fn are_over(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}
