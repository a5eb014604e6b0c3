use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};

/// So many calls within one tick look at the files; whoever asks more often than that is served by the last look.
///
/// A look takes a fifth of a microsecond, which is as long as the rest of a hit; all looks of a tick together take less
/// than a hundredth of it.
const LOOKS: u32 = 100;

/// How often files were looked at within the current tick, and found to be as they were.
#[derive(Default)]
pub(super) struct Looks {
    tick: AtomicU64,
    number: AtomicU32,
}

impl Looks {
    /// Whether there were enough in this tick.
    pub(super) fn are_enough(&self, tick: u64) -> bool {
        self.tick.load(Ordering::Acquire) == tick && self.number.load(Ordering::Relaxed) >= LOOKS
    }

    /// One more, which began in this tick.
    pub(super) fn add(&self, tick: u64) {
        if self.tick.load(Ordering::Relaxed) == tick {
            self.number.fetch_add(1, Ordering::Relaxed);
        } else {
            self.number.store(1, Ordering::Relaxed);
            self.tick.store(tick, Ordering::Release);
        }
    }
}

/// When the kernel's clock ticked last, in nanoseconds: every 1 to 10 ms, by the kernel's configuration. Nobody sets this
/// clock, so that no tick is like an earlier one. No system call.
pub(super) fn tick() -> u64 {
    let time = clock_gettime(ClockId::MonotonicCoarse);
    let (seconds, nanoseconds) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    seconds * 1_000_000_000 + nanoseconds
}
