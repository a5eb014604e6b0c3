//! Callers at a steady pace while a value expires and is created again: how late their calls return.

mod contenders;
mod creator;
mod pace;

use std::thread;

use dogpile::Source;

use self::contenders::{BACKGROUND, Contender, EXPIRATION, MOKA, STALE, contenders};
use self::creator::{CREATION, Creator, closest};
use self::pace::{CALLERS, EVERY, SPAN};
use crate::plugins::how;
use crate::report::{Spread, Table};

const RUNS: u64 = 3;
/// How many times as long as dogpile's with a background creator moka's latency is, at 99.9 %.
const TARGET: f64 = 20.0;

/// What one contender did in one run. Times are in seconds.
#[derive(Clone)]
struct Run {
    latencies: [f64; LATENCIES.len()],
    creations: usize,
    closest: f64,
    long: usize,
    /// How many calls had a fresh and a stale value, created, and waited; none where the cache does not tell.
    sources: [usize; SOURCES.len()],
}

const LATENCIES: [(&str, f64); 4] = [
    ("p50 ms", 0.5),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("max", 1.0),
];
/// The place of the one that has a target.
const P999: usize = 2;

const SOURCES: [(&str, Source); 4] = [
    ("fresh", Source::Fresh),
    ("stale", Source::Stale),
    ("created", Source::Created),
    ("waited", Source::Waited),
];

pub(crate) fn run() {
    println!(
        "Stale values, dogpile with {}: {CALLERS} threads each call once in {} ms for {} s, a latency is counted from \
         when a call is due. The value expires {} ms after its creation, which takes {} ms. Where stale values can be \
         served, they may be for {} s. {RUNS} interleaved runs, of which the medians are given; `p99.9 of moka` is \
         moka's in the same run over the cache's own. `long calls` took more than half of a creation. `closest` is the \
         shortest time from the end of a creation to the beginning of the next in all runs: less than {} ms if one \
         was for nothing.\n",
        how(),
        EVERY.as_millis(),
        SPAN.as_secs(),
        EXPIRATION.as_millis(),
        CREATION.as_millis(),
        STALE.as_secs(),
        EXPIRATION.as_millis(),
    );
    let runtime = tokio::runtime::Runtime::new().expect("the system has threads");
    let mut runs = Vec::new();
    let mut names = Vec::new();
    for number in 0..RUNS {
        let creator = Creator::default();
        let contenders = contenders(number, &creator, runtime.handle());
        names = contenders.iter().map(|one| one.name()).collect();
        runs.resize(contenders.len(), Vec::new());
        for turn in 0..contenders.len() {
            let at = (turn + usize::try_from(number).expect("few runs")) % contenders.len();
            runs[at].push(measure(&*contenders[at], &creator));
        }
    }
    let mut table = Table::new(&[
        "cache",
        LATENCIES[0].0,
        LATENCIES[1].0,
        LATENCIES[2].0,
        LATENCIES[3].0,
        "p99.9 of moka",
        "target",
        "",
        "long calls",
        "creations",
        "closest ms",
    ]);
    for (at, (name, own)) in names.iter().zip(&runs).enumerate() {
        table.row(row(name, own, &runs[MOKA], at == BACKGROUND));
    }
    table.print();
    for (name, own) in names.iter().zip(&runs) {
        print_sources(name, own);
    }
    println!();
}

fn measure(contender: &dyn Contender, creator: &Creator) -> Run {
    contender.call();
    creator.take();
    let calls = pace::run(contender);
    // A creation in the background may go on for that long, and is the next contender's otherwise.
    thread::sleep(2 * CREATION);
    let creations = creator.take();
    let last = calls.latencies.len() - 1;
    Run {
        latencies: LATENCIES.map(|(_, share)| {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "few calls"
            )]
            let place = (last as f64 * share) as usize;
            #[expect(clippy::cast_precision_loss, reason = "short times")]
            let latency = calls.latencies[place] as f64 / 1e9;
            latency
        }),
        creations: creations.len(),
        closest: closest(&creations),
        long: calls.long,
        sources: SOURCES
            .map(|(_, source)| calls.sources.iter().filter(|one| **one == source).count()),
    }
}

fn row(name: &str, own: &[Run], moka: &[Run], has_target: bool) -> Vec<String> {
    let median = |of: &dyn Fn(&Run) -> f64| Spread::of(own.iter().map(of)).median;
    let beside = own.iter().zip(moka);
    let beside = beside.map(|(own, moka)| moka.latencies[P999] / own.latencies[P999]);
    let beside = Spread::of(beside).median;
    let mut cells = vec![name.to_owned()];
    cells.extend(
        (0..LATENCIES.len()).map(|at| format!("{:.2}", median(&|run| run.latencies[at]) * 1e3)),
    );
    cells.push(format!("{beside:.1}"));
    let waits = own.iter().any(|run| run.sources[2..] != [0, 0]);
    cells.extend(match (has_target, beside >= TARGET && !waits) {
        (false, _) => [String::new(), String::new()],
        (true, reached) => [
            format!("{TARGET:.0}"),
            if reached { "reached" } else { "missed" }.to_owned(),
        ],
    });
    cells.push(list(own, |run| run.long));
    cells.push(list(own, |run| run.creations));
    let closest = own
        .iter()
        .map(|run| run.closest)
        .fold(f64::INFINITY, f64::min);
    cells.push(if closest.is_finite() {
        format!("{:.1}", closest * 1e3)
    } else {
        String::new()
    });
    cells
}

/// A number of each run.
fn list(runs: &[Run], of: fn(&Run) -> usize) -> String {
    let numbers: Vec<String> = runs.iter().map(|run| of(run).to_string()).collect();
    numbers.join(" ")
}

fn print_sources(name: &str, own: &[Run]) {
    let sum = |at: usize| own.iter().map(|run| run.sources[at]).sum::<usize>();
    if (0..SOURCES.len()).all(|at| sum(at) == 0) {
        return;
    }
    let counted = SOURCES.iter().enumerate();
    let counted: Vec<String> = counted
        .map(|(at, (source, _))| format!("{} {source}", sum(at)))
        .collect();
    println!("{name}, calls after the first: {}", counted.join(", "));
}
