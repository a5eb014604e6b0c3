//! What the kernel tells of locks.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_mins(1);

/// Waits until somebody waits for a lock of a byte of that file.
///
/// # Panics
///
/// If it is not there, or nobody does within a minute.
pub fn until_one_waits(file: &Path) {
    let number = fs::metadata(file).expect("it is there").ino();
    let number = format!(":{number} ");
    let deadline = Instant::now() + LIMIT;
    loop {
        let locks = fs::read_to_string("/proc/locks").expect("the kernel tells");
        let waits = |line: &str| line.contains("-> OFDLCK") && line.contains(&number);
        if locks.lines().any(waits) {
            return;
        }
        assert!(Instant::now() < deadline, "nobody waits");
        thread::yield_now();
    }
}
