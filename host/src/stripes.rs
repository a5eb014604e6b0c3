//! Stripes: what threads write at every call lies apart, so that they do not wait for each other's cache lines.

use std::cell::Cell;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many stripes suit this machine: a power of two.
pub(crate) static COUNT: LazyLock<usize> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores * 4).next_power_of_two().clamp(8, 128)
});

thread_local! {
    static THREAD: Cell<usize> = const { Cell::new(usize::MAX) };
}

static THREADS: AtomicUsize = AtomicUsize::new(0);

/// This thread's stripe, of `count`, a power of two. Other threads may have the same.
#[inline]
pub(crate) fn own(count: usize) -> usize {
    THREAD.with(|own| {
        if own.get() == usize::MAX {
            own.set(THREADS.fetch_add(1, Ordering::Relaxed));
        }
        own.get() & (count - 1)
    })
}
