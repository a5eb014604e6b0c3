//! Waiting for what must happen soon.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that must happen soon.
pub const SOON: Duration = Duration::from_secs(20);

/// Until it is so.
///
/// # Panics
///
/// If it is not soon.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
