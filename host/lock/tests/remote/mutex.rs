//! A mutex as another process would see it too, with faults.

use dogpile_lock::RemoteMutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// How [`RemoteMutex::wait`] waits.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Waits {
    /// Until it is free.
    UntilFree,
    /// For the whole time, free or not.
    ToTheEnd,
    /// Not at all.
    NotAtAll,
    /// It fails.
    Fails,
    Panics,
}

/// What a renewal does.
#[derive(Clone, Copy)]
pub(crate) enum Renewal {
    Fails,
    Panics,
    /// It comes back when [`TestMutex::end_hanging`] was called.
    Hangs,
}

/// Threads that wait for any of the mutexes that share it, or hang in a call, and the most there have been at once.
#[derive(Default)]
pub(crate) struct Gauge {
    now: AtomicUsize,
    pub(crate) most: AtomicUsize,
}

pub(crate) struct Seen {
    /// The number of the lease that holds it; 0 is another process.
    holder: Option<u64>,
    leases: u64,
    pub(crate) waits: Waits,
    pub(crate) renewals_to_come: VecDeque<Renewal>,
    /// A release comes back when [`TestMutex::end_hanging`] was called.
    pub(crate) hangs_in_release: bool,
    hanging: usize,
    pub(crate) unreachable: bool,
    pub(crate) asked: usize,
    pub(crate) renewed: usize,
    pub(crate) failed_renewals: usize,
    pub(crate) waited: usize,
    pub(crate) looked: usize,
    pub(crate) releases: Vec<ThreadId>,
    pub(crate) lengths: Vec<Duration>,
}

pub(crate) struct TestMutex {
    seen: Mutex<Seen>,
    news: Condvar,
    gauge: Arc<Gauge>,
    /// Hears when a thread that has given a lease back has ended.
    ends: Option<mpsc::Sender<()>>,
}

/// The longest that a test waits for something that should come at once.
pub(crate) const LONG: Duration = Duration::from_secs(30);

impl TestMutex {
    pub(crate) fn new() -> Self {
        Self {
            seen: Mutex::new(Seen {
                holder: None,
                leases: 0,
                waits: Waits::UntilFree,
                renewals_to_come: VecDeque::new(),
                hangs_in_release: false,
                hanging: 0,
                unreachable: false,
                asked: 0,
                renewed: 0,
                failed_renewals: 0,
                waited: 0,
                looked: 0,
                releases: Vec::new(),
                lengths: Vec::new(),
            }),
            news: Condvar::new(),
            gauge: Arc::default(),
            ends: None,
        }
    }

    /// Held by another process.
    pub(crate) fn held_elsewhere(waits: Waits, gauge: &Arc<Gauge>) -> Self {
        let mutex = Self {
            gauge: Arc::clone(gauge),
            ..Self::new()
        };
        mutex.steal();
        mutex.seen().waits = waits;
        mutex
    }

    /// Its next renewal hangs.
    pub(crate) fn hanging(gauge: &Arc<Gauge>) -> Arc<Self> {
        let mutex = Self {
            gauge: Arc::clone(gauge),
            ..Self::new()
        };
        mutex.seen().renewals_to_come = [Renewal::Hangs].into();
        Arc::new(mutex)
    }

    /// Comes back when a call hangs.
    pub(crate) fn until_hanging(&self) {
        self.until(|seen| seen.hanging > 0);
    }

    /// What hangs now comes back.
    pub(crate) fn end_hanging(&self) {
        self.seen().hanging = 0;
        self.news.notify_all();
    }

    fn hang<'a>(&'a self, mut seen: MutexGuard<'a, Seen>) -> MutexGuard<'a, Seen> {
        let now = self.gauge.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.gauge.most.fetch_max(now, Ordering::SeqCst);
        seen.hanging += 1;
        self.news.notify_all();
        let hanging = |seen: &mut Seen| seen.hanging > 0;
        let waited = self.news.wait_timeout_while(seen, LONG, hanging).unwrap();
        assert!(!waited.1.timed_out(), "it hangs for ever");
        self.gauge.now.fetch_sub(1, Ordering::SeqCst);
        waited.0
    }

