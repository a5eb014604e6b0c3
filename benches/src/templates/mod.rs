//! `--templates`: a page of 200 rows, rendered and from the cache, by each template engine.

mod askama;
mod minijinja;
mod page;
mod race;
mod stores;
mod tera;

use std::hint::black_box;
use std::process::ExitCode;

use self::race::{Contender, race};
use self::stores::Stores;
use crate::report::{Spread, Table};

/// A template engine with the page, and with the cache in front of it.
///
/// Each gives the length of the page, which is the same in every way to get it.
trait Engine {
    fn name(&self) -> &'static str;
    /// How many times as fast as rendering a hit of `memory` is to be.
    fn target(&self) -> f64;
    /// By the engine alone, from a context that is ready.
    fn alone(&self) -> usize;
    /// Without the cache, from the program's data.
    fn uncached(&self) -> usize;
    /// From a region, by a key.
    fn cached(&self, region: &'static str) -> usize;
}

/// All of them; one more is a file beside this one, and a line here.
fn engines(stores: &Stores) -> Vec<Box<dyn Engine + '_>> {
    vec![
        Box::new(tera::Tera::new(stores)),
        Box::new(minijinja::MiniJinja::new(stores)),
        Box::new(askama::Askama::new(stores)),
    ]
}

/// Page hits of `memory` by one engine, for who counts their instructions.
pub(crate) fn child(name: &str, calls: &str) -> ExitCode {
    let calls = calls.parse().expect("a number of calls");
    let stores = Stores::in_memory();
    let engines = engines(&stores);
    let mut engines = engines.iter();
    let engine = engines.find(|engine| engine.name() == name);
    let engine = engine.expect("the name of an engine");
    // Once to render it, once more to have done what is done at the second call of a thread.
    for _ in 0..2 {
        black_box(engine.cached("memory"));
    }
    counted_hits(&**engine, calls);
    ExitCode::SUCCESS
}

/// Collection is switched on where this is entered, and off where it is left.
#[inline(never)]
fn counted_hits(engine: &dyn Engine, calls: usize) {
    for _ in 0..calls {
        black_box(engine.cached("memory"));
    }
}

pub(crate) fn run(rounds: usize) {
    let stores = Stores::open();
    println!(
        "## Cached pages\n\nA page of {} rows; {rounds} interleaved rounds; `times as fast`: how many times as long as \
         this the engine alone took in the same round, the median, with a tenth of the rounds below and above what is in \
         brackets\n",
        page::ROWS
    );
    let mut table = Table::new(&["page", "µs", "times as fast", "", "target", ""]);
    for engine in engines(&stores) {
        let engine = &*engine;
        let name = engine.name();
        let length = engine.alone();
        let mut contenders = vec![
            Contender::new(format!("{name} alone"), move || engine.alone()),
            Contender::new(format!("{name}, uncached"), move || engine.uncached()),
        ];
        contenders.extend(stores.regions.iter().map(|region| {
            let region = *region;
            Contender::new(format!("{name}, from {region}"), move || {
                engine.cached(region)
            })
        }));
        let took = race(&contenders, length, rounds);
        for (contender, own) in contenders.iter().zip(&took) {
            let ratio = Spread::of(took[0].iter().zip(own).map(|(alone, own)| alone / own));
            let target = contender.name.ends_with("memory").then(|| engine.target());
            let reached = target.map(|target| {
                if ratio.median >= target {
                    "reached"
                } else {
                    "missed"
                }
            });
            table.row([
                contender.name.clone(),
                format!("{:.2}", Spread::of(own.iter().copied()).median / 1e3),
                format!("{:.2}", ratio.median),
                format!("[{:.2} {:.2}]", ratio.low, ratio.high),
                target
                    .map(|target| format!("{target:.0}"))
                    .unwrap_or_default(),
                reached.unwrap_or_default().to_owned(),
            ]);
        }
    }
    table.print();
}
