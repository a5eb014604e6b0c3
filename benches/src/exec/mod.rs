//! `dogpile exec` beside bkt: how often a command is run when many want it at once, and what a hit takes.

mod contenders;
mod folder;

use std::fs;
use std::process::Child;
use std::time::Instant;

use self::contenders::Contender;
use self::folder::Folder;
use crate::report::{Spread, Table};

/// Calls at once.
const CALLS: usize = 50;

/// Counts its runs, takes a while, and prints a little.
const SCRIPT: &str = "echo run >> runs; sleep 0.5; echo output";

/// Hits of a round.
const HITS: u32 = 20;

pub(crate) fn run(rounds: usize) {
    let here: Vec<_> = Contender::ALL
        .into_iter()
        .filter_map(|one| Some((one, one.version()?)))
        .collect();
    if !here.iter().any(|(one, _)| *one == Contender::Bkt) {
        println!("bkt is not here: `cargo install bkt`, or name it by DOGPILE_BENCH_BKT\n");
    }
    let versions: Vec<_> = here.iter().map(|(_, version)| version.as_str()).collect();
    println!(
        "{CALLS} calls at once for the output of a command that takes 500 ms, and calls one after the other when it is \
         kept; {rounds} interleaved rounds, each with a cache of its own, of {}. Times are in milliseconds, the median \
         over the rounds with a tenth of them below and above what is in brackets.\n",
        versions.join(", ")
    );
    let mut rows: Vec<_> = here.iter().map(|(one, _)| (*one, Vec::new())).collect();
    for round in 0..rounds {
        let first = round % rows.len();
        rows.rotate_left(first);
        for (contender, outcomes) in &mut rows {
            outcomes.push(measure(*contender));
        }
        rows.rotate_right(first);
    }
    let mut table = Table::new(&["command", "runs of 50", "all have it", "", "a hit", ""]);
    for (contender, outcomes) in rows {
        let runs = outcomes.iter().map(|outcome: &Outcome| outcome.runs);
        let (least, most) = (runs.clone().min().unwrap_or(0), runs.max().unwrap_or(0));
        let all = Spread::of(outcomes.iter().map(|outcome| outcome.all));
        let hit = Spread::of(outcomes.iter().map(|outcome| outcome.hit));
        let hits = contender != Contender::Plain;
        table.row([
            contender.name().to_owned(),
            if least == most {
                most.to_string()
            } else {
                format!("{least} to {most}")
            },
            format!("{:.0}", all.median),
            format!("[{:.0} {:.0}]", all.low, all.high),
            if hits {
                format!("{:.2}", hit.median)
            } else {
                String::new()
            },
            if hits {
                format!("[{:.2} {:.2}]", hit.low, hit.high)
            } else {
                String::new()
            },
        ]);
    }
    table.print();
}

/// What came of a round. Times are in milliseconds.
struct Outcome {
    /// How often the command was run.
    runs: usize,
    /// From the first call to the end of the last.
    all: f64,
    /// The mean of a call when the output is kept.
    hit: f64,
}

fn measure(contender: Contender) -> Outcome {
    let folder = Folder::new();
    let call = || {
        contender
            .call(folder.path(), SCRIPT)
            .spawn()
            .expect("it starts")
    };
    let began = Instant::now();
    let calls: Vec<_> = (0..CALLS).map(|_| call()).collect();
    calls.into_iter().for_each(end);
    let all = began.elapsed().as_secs_f64() * 1e3;
    let runs = fs::read_to_string(folder.path().join("runs"))
        .unwrap_or_default()
        .lines()
        .count();
    let hits = if contender == Contender::Plain {
        0
    } else {
        HITS
    };
    let began = Instant::now();
    for _ in 0..hits {
        end(call());
    }
    let hit = began.elapsed().as_secs_f64() * 1e3 / f64::from(hits.max(1));
    Outcome { runs, all, hit }
}

fn end(call: Child) {
    let output = call.wait_with_output().expect("it can be waited for");
    assert_eq!(
        (output.status.code(), &output.stdout[..]),
        (Some(0), &b"output\n"[..])
    );
}
