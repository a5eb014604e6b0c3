//! A region, and what counts how often a function runs.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dogpile::{ManualClock, Region, RegionConfig};

use crate::region_support::{memory, region};

pub(crate) const QUARTER: Duration = Duration::from_millis(250);

/// What the methods of tests are cached in, and their count of runs.
pub(crate) struct Counter {
    pub(crate) users: Region,
    runs: AtomicU32,
}

impl Counter {
    /// In a region whose values expire after a minute.
    pub(crate) fn new() -> (Self, ManualClock) {
        Self::on(memory())
    }

    /// In a region whose values expire after a quarter of a second.
    pub(crate) fn quarter() -> (Self, ManualClock) {
        Self::on(region(
            RegionConfig::on("users", "memory").expiration_time(QUARTER),
        ))
    }

    pub(crate) fn on((users, hand): (Region, ManualClock)) -> (Self, ManualClock) {
        let runs = AtomicU32::new(0);
        (Self { users, runs }, hand)
    }

    /// Counts a run, from 1.
    pub(crate) fn next(&self) -> u32 {
        self.runs.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn runs(&self) -> u32 {
        self.runs.load(Ordering::SeqCst)
    }
}
