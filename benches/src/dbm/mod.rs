//! `--dbm`: reads and writes of a file that processes share, beside dogpile.cache on dbm.gnu and beside redb alone.
//!
//! Each process is this program, or Python, started for it; all begin at once.

mod children;
mod contenders;

use crate::python;
use crate::report::{Spread, Table};

pub(crate) use self::contenders::child;

/// Reads and writes, in nanoseconds each, of all processes together.
#[derive(Default)]
struct Took {
    get: Vec<f64>,
    set: Vec<f64>,
}

const KEYS: u32 = 2_000;

pub(crate) fn run(rounds: usize) {
    println!(
        "## Reads and writes of a file that processes share\n\n{KEYS} keys, values of 1 KiB, 70 % reads; microseconds, \
         the median over {rounds} rounds\n"
    );
    let python = python::with(["dogpile.cache", "dbm.gnu"]);
    if let Err(missing) = &python {
        println!("dogpile.cache is left out: {missing}\n");
    }
    for processes in [1, 4] {
        let mut table = Table::new(&[
            "processes and cache",
            "get p50",
            "get p99",
            "set p50",
            "set p99",
        ]);
        let mut all: Vec<(String, Vec<[f64; 4]>)> = Vec::new();
        for _ in 0..rounds {
            for (place, name) in contenders::NAMES
                .iter()
                .chain(&["dogpile.cache"])
                .enumerate()
            {
                let took = match (*name, &python) {
                    ("dogpile.cache", Err(_)) => continue,
                    ("dogpile.cache", Ok(python)) => children::python_round(python, processes),
                    _ => children::round(name, processes),
                };
                if all.len() <= place {
                    all.push((format!("{processes} {name}"), Vec::new()));
                }
                all[place].1.push(percentiles(took));
            }
        }
        for (name, rounds) in all {
            let cell = |column: usize| {
                let median = Spread::of(rounds.iter().map(|round| round[column])).median;
                format!("{:.1}", median / 1_000.0)
            };
            table.row([name, cell(0), cell(1), cell(2), cell(3)]);
        }
        table.print();
    }
}

fn percentiles(took: Took) -> [f64; 4] {
    let at = |mut numbers: Vec<f64>, percent: usize| {
        numbers.sort_unstable_by(f64::total_cmp);
        numbers[(numbers.len() - 1) * percent / 100]
    };
    [
        at(took.get.clone(), 50),
        at(took.get, 99),
        at(took.set.clone(), 50),
        at(took.set, 99),
    ]
}
