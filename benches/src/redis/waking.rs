//! How long who waits for another process's creation waits after its end.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use dogpile::Region;
use rustix::time::{ClockId, clock_gettime};

use super::{contenders, python_process};
use crate::report::{Spread, Table};
use crate::server::LENGTH;
use crate::told::Told;

/// How many threads of the other process wait.
const WAITERS: usize = 8;

/// The longest that the last of them may wait in the median, in milliseconds.
const TARGET: f64 = 2.0;

/// How long a creation takes from when the waiters were told to call: all wait by then. A few milliseconds more each
/// time, so that it does not end in step with whoever polls.
const CREATION: Duration = Duration::from_millis(300);

pub(super) fn run(port: u16, python: Option<&Path>, rounds: usize) {
    println!(
        "A process creates; {WAITERS} threads of another wait for it. Milliseconds from the creator's end, before it is \
         stored and released, to the return of the last waiter, over {rounds} rounds:\n"
    );
    let mut pairs = vec![("dogpile", dogpile(port, false), dogpile(port, false))];
    pairs.push((
        "dogpile, multiplexed",
        dogpile(port, true),
        dogpile(port, true),
    ));
    if let Some(python) = python {
        let child = || python_process(python, port);
        pairs.push(("dogpile.cache", child(), child()));
    }
    let mut took = vec![Vec::new(); pairs.len()];
    for round in 0..=rounds {
        for (at, (_, owner, waiter)) in pairs.iter_mut().enumerate() {
            let wait = wake(
                owner,
                waiter,
                &format!("waited {at} {round}").replace(' ', ":"),
                round,
            );
            // The first is for what is done once.
            if round > 0 {
                took[at].push(wait);
            }
        }
    }
    let mut table = Table::new(&["cache", "p50 ms", "p90", "most", "target", ""]);
    for ((name, ..), took) in pairs.iter().zip(took) {
        let most = took.iter().copied().fold(0.0, f64::max);
        let spread = Spread::of(took);
        let ours = name.starts_with("dogpile") && *name != "dogpile.cache";
        let reached = if spread.median <= TARGET {
            "reached"
        } else {
            "missed"
        };
        table.row([
            (*name).to_owned(),
            format!("{:.2}", spread.median),
            format!("{:.2}", spread.high),
            format!("{most:.2}"),
            if ours {
                format!("{TARGET:.1}")
            } else {
                String::new()
            },
            if ours {
                reached.to_owned()
            } else {
                String::new()
            },
        ]);
    }
    table.print();
}

fn wake(owner: &mut Told, waiter: &mut Told, key: &str, round: usize) -> f64 {
    owner.tell(&format!("hold {key}"));
    assert_eq!(owner.answer(), "creating");
    waiter.tell(&format!("wait {key} {WAITERS}"));
    std::thread::sleep(CREATION + Duration::from_millis(7 * round as u64 % 100));
    owner.tell("end");
    let ended = owner.numbers()[0];
    let back = waiter.numbers();
    assert!(back[1] <= 0.0, "a waiter created");
    (back[0] - ended) / 1e6
}

fn dogpile(port: u16, multiplex: bool) -> Told {
    let program = std::env::current_exe().expect("this program has a file");
    let arguments = [port.to_string(), multiplex.to_string()];
    Told::start(Command::new(program).arg("--redis-of").args(arguments))
}

/// What a child does: `PORT MULTIPLEX`.
pub(crate) fn child(arguments: &[&str]) -> ExitCode {
    let [port, multiplex] = arguments else {
        return ExitCode::from(2);
    };
    let port = port.parse().expect("a port");
    let region = contenders::dogpile(port, *multiplex == "true").region;
    println!("ready");
    let mut lines = std::io::stdin().lines();
    let mut next = move || lines.next().map(|line| line.expect("a line"));
    while let Some(line) = next() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["hold", key] => hold(&region, key, &mut next),
            ["wait", key, threads] => wait(&region, key, threads.parse().expect("a number")),
            _ => return ExitCode::from(2),
        }
    }
    ExitCode::SUCCESS
}

fn hold(region: &Region, key: &str, next: &mut impl FnMut() -> Option<String>) {
    let mut ended = 0;
    let made = region.get_or_create(key, || {
        println!("creating");
        next().expect("a line");
        ended = now();
        vec![7_u8; LENGTH]
    });
    made.expect("it is created");
    println!("{ended}");
}

fn wait(region: &Region, key: &str, threads: usize) {
    let (back, created) = (AtomicU64::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let got = region.get_or_create(key, || {
                    created.fetch_add(1, Ordering::Relaxed);
                    vec![7_u8; LENGTH]
                });
                got.expect("it is waited for");
                back.fetch_max(now(), Ordering::Relaxed);
            });
        }
    });
    println!("{} {}", back.into_inner(), created.into_inner());
}

/// A time that all processes count alike, in nanoseconds.
fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let part = |part: i64| u64::try_from(part).expect("it counts from the start of the system");
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}
