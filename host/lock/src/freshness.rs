//! Whether a value may be served. Pure functions over times in nanoseconds since 1970; none overflows.

/// How far in the future a creation time may lie before the value counts as stale: clocks of machines differ a little.
pub const FUTURE_TOLERANCE: u64 = 60_000_000_000;

/// When values of a region grow old, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// A value is expired when it is older than this; `u64::MAX` is never.
    pub expiration_time: u64,
    /// How long past its expiry a value may be served while another is created; `u64::MAX` is for ever.
    pub max_stale: u64,
    /// How long past its expiry a value may be served if the creation of another fails; `u64::MAX` is for ever.
    pub stale_if_error: u64,
}

impl Expiry {
    /// Values stay fresh for ever.
    pub const NEVER: Self = Self {
        expiration_time: u64::MAX,
        max_stale: u64::MAX,
        stale_if_error: 0,
    };
}

/// When values of a region were last invalidated; 0 is not yet. A value is outdated by an invalidation when its
/// creation started at that time or before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outdated {
    /// After this no older value may be served.
    pub hard: u64,
    /// After this an older value is served only while another is created.
    pub soft: u64,
}

/// What may be done with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It may be served.
    Fresh,
    /// It may be served in some cases.
    Stale {
        /// Why it is not fresh.
        reason: Reason,
        /// It may be served while another is created.
        meanwhile: bool,
        /// It may be served if the creation of another fails.
        on_error: bool,
    },
    /// It may not be served.
    Unusable(Reason),
}

/// Why a value is not fresh. Where several hold, the first of the order hard, expired, soft, future is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is older than its expiration time.
    Expired,
    /// A soft invalidation came after its creation had started.
    SoftInvalidated,
    /// A hard invalidation came after its creation had started.
    HardInvalidated,
    /// Its creation time lies more than [`FUTURE_TOLERANCE`] in the future.
    FutureCreation,
}

/// Judges a value whose creation began at `started` and ended at `created`.
///
/// It is expired when its age is more than (not equal to) the expiration time. It may be served meanwhile until it is
/// more than `max_stale` past that, and on error until it is more than `stale_if_error` past that; a soft-invalidated
/// value for as long, or, if it never expires, as if it had expired when it was invalidated. An age below zero counts as
/// zero. A value that was created more than [`FUTURE_TOLERANCE`] in the future is stale, and is outdated by any
/// invalidation that there has been.
///
/// ```
/// use dogpile_lock::{Expiry, Freshness, Outdated, Reason, judge};
///
/// let expiry = Expiry { expiration_time: 100, max_stale: 50, stale_if_error: 70 };
/// let none = Outdated::default();
/// let reason = Reason::Expired;
/// let stale = |meanwhile| Freshness::Stale { reason, meanwhile, on_error: true };
/// assert_eq!(judge(1_100, 1_000, 999, &expiry, &none), Freshness::Fresh);
/// assert_eq!(judge(1_101, 1_000, 999, &expiry, &none), stale(true));
/// assert_eq!(judge(1_151, 1_000, 999, &expiry, &none), stale(false));
/// assert_eq!(judge(1_171, 1_000, 999, &expiry, &none), Freshness::Unusable(reason));
/// ```
#[inline]
pub fn judge(
    now: u64,
    created: u64,
    started: u64,
    expiry: &Expiry,
    outdated: &Outdated,
) -> Freshness {
    let outdated_at = outdated.hard.max(outdated.soft);
    if is_plainly_fresh(now, created, started, expiry.expiration_time, outdated_at) {
        return Freshness::Fresh;
    }
    judge_closely(now, created, started, expiry, outdated)
}

/// Whether a value is fresh beyond all doubt, as most are: cheap, and false for some that [`judge`] finds fresh, such as
/// those that were created since the clock's last tick. `outdated_at` is the time of the last invalidation of any kind.
#[inline]
pub fn is_plainly_fresh(
    now: u64,
    created: u64,
    started: u64,
    expiration_time: u64,
    outdated_at: u64,
) -> bool {
    now.checked_sub(created)
        .is_some_and(|age| age <= expiration_time)
        && started > outdated_at
}

