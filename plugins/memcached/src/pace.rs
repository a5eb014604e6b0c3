use std::time::Duration;

/// How often a waiter looks at a lock: the longer it is held, the more rarely. A value that has changed says that the
/// lock will be free at once.
#[derive(Debug)]
pub(crate) struct Pace {
    pause: Duration,
    value: Option<u64>,
}

const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(250);

impl Default for Pace {
    fn default() -> Self {
        Self {
            pause: SHORTEST,
            value: None,
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

    /// The lock is held, and the value has that number.
    pub(crate) fn saw(&mut self, value: Option<u64>) {
        if value.is_some() && value != self.value {
            self.pause = SHORTEST;
            self.value = value;
        }
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

    #[test]
    fn a_changed_value_makes_pauses_short() {
        let mut pace = Pace::default();
        pace.saw(Some(1));
        for _ in 0..10 {
            pace.next();
            pace.saw(Some(1));
        }
        assert!(pace.next() > SHORTEST * 4);
        pace.saw(Some(2));
        assert!(pace.next() <= SHORTEST);
        for _ in 0..10 {
            pace.next();
            pace.saw(None);
        }
        assert!(pace.next() > SHORTEST * 4);
    }
}
