//! Each way to get the page takes a turn in each round.

use std::hint::black_box;
use std::time::Instant;

use crate::turns;

/// How long a turn takes, about, in nanoseconds.
const TURN: f64 = 3e7;

/// One way to get the page.
pub(super) struct Contender<'a> {
    pub(super) name: String,
    get: Box<dyn Fn() -> usize + 'a>,
}

impl<'a> Contender<'a> {
    pub(super) fn new(name: String, get: impl Fn() -> usize + 'a) -> Self {
        let get = Box::new(get);
        Self { name, get }
    }

    /// The nanoseconds of so many calls.
    fn turn(&self, calls: usize, length: usize) -> f64 {
        let start = Instant::now();
        for _ in 0..calls {
            assert_eq!(black_box((self.get)()), length, "{}", self.name);
        }
        start.elapsed().as_secs_f64() * 1e9
    }
}

/// What a call took in each round, in nanoseconds, by contender. A different one is first each time.
pub(super) fn race(contenders: &[Contender<'_>], length: usize, rounds: usize) -> Vec<Vec<f64>> {
    let calls: Vec<usize> = contenders
        .iter()
        .map(|contender| turns::calls(TURN, |calls| contender.turn(calls, length)))
        .collect();
    let mut took = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            let at = (round + turn) % contenders.len();
            // What others have pushed out of the processor's caches comes back first.
            contenders[at].turn(calls[at] / 10 + 1, length);
            took[at].push(contenders[at].turn(calls[at], length) / turns::number(calls[at]));
        }
    }
    took
}