#[cold]
fn judge_closely(
    now: u64,
    created: u64,
    started: u64,
    expiry: &Expiry,
    outdated: &Outdated,
) -> Freshness {
    let age = now.saturating_sub(created);
    let ahead = created.saturating_sub(now);
    // Its times are those of a clock that is wrong: they do not tell what came before it.
    let untold = ahead > FUTURE_TOLERANCE;
    let invalidated = |at: u64| at != 0 && (started <= at || untold);
    if invalidated(outdated.hard) {
        return Freshness::Unusable(Reason::HardInvalidated);
    }
    let reason = if age > expiry.expiration_time {
        Reason::Expired
    } else if invalidated(outdated.soft) {
        Reason::SoftInvalidated
    } else if untold {
        Reason::FutureCreation
    } else {
        return Freshness::Fresh;
    };
    // What never expires would be served stale without end.
    let endless = expiry.expiration_time == u64::MAX && reason == Reason::SoftInvalidated;
    let within = |limit: u64| {
        if endless {
            now.saturating_sub(outdated.soft) <= limit
        } else {
            age <= expiry.expiration_time.saturating_add(limit)
        }
    };
    let meanwhile = within(expiry.max_stale);
    // Without a time for it, no error is covered, however young the value is.
    let on_error = expiry.stale_if_error > 0 && within(expiry.stale_if_error);
    if meanwhile || on_error {
        Freshness::Stale {
            reason,
            meanwhile,
            on_error,
        }
    } else {
        Freshness::Unusable(reason)
    }
}

