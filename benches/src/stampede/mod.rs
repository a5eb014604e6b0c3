//! Many callers of one missing key at once: how long the last of them waits after the value is there.

mod foyer;
mod herd;
mod tasks;
mod threads;

use self::herd::{CREATION, Herd};
use crate::plugins::how;
use crate::report::{Spread, Table};

const CAPACITY: usize = 10_000;
const CALLERS: [usize; 2] = [64, 256];
/// How many times as long as the list's the last of the callers that block may wait; there is none for tasks.
const TARGET: Option<f64> = Some(1.3);

/// What came of one herd.
#[derive(Clone, Copy)]
struct Outcome {
    /// Nanoseconds from the end of the creator to the return of the last caller.
    took: f64,
    creations: usize,
}

impl Outcome {
    fn of(herd: &Herd) -> Self {
        Self {
            took: herd.took(),
            creations: herd.creations(),
        }
    }
}

pub(crate) fn run(rounds: usize) {
    let runtime = tokio::runtime::Runtime::new().expect("the system has threads");
    let handle = runtime.handle();
    let how = how();
    let millis = CREATION.as_millis();
    println!(
        "Stampedes, dogpile with {how}: so many callers ask for one missing key, whose creator takes {millis} ms from \
         when all have asked; {rounds} interleaved rounds, each with a key of its own. `µs` is from the end of the \
         creator to the return of the last caller, `ratio` that beside a list of as many, which are woken one by one, \
         the median over the rounds with a tenth of them below and above what is in brackets.\n"
    );
    println!("Callers that block, a thread each:\n");
    let contenders = threads::contenders(handle);
    let names: Vec<_> = contenders.iter().map(|one| one.name()).collect();
    race(&names, rounds, TARGET, |at, number, callers| {
        threads::stampede(&*contenders[at], number, callers)
    });
    println!("Asynchronous callers, a task each, on as many threads as there are processors:\n");
    let contenders = tasks::contenders();
    let names: Vec<_> = contenders.iter().map(|one| one.name()).collect();
    race(&names, rounds, None, |at, number, callers| {
        tasks::stampede(handle, &*contenders[at], number, callers)
    });
}

/// All contenders have a herd of the same size in each round, a different one first each time.
fn race(
    names: &[&'static str],
    rounds: usize,
    target: Option<f64>,
    stampede: impl Fn(usize, usize, usize) -> Outcome,
) {
    let mut table = Table::new(&[
        "callers and cache",
        "µs",
        "ratio",
        "",
        "creations in a round",
        "target",
        "",
    ]);
    let mut number = 0;
    for callers in CALLERS {
        let mut outcomes = vec![Vec::with_capacity(rounds); names.len()];
        // The first round of all is for what is done once.
        for round in 0..=rounds {
            number += 1;
            for turn in 0..names.len() {
                let at = (round + turn) % names.len();
                let outcome = stampede(at, number, callers);
                if round > 0 {
                    outcomes[at].push(outcome);
                }
            }
        }
        for (name, own) in names.iter().zip(&outcomes) {
            table.row(row(&format!("{callers} {name}"), own, &outcomes[0], target));
        }
    }
    table.print();
}

fn row(name: &str, own: &[Outcome], list: &[Outcome], target: Option<f64>) -> [String; 7] {
    let took = Spread::of(own.iter().map(|outcome| outcome.took / 1e3));
    let ratios = own.iter().zip(list);
    let ratio = Spread::of(ratios.map(|(own, list)| own.took / list.took));
    let creations = own.iter().map(|outcome| outcome.creations);
    let (least, most) = (creations.clone().min(), creations.max());
    let creations = match least.zip(most).expect("there is a round") {
        (least, most) if least == most => most.to_string(),
        (least, most) => format!("{least} to {most}"),
    };
    let (target, reached) = match target {
        Some(target) if name.ends_with("dogpile") => {
            let reached = ratio.median <= target && creations == "1";
            let reached = if reached { "reached" } else { "missed" };
            (format!("{target:.1}"), reached)
        }
        _ => (String::new(), ""),
    };
    [
        name.to_owned(),
        format!("{:.0}", took.median),
        format!("{:.2}", ratio.median),
        format!("[{:.2} {:.2}]", ratio.low, ratio.high),
        creations,
        target,
        reached.to_owned(),
    ]
}
