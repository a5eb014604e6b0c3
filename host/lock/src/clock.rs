//! Wall-clock time in nanoseconds since 1970, time that never goes back, and a clock that only moves when it is told to.

use crate::sync::{Arc, AtomicU64, Ordering};
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::time::Duration;

/// Tells the wall-clock time, in nanoseconds since 1970. Cloning is cheap, and clones tell the same time.
///
/// Wall clocks may be set, so times may go backwards; [`freshness`](crate::freshness) copes with that. For what is to last
/// so long and no longer there is [`Clock::steady`].
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System,
    Manual(Arc<Hands>),
}

/// Moves the [`Clock`] that was made with it. Clones move the same clock.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Hands>);

#[derive(Debug)]
struct Hands {
    wall: AtomicU64,
    steady: AtomicU64,
}

impl Clock {
    /// The system's clock.
    pub const fn system() -> Self {
        Self(Kind::System)
    }

    /// A clock that stands at `start` nanoseconds until its second half moves it. For tests.
    ///
    /// ```
    /// use dogpile_lock::Clock;
    /// use std::time::Duration;
    ///
    /// let (clock, hand) = Clock::manual(1_000);
    /// hand.advance(Duration::from_nanos(5));
    /// assert_eq!((clock.coarse(), clock.exact()), (1_005, 1_005));
    /// ```
    pub fn manual(start: u64) -> (Self, ManualClock) {
        let hands = Arc::new(Hands {
            wall: AtomicU64::new(start),
            steady: AtomicU64::new(0),
        });
        (Self(Kind::Manual(Arc::clone(&hands))), ManualClock(hands))
    }

    /// The time to judge a hit by: up to one tick (1 to 10 ms, by the kernel's configuration) behind, and cheap.
    #[inline]
    pub fn coarse(&self) -> u64 {
        self.read(ClockId::RealtimeCoarse)
    }

    /// The time to stamp creations and invalidations with.
    #[inline]
    pub fn exact(&self) -> u64 {
        self.read(ClockId::Realtime)
    }

    /// Nanoseconds since some moment, the same for all clocks of this process: to measure by how much time has passed.
    /// Whoever sets the system's clock does not change it. A time at which the machine sleeps does not count.
    pub fn steady(&self) -> u64 {
        match &self.0 {
            Kind::System => nanoseconds(clock_gettime(ClockId::Monotonic)),
            Kind::Manual(hands) => hands.steady.load(Ordering::Acquire),
        }
    }

    #[inline]
    fn read(&self, id: ClockId) -> u64 {
        match &self.0 {
            Kind::System => nanoseconds(clock_gettime(id)),
            Kind::Manual(hands) => hands.wall.load(Ordering::Acquire),
        }
    }
}

/// The system's clock.
impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl ManualClock {
    /// Moves the clock forward, as time does; it stops at the end of time.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        for hand in [&self.0.wall, &self.0.steady] {
            let _previous = hand.fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
                Some(now.saturating_add(by))
            });
        }
    }

    /// Sets the clock to `nanoseconds` since 1970, forward or back, as one sets a clock: no time passes.
    pub fn set(&self, nanoseconds: u64) {
        self.0.wall.store(nanoseconds, Ordering::Release);
    }
}

/// A time before 1970 is taken as 1970.
#[inline]
fn nanoseconds(time: Timespec) -> u64 {
    time.tv_sec
        .max(0)
        .cast_unsigned()
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.tv_nsec.cast_unsigned())
}

#[cfg(all(test, not(feature = "model-check")))]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    #[cfg_attr(miri, ignore = "there is no system clock in its isolation")]
    fn the_system_clock_is_the_wall_clock() {
        let before = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        let exact = u128::from(Clock::system().exact());
        let after = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        assert!(before <= exact && exact <= after);
    }

    #[test]
    #[cfg_attr(miri, ignore = "there is no system clock in its isolation")]
    fn the_coarse_clock_is_at_most_a_tick_behind() {
        let clock = Clock::system();
        let coarse = clock.coarse();
        let exact = clock.exact();
        // Ticks are up to 10 ms; the rest is for a machine that was busy between the two readings.
        assert!(exact.saturating_sub(coarse) < 1_000_000_000);
        assert!(coarse <= exact);
    }

    #[test]
    fn a_manual_clock_moves_only_when_told_and_stops_at_the_end() {
        let (clock, hand) = Clock::manual(7);
        let other = clock.clone();
        hand.advance(Duration::from_secs(1));
        assert_eq!(other.exact(), 1_000_000_007);
        hand.set(3);
        assert_eq!(clock.coarse(), 3);
        hand.advance(Duration::MAX);
        assert_eq!(clock.coarse(), u64::MAX);
    }

    #[test]
    fn steady_time_goes_on_whatever_the_clock_is_set_to() {
        let (clock, hand) = Clock::manual(7);
        let began = clock.steady();
        hand.advance(Duration::from_nanos(5));
        hand.set(1);
        hand.advance(Duration::from_nanos(5));
        assert_eq!((clock.exact(), clock.steady() - began), (6, 10));
    }

    #[test]
    #[cfg_attr(miri, ignore = "there is no system clock in its isolation")]
    fn the_systems_steady_time_passes_and_is_one_for_all_clocks() {
        let (before, began) = (Clock::system().steady(), std::time::Instant::now());
        while began.elapsed().is_zero() {}
        let passed = Clock::system().steady() - before;
        assert!(passed > 0 && u128::from(passed) < began.elapsed().as_nanos() + 1_000_000_000);
    }

    #[test]
    fn a_time_before_1970_is_1970() {
        let time = Timespec {
            tv_sec: -5,
            tv_nsec: 20,
        };
        assert_eq!(nanoseconds(time), 20);
    }
}
