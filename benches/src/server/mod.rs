//! Calls to servers, which contenders make in turn.

mod calls;
mod process;
pub(crate) mod python;
pub(crate) mod region;

use crate::report::{Spread, Table};
use crate::turns;

pub(crate) use self::calls::{Contender, HOUR, InThreads, LENGTH, SEVERAL, Threads, What};
pub(crate) use self::process::Server;

/// How long a turn takes, about, in nanoseconds.
const TURN: f64 = 2e8;

/// How many times as long as ours a contender is to take for a call, where there is a target.
pub(crate) type Target = fn(What, &str) -> Option<f64>;

/// What the tables tell, as the end of a sentence.
pub(crate) fn told(rounds: usize) -> String {
    format!(
        "values of 1 KiB; {rounds} interleaved rounds; `ratio`: how many times as long as ours another took in the same \
         round, the median, with a tenth of the rounds below and above what is in brackets; get_multi and set_multi of \
         {SEVERAL} keys"
    )
}

/// A table for each kind of call, with so many callers at once. The first contender is ours.
pub(crate) fn race(
    contenders: &[Box<dyn Contender + '_>],
    kinds: &[What],
    callers: &[usize],
    rounds: usize,
    target: Target,
) {
    for what in kinds {
        let mut table = Table::new(&["call", "calls/s", "ratio", "", "target", ""]);
        for callers in callers {
            rows(&mut table, contenders, *what, *callers, rounds, target);
        }
        table.print();
    }
}

/// All take a turn in each round, a different one first each time.
fn rows(
    table: &mut Table,
    contenders: &[Box<dyn Contender + '_>],
    what: What,
    callers: usize,
    rounds: usize,
    target: Target,
) {
    let able: Vec<_> = contenders.iter().filter(|one| one.can(what)).collect();
    let calls: Vec<usize> = able
        .iter()
        .map(|one| turns::calls(TURN, |calls| one.turn(what, callers, calls)))
        .collect();
    let mut took = vec![Vec::with_capacity(rounds); able.len()];
    for round in 0..rounds {
        for turn in 0..able.len() {
            let at = (round + turn) % able.len();
            let all = turns::number(callers * calls[at]);
            took[at].push(able[at].turn(what, callers, calls[at]) / all);
        }
    }
    for (contender, own) in able.iter().zip(&took) {
        let rate = Spread::of(own.iter().map(|nanoseconds| 1e9 / nanoseconds)).median;
        let ratio = Spread::of(own.iter().zip(&took[0]).map(|(own, ours)| own / ours));
        let target = target(what, contender.name());
        let reached = target.map(|target| {
            if ratio.median >= target {
                "reached"
            } else {
                "missed"
            }
        });
        table.row([
            format!("{} {callers} {}", what.name(), contender.name()),
            format!("{rate:.0}"),
            format!("{:.2}", ratio.median),
            format!("[{:.2} {:.2}]", ratio.low, ratio.high),
            target
                .map(|target| format!("{target:.2}"))
                .unwrap_or_default(),
            reached.unwrap_or_default().to_owned(),
        ]);
    }
}
