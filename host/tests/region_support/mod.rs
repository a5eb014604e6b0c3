//! What the tests of regions share: hosts with a manual clock, a backend that is watched, and the sight of waiters.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses a part of it"
)]

mod board;
mod gate;
mod held;
pub(crate) mod logs;
mod noted;
pub(crate) mod scrape;
mod spy;
mod waiters;

use std::future::{Ready, poll_fn};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dogpile::{Clock, Host, HostBuilder, ManualClock, MissReason, Region, RegionConfig, Source};

pub(crate) use self::board::{Board, Fault};
pub(crate) use self::gate::Gate;
pub(crate) use self::held::held;
pub(crate) use self::spy::plugin;
pub(crate) use self::waiters::{records, until_waiting};

/// Where the clock of every test stands at first, in seconds since 1970: later than the system's clock, so that no
/// backend takes values for outlived by that.
pub(crate) const START: u64 = 4_000_000_000;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const TICK: Duration = Duration::from_nanos(1);

/// A builder with the plugins `memory`, `null` and the watched one, and the hand of its clock.
pub(crate) fn builder() -> (HostBuilder, ManualClock) {
    waiters::watch();
    let (clock, hand) = Clock::manual(START * 1_000_000_000);
    let builder = Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .plugin(dogpile_plugin_null::plugin())
        .plugin(spy::plugin())
        .clock(clock);
    (builder, hand)
}

/// One region, on a host of its own that only the region keeps.
pub(crate) fn region(config: RegionConfig) -> (Region, ManualClock) {
    let name = config.name.clone();
    let (builder, hand) = builder();
    let host = builder.region(config).build().expect("it opens");
    (host.region(&name).expect("it is configured"), hand)
}

/// A region called `users` on `memory`, whose values expire after a minute and are served stale for another.
pub(crate) fn memory() -> (Region, ManualClock) {
    region(RegionConfig::on("users", "memory").expiration_time(60 * SECOND))
}

/// That many seconds after the start.
pub(crate) fn after(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(START + seconds)
}

/// How many reads of the region found no fresh value for that reason.
pub(crate) fn misses(region: &Region, reason: MissReason) -> u64 {
    region.stats().misses[&reason]
}

/// All misses of the region, as reasons and numbers without zeros.
pub(crate) fn all_misses(region: &Region) -> Vec<(MissReason, u64)> {
    let misses = region.stats().misses;
    misses.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// The longest that a test waits for something that should come at once.
const LONG: Duration = Duration::from_mins(1);

/// Waits for what another thread of the test is about to do. After [`LONG`] it panics with the place that waits.
#[track_caller]
pub(crate) fn until(condition: impl FnMut() -> bool) {
    until_it(condition, || {
        "what another thread was about to do".to_owned()
    });
}

/// As [`until`], with a text of what is waited for and how far it has come.
#[track_caller]
pub(crate) fn until_it(mut condition: impl FnMut() -> bool, what: impl FnOnce() -> String) {
    let end = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < end, "waited {LONG:?} for {}", what());
        thread::yield_now();
    }
}

/// Until nobody creates the key: what was put off is done.
#[track_caller]
pub(crate) fn until_refreshed(users: &Region, key: &str) {
    until_it(
        || !users.key_is_locked(key).unwrap(),
        || format!("the end of the creation of {key:?}"),
    );
}

/// The creator of a task that another's value is to reach.
pub(crate) fn unwanted<T>() -> Ready<T> {
    unreachable!("another creates it")
}

/// Lets the other tasks of an executor have a turn.
pub(crate) async fn let_others_run() {
    let mut waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What a caller gets for `key` while another creates 2, and whence; `waits`: it has to wait for that. Where it does, no
/// other test of the process has that key.
#[track_caller]
pub(crate) fn beside_a_creation(users: &Region, key: &str, waits: bool) -> (i32, Source) {
    thread::scope(|scope| {
        let creator = held(scope, |hold| {
            users.get_or_create(key, || {
                hold.wait();
                2
            })
        });
        let other = scope.spawn(|| users.get_or_create(key, || 3).unwrap());
        if waits {
            until_waiting(key, 1);
        } else {
            until(|| other.is_finished());
        }
        assert_eq!(*creator.end().unwrap(), 2);
        let other = other.join().unwrap();
        (*other, other.source())
    })
}
