//! What bounding and eviction cost.

use crate::peers::{Dogpile, Moka, QuickCache, QuickCacheTtl};
use crate::report::{Spread, Table, ratio};
use crate::rounds::{Action, Asked, Contender, Named, WARM_UP, race};
use crate::workload::{Blob, keys, zipf};

const CAPACITY: usize = 10_000;
/// So many keys that about four of five calls are hits.
const ALL: usize = 100_000;
const CALLS: usize = 100_000;
/// How many keys that nobody asks for again a scan goes through, and after how many calls one comes.
const SCAN: u32 = 10_000;
const BETWEEN_SCANS: usize = 50_000;

fn contenders() -> [Box<dyn Contender>; 4] {
    [
        Named::<Dogpile>::boxed("dogpile", CAPACITY),
        Named::<Moka<Blob>>::boxed("moka", CAPACITY),
        Named::<QuickCacheTtl<Blob>>::boxed("quick_cache+ttl", CAPACITY),
        Named::<QuickCache<Blob>>::boxed("quick_cache", CAPACITY),
    ]
}

pub(crate) fn run(rounds: usize) {
    println!(
        "Bounding and eviction: room for {CAPACITY} entries, values of 1 KiB, a creator that only allocates one. \
         `bounded`: get_or_create over {ALL} keys, zipf 1.0. `set`: stores over {ALL} keys, zipf 1.0.\n"
    );
    let mut table = Table::new(&[
        "what, threads and cache",
        "ns/call",
        "cpu ns/call",
        "ratio",
        "cpu ratio",
        "hits",
    ]);
    let mut asked = Asked {
        keys: keys(ALL),
        sequences: Vec::new(),
    };
    for threads in [1, 2, 8] {
        asked.sequences = (0..threads)
            .map(|thread| zipf(ALL, 1.0, CALLS, 200 + thread))
            .collect();
        let ask: Action = |contender, keys, sequence| contender.ask(keys, sequence);
        let set: Action = |contender, keys, sequence| contender.set(keys, sequence);
        for (what, action) in [("bounded", ask), ("set", set)] {
            compare(
                &mut table,
                &format!("{what} {threads}"),
                &asked,
                rounds,
                action,
            );
        }
    }
    table.print();
    hit_ratios();
}

fn compare(table: &mut Table, what: &str, asked: &Asked, rounds: usize, action: Action) {
    let contenders = contenders();
    race(&contenders, asked, 2, action);
    let before: Vec<u64> = contenders
        .iter()
        .map(|contender| contender.created())
        .collect();
    let took = race(&contenders, asked, rounds, action);
    let calls = asked
        .sequences
        .iter()
        .map(|one| one.len() + one.len() / WARM_UP);
    let calls = (rounds * calls.sum::<usize>()) as u64;
    for ((contender, times), before) in contenders.iter().zip(&took).zip(before) {
        let created = contender.created() - before;
        table.row([
            format!("{what} {}", contender.name()),
            format!(
                "{:.1}",
                Spread::of(times.iter().map(|took| took.wall)).median
            ),
            format!(
                "{:.1}",
                Spread::of(times.iter().map(|took| took.cpu)).median
            ),
            format!("{:.2}", ratio(times, &took[0], |took| took.wall).median),
            format!("{:.2}", ratio(times, &took[0], |took| took.cpu).median),
            if created == 0 {
                String::new()
            } else {
                percent(calls - created, calls)
            },
        ]);
    }
}

fn percent(part: u64, whole: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "few calls")]
    let percent = part as f64 * 100.0 / whole as f64;
    format!("{percent:.1} %")
}

/// How many of the calls are hits, one thread.
fn hit_ratios() {
    println!(
        "Hits of all calls: zipf 0.9 over {ALL} keys, room for {CAPACITY}; with scans: after each {BETWEEN_SCANS} \
         calls {SCAN} keys that nobody asks for again, which are not counted.\n"
    );
    let mut table = Table::new(&["cache", "zipf 0.9", "with scans"]);
    let asked_again = zipf(ALL, 0.9, 1_000_000, 300);
    let keys = keys(ALL + asked_again.len() / BETWEEN_SCANS * SCAN as usize);
    let (plain, scanned) = (contenders(), contenders());
    for (plain, scanned) in plain.iter().zip(&scanned) {
        plain.ask(&keys, &asked_again);
        let mut missed = 0;
        let mut next = u32::try_from(ALL).expect("few keys");
        for part in asked_again.chunks(BETWEEN_SCANS) {
            let before = scanned.created();
            scanned.ask(&keys, part);
            missed += scanned.created() - before;
            scanned.ask(&keys, &(next..next + SCAN).collect::<Vec<_>>());
            next += SCAN;
        }
        let calls = asked_again.len() as u64;
        table.row([
            plain.name().to_owned(),
            percent(calls - plain.created(), calls),
            percent(calls - missed, calls),
        ]);
    }
    table.print();
}
