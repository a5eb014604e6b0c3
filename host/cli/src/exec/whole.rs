//! A call of `exec` from its begin to its end.

use std::path::Path;
use std::process;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use dogpile::Source;

use super::around::Around;
use super::cache::Unusable;
use super::ending;
use super::fetch;
use super::job::{Fetched, Job, News, Refusal};
use super::key::Key;
use super::line::Line;
use super::options::Options;
use super::outlet::Outlet;
use super::printing::{Printed, replay};
use super::running::{Ran, Trouble};
use super::time::shown;
use super::warn::{WORKER, warn, warn_of};
use crate::lost;

/// How long the cache may take to open and look, for which many processes at once take turns on a busy machine, and to
/// store: more than any that works, and what one that does not may cost the command. Somebody who was stopped may hold
/// its locks.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

/// What it may take longer to store for each MiB, on a slow disk.
const MEBIBYTE: Duration = Duration::from_millis(125);

/// How long a call within another's run waits, if it does not say. As long as the library's own do in such a place.
const NESTED: Duration = Duration::from_secs(30);

/// Ends as the command did.
pub(super) fn run(line: Line, key: Key, options: Options, manifest: &Path, around: Around) -> ! {
    let (news, heard) = mpsc::channel();
    let timeout = wait_of(&options, !around.is_empty());
    let job = Arc::new(Job {
        line,
        key,
        options,
        manifest: manifest.to_owned(),
        around,
        timeout,
        came: SystemTime::now(),
        claimed: AtomicBool::new(false),
        news,
    });
    let own = Arc::clone(&job);
    lost::tell_to(move |what| own.tell(News::Lost(what)));
    let own = Arc::clone(&job);
    let worker = thread::Builder::new().name(WORKER.to_owned());
    if let Err(error) = worker.spawn(move || fetch::work(&own)) {
        warn(format_args!("the cache is not used: {error}"));
        ending::uncached(&job.line);
    }
    match outcome(&job, &heard, ANSWER) {
        (Some(ran), fetched) => after_run(*ran, fetched),
        (None, fetched) => without_run(&job, fetched),
    }
}

/// Within another run there is always an end: two that ask for each other's outputs would have none.
fn wait_of(options: &Options, is_nested: bool) -> Option<Duration> {
    options.timeout.or(is_nested.then_some(NESTED))
}

/// The cache takes too long.
struct Late;

/// What is known when the cache is done, or has had its time.
fn outcome(
    job: &Job,
    heard: &Receiver<News>,
    answer: Duration,
) -> (Option<Box<Ran>>, Result<Fetched, Late>) {
    let mut ran = None;
    let mut limit = Some(answer);
    let mut deadline = limit.map(|limit| Instant::now() + limit);
    loop {
        let next = match deadline {
            Some(deadline) => {
                heard.recv_timeout(deadline.saturating_duration_since(Instant::now()))
            }
            None => heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            // The region ends the wait in time, if it still answers then.
            Ok(News::Opened) => limit = job.timeout.map(|time| time.saturating_add(answer)),
            Ok(News::Lost(what)) => {
                warn(format_args!("{what}"));
                continue;
            }
            Ok(News::Ran(news)) => {
                limit = Some(answer + time_to_write(news.length));
                ran = Some(news);
            }
            Ok(News::Ended(fetched)) => return (ran, Ok(fetched)),
            Err(RecvTimeoutError::Timeout) if ran.is_some() || job.claim() => {
                return (ran, Err(Late));
            }
            // It is being run here: that takes what it takes.
            Err(RecvTimeoutError::Timeout) => limit = None,
            Err(RecvTimeoutError::Disconnected) => return (ran, Err(Late)),
        }
        deadline = limit.map(|limit| Instant::now() + limit);
    }
}

pub(super) fn time_to_write(length: usize) -> Duration {
    MEBIBYTE * u32::try_from(length >> 20).unwrap_or(u32::MAX)
}

