//! Threads of tests, of which it is to be known when they wait for something.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

pub(super) struct Watched<T> {
    thread: JoinHandle<T>,
    /// What the kernel says of it.
    stat: PathBuf,
}

pub(super) fn watched<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Watched<T> {
    let (tell, told) = mpsc::channel();
    let thread = thread::spawn(move || {
        tell.send(fs::read_link("/proc/thread-self").unwrap())
            .unwrap();
        call()
    });
    let stat = PathBuf::from("/proc")
        .join(told.recv().unwrap())
        .join("stat");
    Watched { thread, stat }
}

impl<T> Watched<T> {
    pub(super) fn until_it_sleeps_or_ends(&self) {
        let sleeps = || fs::read_to_string(&self.stat).is_ok_and(|stat| stat.contains(") S "));
        while !self.thread.is_finished() && !sleeps() {
            thread::yield_now();
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    pub(super) fn end(self) -> T {
        self.thread.join().unwrap()
    }
}