#[cfg(all(test, not(feature = "model-check")))]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000_000_000;
    const NONE: Outdated = Outdated { hard: 0, soft: 0 };
    const EXPIRY: Expiry = Expiry {
        expiration_time: 100,
        max_stale: 50,
        stale_if_error: 0,
    };

    fn stale(reason: Reason) -> Freshness {
        Freshness::Stale {
            reason,
            meanwhile: true,
            on_error: false,
        }
    }

    fn aged(age: u64, expiry: Expiry) -> Freshness {
        judge(NOW, NOW - age, NOW - age, &expiry, &NONE)
    }

    #[test]
    fn a_value_expires_after_its_time_and_not_at_it() {
        assert_eq!(aged(100, EXPIRY), Freshness::Fresh);
        assert_eq!(aged(101, EXPIRY), stale(Reason::Expired));
        assert_eq!(aged(150, EXPIRY), stale(Reason::Expired));
        assert_eq!(aged(151, EXPIRY), Freshness::Unusable(Reason::Expired));
    }

    #[test]
    fn no_max_stale_is_a_hard_limit_and_for_ever_is_for_ever() {
        let limit = Expiry {
            max_stale: 0,
            ..EXPIRY
        };
        assert_eq!(aged(100, limit), Freshness::Fresh);
        assert_eq!(aged(101, limit), Freshness::Unusable(Reason::Expired));
        let forever = Expiry {
            max_stale: u64::MAX,
            ..EXPIRY
        };
        assert_eq!(aged(NOW, forever), stale(Reason::Expired));
    }

    #[test]
    fn a_value_without_expiration_time_is_always_fresh() {
        assert_eq!(aged(NOW, Expiry::NEVER), Freshness::Fresh);
        let zero = Expiry {
            expiration_time: u64::MAX,
            max_stale: 0,
            stale_if_error: 0,
        };
        assert_eq!(judge(u64::MAX, 0, 0, &zero, &NONE), Freshness::Fresh);
    }

    #[test]
    fn an_invalidation_outdates_what_started_at_it_or_before() {
        let hard = Outdated {
            hard: NOW - 20,
            soft: 0,
        };
        let soft = Outdated {
            hard: 0,
            soft: NOW - 20,
        };
        // Created after, but started at the moment of the invalidation.
        let at = |outdated| judge(NOW, NOW - 5, NOW - 20, &EXPIRY, &outdated);
        assert_eq!(at(hard), Freshness::Unusable(Reason::HardInvalidated));
        assert_eq!(at(soft), stale(Reason::SoftInvalidated));
        let later = |outdated| judge(NOW, NOW - 5, NOW - 19, &EXPIRY, &outdated);
        assert_eq!(later(hard), Freshness::Fresh);
        assert_eq!(later(soft), Freshness::Fresh);
    }

    #[test]
    fn a_hard_invalidation_outweighs_a_soft_one_and_expiry() {
        let both = Outdated {
            hard: NOW,
            soft: NOW,
        };
        let judged = judge(NOW, NOW - 120, NOW - 120, &EXPIRY, &both);
        assert_eq!(judged, Freshness::Unusable(Reason::HardInvalidated));
    }

    #[test]
    fn a_soft_invalidated_value_is_unusable_once_it_is_too_stale() {
        let soft = Outdated { hard: 0, soft: NOW };
        let aged = |age| judge(NOW, NOW - age, NOW - age, &EXPIRY, &soft);
        assert_eq!(aged(150), stale(Reason::Expired));
        assert_eq!(aged(151), Freshness::Unusable(Reason::Expired));
    }

    #[test]
    fn a_soft_invalidated_value_that_never_expires_is_stale_from_then_on() {
        let expiry = Expiry {
            expiration_time: u64::MAX,
            max_stale: 50,
            stale_if_error: 70,
        };
        let judged = |since| {
            let soft = NOW - since;
            judge(
                NOW,
                soft - 1_000,
                soft - 1_000,
                &expiry,
                &Outdated { hard: 0, soft },
            )
        };
        let reason = Reason::SoftInvalidated;
        let stale = |meanwhile| Freshness::Stale {
            reason,
            meanwhile,
            on_error: true,
        };
        assert_eq!([judged(0), judged(50)], [stale(true); 2]);
        assert_eq!([judged(51), judged(70)], [stale(false); 2]);
        assert_eq!(judged(71), Freshness::Unusable(reason));
        let forever = Expiry {
            max_stale: u64::MAX,
            ..expiry
        };
        let outdated = Outdated { hard: 0, soft: 1 };
        let judged = judge(NOW, 1, 1, &forever, &outdated);
        assert!(matches!(
            judged,
            Freshness::Stale {
                meanwhile: true,
                ..
            }
        ));
    }

    #[test]
    fn a_value_from_the_future_is_fresh_for_a_minute_and_stale_beyond() {
        let ahead = |by| judge(NOW, NOW + by, NOW + by, &EXPIRY, &NONE);
        assert_eq!(ahead(FUTURE_TOLERANCE), Freshness::Fresh);
        assert_eq!(ahead(FUTURE_TOLERANCE + 1), stale(Reason::FutureCreation));
        assert_eq!(
            judge(0, u64::MAX, u64::MAX, &Expiry::NEVER, &NONE),
            stale(Reason::FutureCreation)
        );
    }

    #[test]
    fn a_value_from_the_future_is_outdated_by_any_invalidation_beyond_a_minute() {
        let judged = |by, outdated| judge(NOW, NOW + by, NOW + by - 5, &EXPIRY, &outdated);
        let hard = Outdated { hard: 1, soft: 0 };
        let soft = Outdated { hard: 0, soft: 1 };
        for outdated in [hard, soft] {
            assert_eq!(judged(FUTURE_TOLERANCE, outdated), Freshness::Fresh);
        }
        let beyond = |outdated| judged(FUTURE_TOLERANCE + 1, outdated);
        assert_eq!(beyond(hard), Freshness::Unusable(Reason::HardInvalidated));
        assert_eq!(beyond(soft), stale(Reason::SoftInvalidated));
    }

    #[test]
    fn a_start_of_zero_is_not_outdated_by_no_invalidation() {
        assert_eq!(judge(NOW, NOW, 0, &EXPIRY, &NONE), Freshness::Fresh);
    }

    #[test]
    fn how_long_a_value_covers_errors_is_counted_from_its_expiry() {
        let covers = |age, max_stale, stale_if_error| {
            let expiry = Expiry {
                expiration_time: 100,
                max_stale,
                stale_if_error,
            };
            match aged(age, expiry) {
                Freshness::Stale {
                    meanwhile,
                    on_error,
                    ..
                } => (meanwhile, on_error),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(covers(120, 30, 10), (true, false));
        assert_eq!(covers(110, 30, 10), (true, true));
        assert_eq!(covers(130, 10, 30), (false, true));
        let expiry = Expiry {
            expiration_time: 100,
            max_stale: 10,
            stale_if_error: 30,
        };
        assert_eq!(aged(131, expiry), Freshness::Unusable(Reason::Expired));
    }

    #[test]
    fn a_hard_invalidated_value_covers_no_error_and_a_soft_invalidated_one_does() {
        let expiry = Expiry {
            stale_if_error: 30,
            ..EXPIRY
        };
        let hard = Outdated { hard: NOW, soft: 0 };
        let judged = judge(NOW, NOW - 1, NOW - 1, &expiry, &hard);
        assert_eq!(judged, Freshness::Unusable(Reason::HardInvalidated));
        let soft = Outdated { hard: 0, soft: NOW };
        let judged = judge(NOW, NOW - 1, NOW - 1, &expiry, &soft);
        assert!(matches!(judged, Freshness::Stale { on_error: true, .. }));
    }
}