    pub(crate) fn telling_ends(ends: mpsc::Sender<()>) -> Self {
        Self {
            ends: Some(ends),
            ..Self::new()
        }
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// Another process has it now, whoever had it.
    pub(crate) fn steal(&self) {
        self.seen().holder = Some(0);
        self.news.notify_all();
    }

    /// Another process gives it back.
    pub(crate) fn free(&self) {
        let before = self.seen().holder.take();
        assert_eq!(before, Some(0), "another process has it");
        self.news.notify_all();
    }

    pub(crate) fn is_held_by(&self, lease: u64) -> bool {
        self.seen().holder == Some(lease)
    }

    pub(crate) fn is_free(&self) -> bool {
        self.seen().holder.is_none()
    }

    /// Comes back when that has come about.
    pub(crate) fn until(&self, mut what: impl FnMut(&mut Seen) -> bool) {
        let waited = self
            .news
            .wait_timeout_while(self.seen(), LONG, |seen| !what(seen));
        assert!(!waited.unwrap().1.timed_out(), "it never came about");
    }
}

impl RemoteMutex for TestMutex {
    type Lease = u64;
    type Error = String;

    fn try_acquire(&self, lease: Duration) -> Result<Option<u64>, String> {
        let mut seen = self.seen();
        seen.asked += 1;
        self.news.notify_all();
        if seen.unreachable {
            return Err("unreachable".to_owned());
        }
        if seen.holder.is_some() {
            return Ok(None);
        }
        seen.leases += 1;
        seen.lengths.push(lease);
        seen.holder = Some(seen.leases);
        Ok(seen.holder)
    }

    fn wait(&self, timeout: Duration) -> Result<(), String> {
        let now = self.gauge.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.gauge.most.fetch_max(now, Ordering::SeqCst);
        let mut seen = self.seen();
        seen.waited += 1;
        self.news.notify_all();
        let waits = seen.waits;
        let deaf = waits == Waits::ToTheEnd;
        if deaf || waits == Waits::UntilFree {
            let waiting = |seen: &mut Seen| deaf || (seen.holder.is_some() && seen.waits == waits);
            drop(
                self.news
                    .wait_timeout_while(seen, timeout, waiting)
                    .unwrap(),
            );
        } else {
            drop(seen);
        }
        self.gauge.now.fetch_sub(1, Ordering::SeqCst);
        match waits {
            Waits::Fails => Err("not to be waited for".to_owned()),
            Waits::Panics => panic!("on purpose"),
            _ => Ok(()),
        }
    }

    fn renew(&self, lease: &mut u64) -> Result<bool, String> {
        let mut seen = self.seen();
        match seen.renewals_to_come.pop_front() {
            None => {}
            Some(Renewal::Hangs) => seen = self.hang(seen),
            Some(fault) => {
                seen.failed_renewals += 1;
                drop(seen);
                self.news.notify_all();
                match fault {
                    Renewal::Panics => panic!("on purpose"),
                    _ => return Err("not now".to_owned()),
                }
            }
        }
        seen.renewed += 1;
        self.news.notify_all();
        Ok(seen.holder == Some(*lease))
    }

    fn release(&self, lease: u64) -> Result<(), String> {
        if let Some(ends) = &self.ends {
            at_the_end_of_this_thread(ends.clone());
        }
        let mut seen = self.seen();
        if seen.hangs_in_release {
            seen = self.hang(seen);
        }
        assert_eq!(seen.holder, Some(lease), "only what one has");
        seen.holder = None;
        seen.releases.push(thread::current().id());
        self.news.notify_all();
        Ok(())
    }

    fn is_locked(&self) -> Result<bool, String> {
        let mut seen = self.seen();
        seen.looked += 1;
        self.news.notify_all();
        if seen.unreachable {
            return Err("unreachable".to_owned());
        }
        Ok(seen.holder.is_some())
    }
}

/// Tells when the thread that calls it has ended.
fn at_the_end_of_this_thread(ends: mpsc::Sender<()>) {
    use std::cell::RefCell;

    struct Ends(mpsc::Sender<()>);
    impl Drop for Ends {
        fn drop(&mut self) {
            // Nobody may listen any more.
            let _heard = self.0.send(());
        }
    }
    thread_local! {
        static ENDS: RefCell<Option<Ends>> = const { RefCell::new(None) };
    }
    ENDS.with(|own| own.borrow_mut().get_or_insert(Ends(ends)).0.clone());
}
