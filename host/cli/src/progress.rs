//! How far something is that takes long: a line on a terminal, which goes again.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What takes less shows nothing.
const SOON: Duration = Duration::from_millis(200);

/// How often the line is written anew.
const TICK: Duration = Duration::from_secs(1);

/// Shows on the standard error what is being done, and for how long, if that is a terminal. The line is plain text, so that
/// `NO_COLOR` changes nothing. It is gone once this is dropped.
pub(crate) struct Progress(Option<Running>);

struct Running {
    tell: Sender<String>,
    thread: JoinHandle<()>,
}

impl Progress {
    pub(crate) fn start() -> Self {
        if !io::stderr().is_terminal() {
            return Self(None);
        }
        let (tell, told) = mpsc::channel();
        let run = move || {
            let mut line = Line::default();
            let mut shown: Option<(String, Instant)> = None;
            let mut wait = SOON;
            let began = Instant::now();
            loop {
                match told.recv_timeout(wait) {
                    Ok(text) => {
                        shown = Some((text, Instant::now()));
                        wait = SOON.saturating_sub(began.elapsed());
                    }
                    Err(RecvTimeoutError::Timeout) => {
                        if let Some((text, since)) = &shown {
                            line.write(&with_time(text, since.elapsed()));
                        }
                        wait = TICK;
                    }
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            line.write("");
        };
        // Without a thread nothing is shown, and nothing else is different.
        let thread = thread::Builder::new().name("dogpile-progress".to_owned());
        let spawned = thread.spawn(run).ok();
        Self(spawned.map(|thread| Running { tell, thread }))
    }

    /// What is being done from now on.
    pub(crate) fn tell(&self, text: String) {
        if let Some(running) = &self.0 {
            // The thread ends with this alone.
            let _ended = running.tell.send(text);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(Running { tell, thread }) = self.0.take() {
            drop(tell);
            // What it could have said is of no use any more.
            let _panicked = thread.join();
        }
    }
}

fn with_time(text: &str, time: Duration) -> String {
    match time.as_secs() {
        0 => text.to_owned(),
        seconds => format!("{text} ({seconds} s)"),
    }
}

/// The line as it stands on the terminal.
#[derive(Default)]
struct Line {
    width: usize,
}

impl Line {
    /// Over what was there.
    fn write(&mut self, text: &str) {
        if text.is_empty() && self.width == 0 {
            return;
        }
        let width = text.chars().count();
        let rest = " ".repeat(self.width.saturating_sub(width));
        let end = if text.is_empty() { "\r" } else { "" };
        let mut stderr = io::stderr().lock();
        // When it is closed there is nobody to tell.
        let _closed = write!(stderr, "\r{text}{rest}{end}").and_then(|()| stderr.flush());
        self.width = width;
    }
}
