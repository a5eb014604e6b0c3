use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Whether a server is up, as far as is known.
#[derive(Debug, Default)]
pub(crate) struct Health {
    is_down: AtomicBool,
    down: Mutex<Option<Down>>,
}

#[derive(Debug)]
struct Down {
    /// It is left alone until then.
    until: Instant,
    why: String,
}

impl Health {
    /// Whether to ask it now; else why not, and for how long. After its time one caller is let through, and the others
    /// some time later if nobody told how that went.
    pub(crate) fn may_be_asked(&self, trial: Duration) -> Result<(), (String, Duration)> {
        if !self.is_down() {
            return Ok(());
        }
        let mut down = self.down.lock();
        let Some(down) = &mut *down else {
            return Ok(());
        };
        let now = Instant::now();
        if now < down.until {
            return Err((down.why.clone(), down.until - now));
        }
        down.until = now + trial;
        Ok(())
    }

    /// Whether it failed, and has not answered since.
    pub(crate) fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }

    /// It answered. Whether that is news.
    pub(crate) fn answered(&self) -> bool {
        if !self.is_down() {
            return false;
        }
        let mut down = self.down.lock();
        self.is_down.store(false, Ordering::Relaxed);
        down.take().is_some()
    }

    /// It failed, and is left alone for that time. Whether that is news.
    pub(crate) fn failed(&self, why: String, alone: Duration) -> bool {
        let mut down = self.down.lock();
        self.is_down.store(true, Ordering::Relaxed);
        let until = Instant::now() + alone;
        down.replace(Down { until, why }).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIAL: Duration = Duration::from_mins(1);

    #[test]
    fn a_server_that_failed_is_left_alone_and_then_tried_by_one() {
        let health = Health::default();
        assert_eq!(health.may_be_asked(TRIAL), Ok(()));
        assert!(health.failed(String::from("went"), TRIAL));
        assert!(!health.failed(String::from("is gone"), TRIAL));
        assert!(health.is_down());
        let (why, left) = health.may_be_asked(TRIAL).unwrap_err();
        assert_eq!(why, "is gone");
        assert!(left <= TRIAL);
        assert!(!health.failed(why, Duration::ZERO));
        assert_eq!(health.may_be_asked(TRIAL), Ok(()));
        assert!(health.may_be_asked(TRIAL).is_err());
    }

    #[test]
    fn a_server_that_answers_is_up_at_once() {
        let health = Health::default();
        assert!(!health.answered());
        health.failed(String::from("went"), TRIAL);
        assert!(health.answered());
        assert!(!health.is_down());
        assert!(!health.answered());
        assert_eq!(health.may_be_asked(TRIAL), Ok(()));
    }
}
