//! The hit path beside the peers', in time.

use crate::peers::{Dogpile, Moka, QuickCache, QuickCacheTtl};
use crate::plugins::how;
use crate::report::{Spread, Table, ratio};
use crate::rounds::{Asked, Contender, Named, race};
use crate::workload::{Blob, CAPACITY, KEYS, keys, zipf};

/// So many that what a cache puts off, as moka does its housekeeping, falls into the time taken.
const CALLS: usize = 200_000;

/// How many times as fast as moka, and as `quick_cache` with a time to live, a hit has to be on so many threads.
const TARGETS: [(usize, f64, f64); 3] = [(1, 4.5, 1.5), (2, 4.0, 1.5), (8, 3.5, 1.5)];

pub(crate) fn run(rounds: usize) {
    let contenders: [Box<dyn Contender>; 4] = [
        Named::<Dogpile>::boxed("dogpile", CAPACITY),
        Named::<Moka<Blob>>::boxed("moka", CAPACITY),
        Named::<QuickCacheTtl<Blob>>::boxed("quick_cache+ttl", CAPACITY),
        Named::<QuickCache<Blob>>::boxed("quick_cache", CAPACITY),
    ];
    let keys = keys(KEYS);
    let all: Vec<u32> = (0..10_000).collect();
    for contender in &contenders {
        contender.ask(&keys, &all);
    }
    let created: Vec<u64> = contenders
        .iter()
        .map(|contender| contender.created())
        .collect();
    println!(
        "Hits, dogpile with {}: {KEYS} keys of 30 bytes, zipf 1.0, values of 1 KiB in an Arc, time to live set, \
         {rounds} interleaved rounds of {CALLS} calls a thread. `ratio` is the peer's time over dogpile's, the median over the rounds with \
         a tenth of them below and above what is in brackets; `cpu ratio` the same of the threads' processor time.\n",
        how()
    );
    let mut table = Table::new(&[
        "threads and cache",
        "ns/hit",
        "cpu ns/hit",
        "ratio",
        "",
        "cpu ratio",
        "target",
        "",
    ]);
    let mut asked = Asked {
        keys,
        sequences: Vec::new(),
    };
    for (threads, moka, quick_cache) in TARGETS {
        asked.sequences = (0..threads as u64)
            .map(|thread| zipf(KEYS, 1.0, CALLS, 100 + thread))
            .collect();
        race(&contenders, &asked, 2, |contender, keys, sequence| {
            contender.ask(keys, sequence);
        });
        let took = race(&contenders, &asked, rounds, |contender, keys, sequence| {
            contender.ask(keys, sequence);
        });
        for (contender, times) in contenders.iter().zip(&took) {
            let wall = ratio(times, &took[0], |took| took.wall);
            let cpu = ratio(times, &took[0], |took| took.cpu);
            let target = match contender.name() {
                "moka" => Some(moka),
                "quick_cache+ttl" => Some(quick_cache),
                _ => None,
            };
            table.row([
                format!("{threads} {}", contender.name()),
                format!(
                    "{:.1}",
                    Spread::of(times.iter().map(|took| took.wall)).median
                ),
                format!(
                    "{:.1}",
                    Spread::of(times.iter().map(|took| took.cpu)).median
                ),
                format!("{:.2}", wall.median),
                format!("[{:.2} {:.2}]", wall.low, wall.high),
                format!("{:.2}", cpu.median),
                target.map_or_else(String::new, |target| format!("{target:.1}")),
                target
                    .map_or("", |target| {
                        if wall.median < target {
                            "missed"
                        } else {
                            "reached"
                        }
                    })
                    .to_owned(),
            ]);
        }
    }
    table.print();
    for (contender, created) in contenders.iter().zip(created) {
        let missed = contender.created() - created;
        if missed > 0 {
            println!("{}: {missed} calls were no hits", contender.name());
        }
    }
}
