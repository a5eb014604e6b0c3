//! What is called, and how a turn is timed.

use std::sync::Barrier;
use std::time::{Duration, Instant};

/// How many keys there are, and what lies under each, in bytes.
pub(crate) const KEYS: usize = 1_000;
pub(crate) const LENGTH: usize = 1024;

/// The keys of a call with several.
pub(crate) const SEVERAL: usize = 100;

pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// A kind of call.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum What {
    Get,
    Set,
    GetMulti,
    SetMulti,
}

impl What {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::GetMulti => "get_multi",
            Self::SetMulti => "set_multi",
        }
    }
}

/// Who makes calls.
pub(crate) trait Contender {
    fn name(&self) -> &'static str;
    fn can(&self, _: What) -> bool {
        true
    }
    /// So many calls of each of so many callers at once. Gives nanoseconds from the first one's start to the last one's
    /// end.
    fn turn(&self, what: What, callers: usize, calls: usize) -> f64;
}

/// One whose callers are threads of this process.
pub(crate) trait Threads: Sync {
    fn name(&self) -> &'static str;
    fn can(&self, _: What) -> bool {
        true
    }
    /// What a thread does, for each call with the keys of it.
    fn calls(&self, what: What, thread: usize, keys: &mut dyn Iterator<Item = &[String]>);
}

pub(crate) struct InThreads<T> {
    pub(crate) keys: Vec<String>,
    pub(crate) of: T,
}

impl<T: Threads> InThreads<T> {
    pub(crate) fn boxed<'a>(of: T) -> Box<dyn Contender + 'a>
    where
        T: 'a,
    {
        let keys = (0..KEYS + SEVERAL).map(|number| format!("key:{}", number % KEYS));
        let all = Self {
            keys: keys.collect(),
            of,
        };
        // What is asked for is there.
        all.of
            .calls(What::Set, 0, &mut (0..KEYS).map(|at| &all.keys[at..=at]));
        Box::new(all)
    }
}

impl<T: Threads> Contender for InThreads<T> {
    fn name(&self) -> &'static str {
        self.of.name()
    }

    fn can(&self, what: What) -> bool {
        self.of.can(what)
    }

    fn turn(&self, what: What, callers: usize, calls: usize) -> f64 {
        let barrier = Barrier::new(callers);
        let length = match what {
            What::Get | What::Set => 1,
            What::GetMulti | What::SetMulti => SEVERAL,
        };
        let spans: Vec<(Instant, Instant)> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..callers)
                .map(|thread| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        let mut keys = (0..calls).map(|call| {
                            let at = (thread * 331 + call * 7) % KEYS;
                            &self.keys[at..at + length]
                        });
                        barrier.wait();
                        let start = Instant::now();
                        self.of.calls(what, thread, &mut keys);
                        (start, Instant::now())
                    })
                })
                .collect();
            let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
            joined.map(|span| span.expect("no thread panics")).collect()
        });
        let start = spans.iter().map(|span| span.0).min();
        let end = spans.iter().map(|span| span.1).max();
        let (start, end) = start.zip(end).expect("there is a thread");
        (end - start).as_secs_f64() * 1e9
    }
}
