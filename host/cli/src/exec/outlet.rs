//! Printing while a command runs.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::printing::{Printed, Printer};
use super::record::{LIMIT, Stream};

/// Prints on a thread of its own, so that a slow reader of ours does not hold up the command, for which others wait too:
/// it can be behind by as much as is kept of a run.
pub(super) struct Outlet {
    queue: Arc<Queue>,
    thread: JoinHandle<Printed>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Stream, Vec<u8>)>,
    length: usize,
    /// Nothing comes any more.
    ended: bool,
    failed: [bool; 2],
}

impl Outlet {
    pub(super) fn start() -> io::Result<Self> {
        let queue = Arc::<Queue>::default();
        let own = Arc::clone(&queue);
        let thread = thread::Builder::new().name("dogpile-print".to_owned());
        Ok(Self {
            queue,
            thread: thread.spawn(move || own.print())?,
        })
    }

    /// Has it printed; blocks while too much waits to be.
    pub(super) fn send(&self, stream: Stream, bytes: &[u8]) {
        let mut state = self.queue.lock();
        while state.length >= LIMIT {
            state = self.queue.wait(state);
        }
        if state.failed[stream as usize] {
            return;
        }
        state.length += bytes.len();
        match state.waiting.back_mut() {
            Some((last, waiting)) if *last == stream => waiting.extend_from_slice(bytes),
            _ => state.waiting.push_back((stream, bytes.to_vec())),
        }
        self.queue.changed.notify_all();
    }

    /// Whether nobody reads that stream any more.
    pub(super) fn has_failed(&self, stream: Stream) -> bool {
        self.queue.lock().failed[stream as usize]
    }

    /// Waits until all of it is printed.
    pub(super) fn end(self) -> Printed {
        self.queue.lock().ended = true;
        self.queue.changed.notify_all();
        self.thread.join().unwrap_or_else(|_| Printed {
            gone: false,
            error: Some(io::Error::other("printing panicked")),
        })
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn print(&self) -> Printed {
        let mut printer = Printer::default();
        while let Some((stream, bytes)) = self.next() {
            printer.print(stream, &bytes);
            if printer.has_failed(stream) {
                self.lock().failed[stream as usize] = true;
            }
        }
        printer.printed()
    }

    fn next(&self) -> Option<(Stream, Vec<u8>)> {
        let mut state = self.lock();
        loop {
            if let Some((stream, bytes)) = state.waiting.pop_front() {
                state.length -= bytes.len();
                self.changed.notify_all();
                return Some((stream, bytes));
            }
            if state.ended {
                return None;
            }
            state = self.wait(state);
        }
    }
}
