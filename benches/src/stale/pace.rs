//! Callers at a steady pace.

use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use dogpile::Source;

use super::contenders::Contender;
use super::creator::CREATION;

pub(crate) const CALLERS: u32 = 16;
pub(crate) const SPAN: Duration = Duration::from_secs(3);
pub(crate) const EVERY: Duration = Duration::from_millis(1);

/// What happened to the calls of all threads.
#[derive(Default)]
pub(crate) struct Calls {
    /// Nanoseconds from when each was due to its return, in ascending order.
    pub(crate) latencies: Vec<u64>,
    /// How many took more than half of a creation's time themselves.
    pub(crate) long: usize,
    /// Where they had their values from, if the cache tells.
    pub(crate) sources: Vec<Source>,
}

/// Each thread calls when a call is due, or at once if it is due already: who waits for a creator is late for all the
/// calls that were due meanwhile. The threads' schedules are spread over the time between two calls.
pub(crate) fn run(contender: &dyn Contender) -> Calls {
    let start = Instant::now() + CREATION;
    let mut all = thread::scope(|scope| {
        let threads: Vec<_> = (0..CALLERS)
            .map(|number| {
                let first = start + EVERY * number / CALLERS;
                scope.spawn(move || call_at_pace(contender, first, start + SPAN))
            })
            .collect();
        let joined = threads.into_iter().map(ScopedJoinHandle::join);
        joined.fold(Calls::default(), |mut all, one| {
            let one = one.expect("no thread panics");
            all.latencies.extend(one.latencies);
            all.sources.extend(one.sources);
            all.long += one.long;
            all
        })
    });
    all.latencies.sort_unstable();
    all
}

fn call_at_pace(contender: &dyn Contender, first: Instant, end: Instant) -> Calls {
    let mut calls = Calls::default();
    let mut due = first;
    while due < end {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let called = Instant::now();
        calls.sources.extend(contender.call());
        let returned = Instant::now();
        let latency = returned.duration_since(due).as_nanos();
        calls
            .latencies
            .push(u64::try_from(latency).expect("a short time"));
        calls.long += usize::from(returned - called > CREATION / 2);
        due += EVERY;
    }
    calls
}
