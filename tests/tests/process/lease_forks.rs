//! A child that goes on with the leases of one store, whatever its parent's threads were at when it came to be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use dogpile_lock::{Flights, Held, Remote, RemoteMutex, WaitGraph};
use dogpile_tests::until::until;
use rustix::process::{Signal, kill_process};

use crate::c_library::{HoldUp, in_a_child};
use crate::children::{LONG, Step, alone, ended};

/// More than anything else in these processes takes at once.
const LARGE: usize = 16 * 1024;

/// Its leases are renewed each third of this.
const SHORT: Duration = Duration::from_millis(90);

/// A mutex whose leases stay as they are, and which counts the calls of one process.
#[derive(Default)]
struct Counts {
    renewals: AtomicUsize,
    releases: AtomicUsize,
    waits: AtomicUsize,
    taken: AtomicBool,
}

impl RemoteMutex for Counts {
    type Lease = [u8; LARGE];
    type Error = String;

    fn try_acquire(&self, _: Duration) -> Result<Option<Self::Lease>, String> {
        let free = !self.taken.swap(true, Ordering::SeqCst);
        Ok(free.then_some([0; LARGE]))
    }

    fn wait(&self, timeout: Duration) -> Result<(), String> {
        self.waits.fetch_add(1, Ordering::SeqCst);
        thread::sleep(timeout);
        Ok(())
    }

    fn renew(&self, _: &mut Self::Lease) -> Result<bool, String> {
        self.renewals.fetch_add(1, Ordering::SeqCst);
        Ok(true)
    }

    fn release(&self, _: Self::Lease) -> Result<(), String> {
        self.releases.fetch_add(1, Ordering::SeqCst);
        self.taken.store(false, Ordering::SeqCst);
        Ok(())
    }

    fn is_locked(&self) -> Result<bool, String> {
        Ok(self.taken.load(Ordering::SeqCst))
    }

    fn passes(&self, _: &Self::Lease) -> bool {
        false
    }
}

impl Counts {
    fn until_renewed(&self) {
        let before = self.renewals.load(Ordering::SeqCst);
        let is_renewed = || self.renewals.load(Ordering::SeqCst) > before;
        until("the lease is renewed", is_renewed);
    }

    fn releases(&self) -> usize {
        self.releases.load(Ordering::SeqCst)
    }
}

fn taken(remote: &Remote<Counts>, mutex: &Arc<Counts>, lease: Duration) -> Held<Counts> {
    remote.try_acquire(mutex, lease).unwrap().unwrap()
}

/// Has a child do that, and kills it where it hangs. `meanwhile` comes before its end is asked for.
fn child_does(work: impl FnOnce(), meanwhile: impl FnOnce()) {
    let done = Step::new();
    let child = in_a_child(|| {
        work();
        done.done();
    });
    let is_done = done.comes();
    if !is_done {
        kill_process(child, Signal::KILL).unwrap();
    }
    meanwhile();
    assert_eq!(ended(child), Some(0), "it hangs, or has failed");
}

#[test]
fn a_child_takes_and_keeps_leases_though_the_thread_that_renews_its_parents_had_a_lock() {
    alone(
        "lease_forks::a_child_takes_and_keeps_leases_though_the_thread_that_renews_its_parents_had_a_lock",
        keeps_leases,
    );
}

fn keeps_leases() {
    let remote = Remote::new();
    let [parents, childs] = [(); 2].map(|()| Arc::new(Counts::default()));
    let mut held = Some(taken(&remote, &parents, SHORT));
    let hold_up = loop {
        let gone = taken(&remote, &Arc::new(Counts::default()), LONG);
        // What is left of it is freed by the thread that renews the other, which has its lock then; or by this one, if
        // that has looked at it just now.
        let hold_up = HoldUp::who_frees(LARGE);
        gone.release().unwrap();
        if !hold_up.was_missed() {
            break hold_up;
        }
    };
    until("the thread that renews is held up", || {
        hold_up.has_somebody()
    });
    let in_the_child = || {
        let own = taken(&remote, &childs, SHORT);
        let mut used = own.lend();
        childs.until_renewed();
        assert!(!own.is_lost());
        assert!(used.hold().is_some());
        own.release().unwrap();
        until("its own is given back", || childs.releases() == 1);
        // What is its parent's is neither its own to use nor to give back.
        let (before, lost) = (parents.releases(), held.take().unwrap());
        used = lost.lend();
        assert!(lost.is_lost());
        assert!(used.hold().is_none());
        lost.release().unwrap();
        assert_eq!(parents.releases(), before);
        // A thread of its own gives back what was dropped.
        drop(taken(&remote, &childs, LONG));
        until("what was dropped is given back", || childs.releases() == 2);
    };
    child_does(in_the_child, || drop(hold_up));
    let held = held.unwrap();
    parents.until_renewed();
    assert!(!held.is_lost());
    assert_eq!(parents.releases(), 0);
    held.release().unwrap();
    until("it is given back", || parents.releases() == 1);
}

#[test]
fn a_child_waits_for_others_by_threads_of_its_own() {
    alone(
        "lease_forks::a_child_waits_for_others_by_threads_of_its_own",
        waits_for_others,
    );
}

/// More keys than a process waits for by a thread each.
const MANY: u64 = 70;
const THREADS: usize = 64;

fn waits_for_others() {
    let remote = Remote::new();
    let flights = Flights::<u32, String, Held<Counts>>::new(WaitGraph::new());
    let elsewhere = Arc::new(Counts::default());
    elsewhere.taken.store(true, Ordering::SeqCst);
    // Of what the parent's threads look at, the child meets no lock.
    let hash = |number| if number < MANY { number % 8 } else { 8 } << 32;
    let watch = |number: u64, mutex: &Arc<Counts>| {
        let turn = flights.try_turn(hash(number), &number.to_string());
        remote.watch(Arc::clone(mutex), LONG, turn.unwrap());
    };
    let is_watched = |number: u64| flights.is_creating(hash(number), &number.to_string());
    for number in 0..MANY {
        watch(number, &elsewhere);
    }
    let waits = || elsewhere.waits.load(Ordering::SeqCst);
    until("all threads wait", || waits() >= THREADS);
    let in_the_child = || {
        watch(MANY, &Arc::new(Counts::default()));
        until("what is free is found to be free", || !is_watched(MANY));
    };
    child_does(in_the_child, || {
        elsewhere.taken.store(false, Ordering::SeqCst);
    });
    until("all are over", || !(0..MANY).any(is_watched));
}