fn after_run(ran: Ran, fetched: Result<Fetched, Late>) -> ! {
    let printed = ran.outlet.map(Outlet::end);
    let (end, printed) = match (printed, fetched) {
        (Some(printed), fetched) => {
            not_stored(fetched);
            (ran.end, printed)
        }
        // It was held back.
        (None, Ok(Fetched::Record(record))) if record.source() == Source::Stale => {
            warn(format_args!(
                "the command failed ({}); this is its output of {} ago",
                ran.end,
                shown(record.age())
            ));
            (record.end, replay(&record.chunks))
        }
        (None, fetched) => {
            not_stored(fetched);
            let chunks = ran.record.map(|record| record.chunks);
            (
                ran.end,
                chunks.map_or_else(Printed::default, |chunks| replay(&chunks)),
            )
        }
    };
    ending::as_command(end, printed)
}

/// The command has run: all that is left is to say so.
fn not_stored(fetched: Result<Fetched, Late>) {
    match fetched {
        Ok(Fetched::Failed(error)) => {
            warn_of("the output is not kept: ", &error);
        }
        Err(Late) => warn(format_args!(
            "the output is not kept: the cache takes too long"
        )),
        Ok(Fetched::Record(_) | Fetched::Refused(_) | Fetched::NotAwaited) => {}
    }
}

fn without_run(job: &Job, fetched: Result<Fetched, Late>) -> ! {
    match fetched {
        Ok(Fetched::Record(record)) => ending::as_command(record.end, replay(&record.chunks)),
        Ok(Fetched::Refused(Refusal::Others(record))) => {
            ending::as_command(record.end, replay(&record.chunks))
        }
        Ok(Fetched::Refused(Refusal::Trouble(trouble))) => match &*trouble {
            Trouble::NotStarted(error) => ending::not_started(&job.line, error),
            Trouble::NotPrepared(error) => warn(format_args!("the cache is not used: {error}")),
            Trouble::Lost(error) => {
                warn(format_args!("the output of the command was lost: {error}"));
                process::exit(ending::FAILED.into())
            }
        },
        Ok(Fetched::Failed(error)) if error.is::<Unusable>() => {
            warn(format_args!("{error}"));
            process::exit(ending::FAILED.into())
        }
        Ok(Fetched::Failed(error)) => {
            warn_of("the cache is not used: ", &error);
        }
        Err(Late) => warn(format_args!("the cache is not used: it takes too long")),
        Ok(Fetched::Refused(_) | Fetched::NotAwaited) => {}
    }
    if job.options.behind.is_some() {
        process::exit(0)
    }
    ending::uncached(&job.line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::job::tests::job;
    use crate::exec::options::tests::options;
    use crate::exec::threads::{Watched, watched};

    /// Begins to wait for a cache that has no time left.
    fn late(job: &Arc<Job>, heard: Receiver<News>) -> Watched<Result<Fetched, Late>> {
        let own = Arc::clone(job);
        watched(move || outcome(&own, &heard, Duration::ZERO).1)
    }

    #[test]
    fn who_does_not_wait_longer_for_the_cache_runs_the_command_and_the_cache_does_not() {
        let (job, heard) = job(&["--", "true"]);
        let outcome = late(&job, heard).end();
        assert!(outcome.is_err());
        assert!(!job.claim());
    }

    #[test]
    fn a_command_that_the_cache_runs_by_now_is_waited_for_as_long_as_it_takes() {
        let (job, heard) = job(&["--", "true"]);
        assert!(job.claim());
        let outcome = late(&job, heard);
        outcome.until_it_sleeps_or_ends();
        job.tell(News::Ended(Fetched::NotAwaited));
        assert!(matches!(outcome.end(), Ok(Fetched::NotAwaited)));
    }

    #[test]
    fn only_a_large_output_is_given_longer_to_be_stored() {
        assert_eq!(time_to_write(0), Duration::ZERO);
        assert_eq!(time_to_write(32 << 20), Duration::from_secs(4));
    }

    #[test]
    fn only_a_call_within_a_run_has_a_limit_of_its_own() {
        let plain = options(&["--", "a"]);
        assert_eq!(wait_of(&plain, false), None);
        assert_eq!(wait_of(&plain, true), Some(NESTED));
        let asked = options(&["--timeout", "1h", "--", "a"]);
        assert_eq!(wait_of(&asked, true), Some(Duration::from_hours(1)));
    }
}
