//! Every way to save what a host follows, again and again: each save becomes one generation, in time, and whatever was
//! applied was whole.

mod apart;
mod place;
mod table;

use std::fs;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dogpile::Host;

use self::apart::Namespace;
use self::place::{Content, Place};
use self::table::{OVERFLOW, TABLE};
use crate::counted::{self, full};
use crate::support::{DEADLINE, until};

/// After that long a host does nothing but wait.
const REST: Duration = Duration::from_millis(200);

/// One way to save.
struct Way {
    name: &'static str,
    /// Saves the content of that turn; that of turn 0 before a host is there.
    save: fn(&Place, u64),
    becomes: Becomes,
    needs: Needs,
}

/// What must become of a save.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Becomes {
    /// One more generation, soon: there are events.
    Generation,
    /// One more generation, once the host looks by itself: the kernel tells nobody.
    GenerationByLooking,
    /// No reload.
    Nothing,
}

/// What a way needs of the process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// Mounts of its own.
    Mounts,
    /// Files of other users.
    Users,
}

impl Way {
    const fn new(name: &'static str, save: fn(&Place, u64)) -> Self {
        Self {
            name,
            save,
            becomes: Becomes::Generation,
            needs: Needs::Nothing,
        }
    }

    const fn becomes(mut self, becomes: Becomes) -> Self {
        self.becomes = becomes;
        self
    }

    const fn needs(mut self, needs: Needs) -> Self {
        self.needs = needs;
        self
    }
}

#[test]
fn every_way_to_save_is_applied_within_a_second_and_nothing_half_read() {
    let test = "ways::every_way_to_save_is_applied_within_a_second_and_nothing_half_read";
    if let Some(within) = apart::enter(test, Namespace::Mounts) {
        run(TABLE, within, 8);
    }
}

#[test]
fn every_way_to_save_is_applied_within_five_seconds_where_there_are_no_events() {
    let test = "ways::every_way_to_save_is_applied_within_five_seconds_where_there_are_no_events";
    if let Some(within) = apart::enter(test, Namespace::NoEvents) {
        // They wait, all of them.
        run(TABLE, within, TABLE.len());
    }
}

#[test]
fn a_save_of_which_the_kernel_tells_nothing_for_it_has_too_much_to_tell_is_applied_within_a_second()
{
    let test = "ways::a_save_of_which_the_kernel_tells_nothing_for_it_has_too_much_to_tell_is_applied_within_a_second";
    // It stops its process.
    if let Some(within) = apart::enter(test, Namespace::Process) {
        run(OVERFLOW, within, 1);
    }
}

/// Goes all `ways`, so many at a time, and tells how long each took.
fn run(ways: &[Way], namespace: Namespace, at_a_time: usize) {
    let reloads = counted::Reloads::of_this_process();
    let next = AtomicUsize::new(0);
    let outcomes: Vec<OnceLock<Outcome>> = ways.iter().map(|_| OnceLock::new()).collect();
    thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                while let Some(way) = ways.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let at = ways.iter().position(|other| other.name == way.name);
                    let outcome = if namespace.has(way.needs) {
                        // A panic is of this way alone: the others are told, too.
                        let gone = thread::scope(|scope| scope.spawn(|| go(way, namespace)).join());
                        gone.unwrap_or(Outcome::Failed("it panicked: see above".to_owned()))
                    } else {
                        Outcome::Skipped
                    };
                    let _ = outcomes[at.expect("it is in the table")].set(outcome);
                }
            });
        }
    });
    let (mut failed, mut expected) = (0, 0);
    for (way, outcome) in ways.iter().zip(outcomes) {
        let outcome = outcome.into_inner().expect("all were gone");
        println!("{:<60} {outcome}", way.name);
        match outcome {
            Outcome::Failed(_) => failed += 1,
            Outcome::Done { applied, .. } => expected += applied,
            Outcome::Skipped => {}
        }
    }
    assert_eq!(failed, 0, "ways fail");
    // Each generation was one reload, and what changed nothing was none.
    until("all reloads are told", || reloads.applied() >= expected);
    assert_eq!(reloads.applied(), expected, "reloads");
    println!(
        "{} ways {} times: {expected} reloads, all of whole contents; {} attempts met a file that was away or half-written",
        ways.len(),
        turns(),
        reloads.refused()
    );
}

/// How often each way is gone. A tenth, unless `DOGPILE_TEST_FULL` is set.
fn turns() -> u64 {
    full(100)
}

