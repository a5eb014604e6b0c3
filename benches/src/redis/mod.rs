//! `--redis`: calls to a Redis server beside raw connections, dogpile.cache and `cached`, and how fast waiters are woken.

mod calls;
mod contenders;
mod python;
mod server;
mod waking;

use std::cell::RefCell;
use std::path::Path;

use self::calls::{Contender, InThreads, SEVERAL, What};
use self::contenders::{Cached, Dogpile, Raw, RawMultiplexed};
use self::python::{PythonProcesses, PythonThreads, Told};
use crate::report::{Spread, Table};

pub(crate) use self::server::Server;
pub(crate) use self::waking::child;

/// So many callers at once.
const CALLERS: [usize; 3] = [1, 8, 32];

/// How long a turn takes, about, in nanoseconds.
const TURN: f64 = 2e8;

/// How fast we are to be, beside raw connections and beside dogpile.cache.
fn target(what: What, peer: &str) -> Option<f64> {
    match (what, peer) {
        (What::Get, _) if peer == "redis, a connection each" => Some(0.95),
        (What::GetMulti, _) if peer == "redis, a connection each" => Some(0.9),
        (What::Get, _) if peer.starts_with("dogpile.cache") => Some(8.0),
        _ => None,
    }
}

pub(crate) fn run(rounds: usize) {
    let server = match Server::start() {
        Ok(server) => server,
        Err(missing) => return println!("--redis is left out: {missing}\n"),
    };
    let python = python::python();
    if let Err(missing) = &python {
        println!("dogpile.cache is left out: {missing}\n");
    }
    let python = python.ok();
    println!(
        "## Calls to a Redis server\n\nValues of 1 KiB; {rounds} interleaved rounds; `ratio`: how many times as long as \
         ours another took in the same round, the median, with a tenth of the rounds below and above what is in \
         brackets; get_multi and set_multi of {SEVERAL} keys\n"
    );
    throughput(&server, python.as_deref(), rounds);
    waking::run(server.port, python.as_deref(), rounds);
}

fn throughput(server: &Server, python: Option<&Path>, rounds: usize) {
    let most = CALLERS.into_iter().max().unwrap_or(1);
    let mut contenders = vec![
        InThreads::boxed(Dogpile::new(server, false)),
        InThreads::boxed(Dogpile::new(server, true)),
        InThreads::boxed(Raw::new(server, most)),
        InThreads::boxed(RawMultiplexed::new(server)),
        InThreads::boxed(Cached::new(
            server,
            u32::try_from(most).expect("it is small"),
        )),
    ];
    if let Some(python) = python {
        let child = || Told::python(python, server.port);
        contenders.push(Box::new(PythonThreads(RefCell::new(child()))));
        let children = (0..most).map(|_| child()).collect();
        contenders.push(Box::new(PythonProcesses(RefCell::new(children))));
    }
    for what in [What::Get, What::GetMulti, What::Set, What::SetMulti] {
        let mut table = Table::new(&["call", "calls/s", "ratio", "", "target", ""]);
        for callers in CALLERS {
            race(&mut table, &contenders, what, callers, rounds);
        }
        table.print();
    }
}

/// All take a turn in each round, a different one first each time.
fn race(
    table: &mut Table,
    contenders: &[Box<dyn Contender + '_>],
    what: What,
    callers: usize,
    rounds: usize,
) {
    let able: Vec<_> = contenders.iter().filter(|one| one.can(what)).collect();
    let calls: Vec<usize> = able
        .iter()
        .map(|one| calls_of_a_turn(&***one, what, callers))
        .collect();
    let mut took = vec![Vec::with_capacity(rounds); able.len()];
    for round in 0..rounds {
        for turn in 0..able.len() {
            let at = (round + turn) % able.len();
            let all = number(callers * calls[at]);
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

/// By a short turn, and another of a tenth, which warm up.
fn calls_of_a_turn(contender: &dyn Contender, what: What, callers: usize) -> usize {
    let mut calls = 5;
    for part in [10.0, 1.0] {
        let took = contender.turn(what, callers, calls);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is small"
        )]
        let fitting = (TURN / part / took * number(calls)) as usize;
        calls = fitting.max(5);
    }
    calls
}

#[expect(clippy::cast_precision_loss, reason = "few calls")]
fn number(calls: usize) -> f64 {
    calls as f64
}
