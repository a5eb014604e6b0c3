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
        self.queue.put(stream, bytes);
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

    fn put(&self, stream: Stream, bytes: &[u8]) {
        let mut state = self.lock();
        while state.length >= LIMIT {
            state = self.wait(state);
        }
        if state.failed[stream as usize] {
            return;
        }
        state.length += bytes.len();
        match state.waiting.back_mut() {
            Some((last, waiting)) if *last == stream => waiting.extend_from_slice(bytes),
            _ => state.waiting.push_back((stream, bytes.to_vec())),
        }
        self.changed.notify_all();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::threads::watched;

    #[test]
    fn no_more_waits_to_be_printed_than_is_kept_of_a_run() {
        let queue = Arc::<Queue>::default();
        let own = Arc::clone(&queue);
        let chunk = vec![0; LIMIT / 2];
        let sender = watched(move || (0..6).for_each(|_| own.put(Stream::Out, &chunk)));
        let mut printed = 0;
        while printed < 3 * LIMIT {
            sender.until_it_sleeps_or_ends();
            let length = queue.lock().length;
            assert!(length <= LIMIT, "{length}");
            if length == LIMIT || sender.has_ended() {
                let (_, bytes) = queue.next().unwrap();
                printed += bytes.len();
            }
        }
        sender.end();
    }
}
