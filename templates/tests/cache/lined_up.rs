//! Who waits for a text, from the lock's log: a line is written when a caller has its place in line.

use std::io::{self, Write};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What the lock has logged in this process.
static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// From now on it is known who lines up.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_writer(|| Lines)
            .init();
    });
}

/// Until so many callers have lined up for the text in whose key `name` is. Tests of one process use different names.
#[track_caller]
pub(crate) fn until_lined_up(name: &str, callers: usize) {
    let lined_up = || {
        let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = String::from_utf8_lossy(&lines);
        let waits = |line: &&str| line.contains("no value, waiting") && line.contains(name);
        lines.lines().filter(waits).count()
    };
    let began = Instant::now();
    while lined_up() < callers {
        assert!(
            began.elapsed() < Duration::from_mins(1),
            "{} of {callers} callers have lined up for {name:?}",
            lined_up()
        );
        thread::sleep(Duration::from_millis(1));
    }
}

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
