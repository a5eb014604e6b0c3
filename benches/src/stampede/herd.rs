use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::workload::{Blob, blob};

/// How long a creation takes, from when everybody has called.
pub(crate) const CREATION: Duration = Duration::from_millis(50);
/// How often the creator looks whether everybody has called.
const LOOK: Duration = Duration::from_millis(1);

/// So many callers of one key that nobody has created yet.
///
/// The creator first waits until all have called: a caller that its busy machine starts late would find the value there
/// already, and measure how late it was.
pub(crate) struct Herd {
    /// Of the round, from 1.
    pub(crate) number: usize,
    pub(crate) key: String,
    callers: usize,
    start: Instant,
    called: AtomicUsize,
    created: AtomicUsize,
    /// Nanoseconds from the start to the end of the creator, and to the return of the last caller.
    ended: AtomicU64,
    returned: AtomicU64,
}

impl Herd {
    pub(crate) fn new(number: usize, callers: usize) -> Self {
        Self {
            number,
            key: format!("article:{callers}:{number:022}"),
            callers,
            start: Instant::now(),
            called: AtomicUsize::new(0),
            created: AtomicUsize::new(0),
            ended: AtomicU64::new(0),
            returned: AtomicU64::new(0),
        }
    }

    /// A caller is about to ask for the key.
    pub(crate) fn call(&self) {
        self.called.fetch_add(1, Ordering::Relaxed);
    }

    /// A caller has the value.
    pub(crate) fn return_to_caller(&self) {
        self.returned.fetch_max(self.elapsed(), Ordering::Relaxed);
    }

    /// The creator of callers that may block.
    pub(crate) fn create(&self) -> Blob {
        while !self.all_have_called() {
            thread::sleep(LOOK);
        }
        thread::sleep(CREATION);
        self.created()
    }

    /// The creator of those that may not.
    pub(crate) async fn create_async(&self) -> Blob {
        while !self.all_have_called() {
            tokio::time::sleep(LOOK).await;
        }
        tokio::time::sleep(CREATION).await;
        self.created()
    }

    /// Nanoseconds from the end of the creator to the return of the last caller, when all have returned.
    #[expect(clippy::cast_precision_loss, reason = "short times")]
    pub(crate) fn took(&self) -> f64 {
        let (ended, returned) = (&self.ended, &self.returned);
        returned.load(Ordering::Relaxed) as f64 - ended.load(Ordering::Relaxed) as f64
    }

    /// How many times the creator has run.
    pub(crate) fn creations(&self) -> usize {
        self.created.load(Ordering::Relaxed)
    }

    fn all_have_called(&self) -> bool {
        self.called.load(Ordering::Relaxed) == self.callers
    }

    fn created(&self) -> Blob {
        let value = blob();
        self.created.fetch_add(1, Ordering::Relaxed);
        self.ended.store(self.elapsed(), Ordering::Relaxed);
        value
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).expect("a short time")
    }
}
