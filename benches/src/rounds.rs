//! Rounds of the same loop, each contender in turn, on so many threads.

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use crate::peers::Peer;
use crate::workload::{Blob, blob};

/// The share of a sequence that goes before the time is taken.
pub(crate) const WARM_UP: usize = 10;

/// What is asked for by each thread.
pub(crate) struct Asked {
    pub(crate) keys: Vec<String>,
    pub(crate) sequences: Vec<Vec<u32>>,
}

/// What one contender took for one round, in nanoseconds for a call of all threads together.
#[derive(Clone, Copy)]
pub(crate) struct Took {
    /// From the first thread's start to the last one's end.
    pub(crate) wall: f64,
    /// The threads' processor time, which leaves out most of what other programs on the machine do.
    pub(crate) cpu: f64,
}

/// A contender, ready to run.
pub(crate) trait Contender: Sync {
    fn name(&self) -> &'static str;
    /// Calls `get_or_create` for a thread's sequence.
    fn ask(&self, keys: &[String], sequence: &[u32]);
    /// Calls `set` for a thread's sequence.
    fn set(&self, keys: &[String], sequence: &[u32]);
    /// How many values were created up to now.
    fn created(&self) -> u64;
}

/// A peer with its name.
pub(crate) struct Named<P> {
    name: &'static str,
    peer: P,
    created: AtomicU64,
}

impl<P: Peer<Blob>> Named<P> {
    pub(crate) fn boxed<'a>(name: &'static str, capacity: usize) -> Box<dyn Contender + 'a>
    where
        P: 'a,
    {
        Box::new(Self {
            name,
            peer: P::new(capacity),
            created: AtomicU64::new(0),
        })
    }
}

impl<P: Peer<Blob>> Contender for Named<P> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn ask(&self, keys: &[String], sequence: &[u32]) {
        for number in sequence {
            let held = self.peer.get_or_create(&keys[*number as usize], || {
                self.created.fetch_add(1, Ordering::Relaxed);
                blob()
            });
            drop(black_box(held));
        }
    }

    fn set(&self, keys: &[String], sequence: &[u32]) {
        for number in sequence {
            self.peer.set(&keys[*number as usize], blob());
        }
    }

    fn created(&self) -> u64 {
        self.created.load(Ordering::Relaxed)
    }
}

/// What the threads do.
pub(crate) type Action = fn(&dyn Contender, &[String], &[u32]);

/// All contenders do the same in each round, one after another, a different one first each time. Gives what each
/// took, by contender and round.
pub(crate) fn race(
    contenders: &[Box<dyn Contender>],
    asked: &Asked,
    rounds: usize,
    action: Action,
) -> Vec<Vec<Took>> {
    let mut took = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            let at = (round + turn) % contenders.len();
            took[at].push(run(&*contenders[at], asked, action));
        }
    }
    took
}

struct Span {
    start: Instant,
    end: Instant,
    cpu: f64,
}

fn run(contender: &dyn Contender, asked: &Asked, action: Action) -> Took {
    let barrier = Barrier::new(asked.sequences.len());
    let spans: Vec<Span> = std::thread::scope(|scope| {
        let (barrier, keys) = (&barrier, &asked.keys[..]);
        let mut threads = Vec::with_capacity(asked.sequences.len());
        for sequence in &asked.sequences {
            threads.push(scope.spawn(move || {
                // What the contender before has pushed out of the processor's caches comes back first.
                action(contender, keys, &sequence[..sequence.len() / WARM_UP]);
                barrier.wait();
                let (start, cpu) = (Instant::now(), thread_time());
                action(contender, keys, sequence);
                Span {
                    start,
                    cpu: thread_time() - cpu,
                    end: Instant::now(),
                }
            }));
        }
        let joined = threads.into_iter().map(ScopedJoinHandle::join);
        joined.map(|span| span.expect("no thread panics")).collect()
    });
    let calls: usize = asked.sequences.iter().map(Vec::len).sum();
    let start = spans.iter().map(|span| span.start).min();
    let end = spans.iter().map(|span| span.end).max();
    let (start, end) = start.zip(end).expect("there is a thread");
    #[expect(clippy::cast_precision_loss, reason = "few calls")]
    let calls = calls as f64;
    Took {
        wall: (end - start).as_secs_f64() * 1e9 / calls,
        cpu: spans.iter().map(|span| span.cpu).sum::<f64>() / calls,
    }
}

/// The processor time of this thread, in nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "exact enough")]
fn thread_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}
