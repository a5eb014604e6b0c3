use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a creation takes.
pub(crate) const CREATION: Duration = Duration::from_millis(50);

/// When creations began and ended. Clones are the same creator.
#[derive(Clone, Default)]
pub(crate) struct Creator(Arc<Mutex<Vec<Creation>>>);

#[derive(Clone, Copy)]
pub(crate) struct Creation {
    began: Instant,
    ended: Instant,
}

impl Creator {
    /// For callers that may block.
    pub(crate) fn create(&self) -> u64 {
        let began = Instant::now();
        thread::sleep(CREATION);
        self.ended(began)
    }

    /// For those that may not.
    pub(crate) async fn create_async(&self) -> u64 {
        let began = Instant::now();
        tokio::time::sleep(CREATION).await;
        self.ended(began)
    }

    /// What it has created since this was last called.
    pub(crate) fn take(&self) -> Vec<Creation> {
        std::mem::take(&mut self.log())
    }

    fn ended(&self, began: Instant) -> u64 {
        let ended = Instant::now();
        let mut log = self.log();
        log.push(Creation { began, ended });
        log.len() as u64
    }

    fn log(&self) -> MutexGuard<'_, Vec<Creation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The shortest time in seconds from the end of a creation to the beginning of the next: less than an expiration time
/// if one of them was for nothing, and negative if they overlapped.
pub(crate) fn closest(creations: &[Creation]) -> f64 {
    let mut sorted = creations.to_vec();
    sorted.sort_unstable_by_key(|creation| creation.began);
    let between = sorted.windows(2).map(|two| {
        let (end, next) = (two[0].ended, two[1].began);
        let after = next.saturating_duration_since(end).as_secs_f64();
        after - end.saturating_duration_since(next).as_secs_f64()
    });
    between.fold(f64::INFINITY, f64::min)
}