enum Outcome {
    Done {
        times: Vec<Duration>,
        /// How many manifests were applied, the first included.
        applied: u64,
    },
    Failed(String),
    Skipped,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Done { times, .. } if times.is_empty() => write!(f, "no reload"),
            Self::Done { times, .. } => {
                let mut times: Vec<_> = times.iter().map(Duration::as_millis).collect();
                times.sort_unstable();
                let [least, median, most] =
                    [0, times.len() / 2, times.len() - 1].map(|at| times[at]);
                write!(
                    f,
                    "min {least:>4} ms, median {median:>4} ms, max {most:>4} ms"
                )
            }
            Self::Failed(why) => write!(f, "FAILED: {why}"),
            Self::Skipped => write!(f, "SKIPPED: it needs root, or user namespaces"),
        }
    }
}

fn go(way: &Way, namespace: Namespace) -> Outcome {
    let place = Place::new();
    (way.save)(&place, 0);
    let host = place.open();
    let first = host.status().generation;
    let mut times = Vec::new();
    for turn in 1..=turns() {
        if turn % 2 == 0 {
            // Now it waits for events; else it is about to look anyway.
            thread::sleep(REST);
        }
        let gone = match way.becomes {
            Becomes::Nothing => stays(way, &place, &host, turn, namespace),
            _ => applies(way, &place, &host, turn, namespace).map(|time| times.push(time)),
        };
        if let Err(why) = gone {
            let error = host.status().last_error;
            return Outcome::Failed(format!("turn {turn}: {why}; last error: {error:?}"));
        }
    }
    if way.becomes == Becomes::Nothing {
        // It has not gone to sleep over all this.
        let next = Way::new(way.name, |place, _| {
            let manifest = fs::read_to_string(place.manifest()).unwrap();
            place.replace(
                "dogpile.toml",
                manifest.replace("expiration_time = 1", "expiration_time = 2"),
            );
        });
        if let Err(why) = applies(&next, &place, &host, 0, namespace) {
            return Outcome::Failed(format!("the next save: {why}"));
        }
    }
    Outcome::Done {
        times,
        applied: 1 + host.status().generation - first,
    }
}

/// Saves, and waits until that is applied, if that is in time; looks meanwhile at what is applied.
fn applies(
    way: &Way,
    place: &Place,
    host: &Host,
    turn: u64,
    namespace: Namespace,
) -> Result<Duration, String> {
    let within = namespace.within(way.becomes == Becomes::GenerationByLooking);
    let before = host.status().generation;
    let was = Content::applied(place, host);
    let saved = OnceLock::new();
    let mut seen = vec![was.clone()];
    let time = thread::scope(|scope| {
        let save = scope.spawn(|| {
            (way.save)(place, turn);
            let at = Instant::now();
            saved.set((at, Content::there(place))).expect("once");
        });
        loop {
            let gone = save.is_finished();
            let now = Content::applied(place, host);
            if seen.last() != Some(&now) {
                seen.push(now.clone());
            }
            match saved.get() {
                Some((at, there)) if now == *there && host.status().last_error.is_none() => {
                    return Ok(at.elapsed());
                }
                Some((at, _))
                    if at.elapsed() > within && !(is_overloaded() && at.elapsed() < DEADLINE) =>
                {
                    return Err(format!("not applied within {within:?}"));
                }
                None if gone => return Err("it could not be saved: see above".to_owned()),
                _ => thread::sleep(within / 500),
            }
        }
    })?;
    let (_, there) = saved.into_inner().expect("it was saved");
    if there == was {
        return Err("nothing was saved".to_owned());
    }
    let between = place.take_between();
    let whole =
        |content: &&Content| **content == was || **content == there || between.contains(content);
    if let Some(half) = seen.iter().find(|content| !whole(content)) {
        return Err(format!("{half:?} was applied, which nobody saved"));
    }
    let generations = host.status().generation - before;
    let most = 1 + between.len() as u64;
    if generations == 0 || generations > most {
        return Err(format!("{generations} generations of {most} contents"));
    }
    Ok(time)
}

/// Whether the machine has so much else to do that times mean nothing: twice as many threads want to run as can.
fn is_overloaded() -> bool {
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    let load: f64 = load.split(' ').next().unwrap().parse().unwrap();
    let processors = thread::available_parallelism().unwrap().get();
    load > 2.0 * f64::from(u32::try_from(processors).unwrap())
}

/// Does it, and looks for a while whether anything is applied.
fn stays(
    way: &Way,
    place: &Place,
    host: &Host,
    turn: u64,
    namespace: Namespace,
) -> Result<(), String> {
    let state = || {
        let status = host.status();
        (
            status.generation,
            status.loaded_at,
            status.last_error,
            Content::applied(place, host),
        )
    };
    let before = state();
    (way.save)(place, turn);
    let began = Instant::now();
    while began.elapsed() < namespace.look() {
        let now = state();
        if now != before {
            return Err(format!("{before:?} became {now:?}"));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
