use std::time::Duration;

/// How often a waiter looks at a lock: the longer somebody holds it, the more rarely. A value that has changed says that
/// the lock will be free at once, and another holder that others want it too, who may look just when it is free.
#[derive(Debug)]
pub(crate) struct Pace {
    pause: Duration,
    seen: Seen,
}

/// What a waiter sees.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Whoever holds the lock.
    pub(crate) holder: Vec<u8>,
    /// The number of the value, if it is known.
    pub(crate) value: Option<u64>,
}

const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(250);

impl Default for Pace {
    fn default() -> Self {
        Self {
            pause: SHORTEST,
            seen: Seen::default(),
        }
    }
}

impl Pace {
    /// The next pause: half of what is due to all of it, so that those who wait do not look all at once.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST);
        let mut byte = [128];
        // Without random bytes it is three quarters.
        let _filled = rustix::rand::getrandom(&mut byte, rustix::rand::GetRandomFlags::empty());
        pause.mul_f64(0.5 + f64::from(byte[0]) / 510.0)
    }

    /// The lock is held.
    pub(crate) fn saw(&mut self, seen: Seen) {
        let is_new = |value: &u64| self.seen.value != Some(*value);
        if seen.holder != self.seen.holder || seen.value.as_ref().is_some_and(is_new) {
            self.pause = SHORTEST;
        }
        let value = seen.value.or(self.seen.value);
        self.seen = Seen { value, ..seen };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_are_never_alike() {
        let mut pace = Pace::default();
        let pauses: Vec<_> = (0..40).map(|_| pace.next()).collect();
        assert!(
            pauses[0] >= SHORTEST / 2 && pauses[0] <= SHORTEST * 2,
            "{pauses:?}"
        );
        assert!(pauses.iter().all(|pause| *pause <= LONGEST), "{pauses:?}");
        assert!(
            pauses[10..].iter().all(|pause| *pause >= LONGEST / 2),
            "{pauses:?}"
        );
        assert!(
            pauses[10..].iter().any(|pause| *pause != pauses[10]),
            "{pauses:?}"
        );
    }

    fn seen(holder: &str, value: Option<u64>) -> Seen {
        Seen {
            holder: holder.into(),
            value,
        }
    }

    #[test]
    fn a_changed_value_or_another_holder_makes_pauses_short() {
        let mut pace = Pace::default();
        for (holder, value) in [("a", Some(1)), ("a", Some(2)), ("b", Some(2)), ("c", None)] {
            pace.saw(seen(holder, value));
            assert!(pace.next() <= SHORTEST, "{holder}, {value:?}");
            for _ in 0..10 {
                pace.next();
                // That the value is not known for once tells nothing.
                pace.saw(seen(holder, None));
                pace.saw(seen(holder, value));
            }
            assert!(pace.next() > SHORTEST * 4, "{holder}, {value:?}");
        }
    }
}
