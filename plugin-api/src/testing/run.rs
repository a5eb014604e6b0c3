//! One case after the other, each on a thread that may be left behind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::Progress;
use super::fixture::{Fixture, Stop, Subject, Traits};
use super::report::{CaseReport, Outcome, Report};
use super::suite::{Listed, Look, Suite};
use crate::panics;

/// After so many cases that did not end, the others are not tried.
const HANGS: usize = 3;

/// The case that all others need.
const OPENS: &str = "it_opens_and_answers";

pub(super) fn run(
    subject: &Arc<Subject>,
    cases: &[Listed],
    limit: Duration,
    told: &mut dyn FnMut(Progress<'_>),
) -> Report {
    let mut run = Run {
        subject,
        limit,
        told,
        hangs: 0,
        report: Report {
            backend: subject.title(),
            cases: Vec::with_capacity(cases.len() + 1),
        },
    };
    let Some(traits) = run.first_look() else {
        for case in cases {
            let why = format!("{OPENS} failed, without which nothing can be looked at");
            run.ended(case.suite, case.name, Duration::ZERO, Outcome::Skipped(why));
        }
        return run.report;
    };
    for group in cases.chunk_by(|one, next| one.waits && next.waits && !traits.exclusive) {
        let (first, others) = group.split_at(1);
        // Where nobody waits after all, cases beside each other would only be in each other's way.
        if run.at_once(first, traits) {
            run.at_once(others, traits);
        } else {
            for case in others {
                run.at_once(slice::from_ref(case), traits);
            }
        }
    }
    run.report
}

struct Run<'a> {
    subject: &'a Arc<Subject>,
    limit: Duration,
    told: &'a mut dyn FnMut(Progress<'_>),
    hangs: usize,
    report: Report,
}

/// What a case's thread says at its end, and how long it took.
type Answer<T> = (Result<T, Stop>, Duration);

/// A case on its thread.
struct Begun<T> {
    since: Instant,
    answer: Receiver<Answer<T>>,
}

impl Run<'_> {
    fn first_look(&mut self) -> Option<Traits> {
        (self.told)(Progress::Begins(OPENS));
        let subject = Arc::clone(self.subject);
        let begun = begin(move || Ok(Fixture::open(&subject, true)?.probe()?));
        let (took, outcome, traits) = match wait(&begun, self.limit) {
            Some((Ok(traits), took)) => (took, Outcome::Passed, Some(traits)),
            Some((Err(stop), took)) => (took, outcome(stop), None),
            None => (self.limit, hangs(self.limit), None),
        };
        self.ended(Suite::Backend, OPENS, took, outcome);
        traits
    }

    /// Looks at these at once, and tells whether the backend has what all of them look at.
    fn at_once(&mut self, cases: &[Listed], traits: Traits) -> bool {
        let begun: Vec<_> = cases.iter().map(|case| self.begin(*case, traits)).collect();
        let mut all = true;
        for (case, begun) in cases.iter().zip(begun) {
            let (took, outcome) = if let Some(begun) = begun {
                self.outcome(&begun)
            } else {
                let why = format!("{HANGS} cases before it did not end");
                (Duration::ZERO, Outcome::Skipped(why))
            };
            all &= !matches!(outcome, Outcome::NotSupported(_));
            self.ended(case.suite, case.name, took, outcome);
        }
        all
    }

    /// `None` once too many have not ended.
    fn begin(&mut self, case: Listed, traits: Traits) -> Option<Begun<()>> {
        if self.hangs >= HANGS {
            return None;
        }
        (self.told)(Progress::Begins(case.name));
        let subject = Arc::clone(self.subject);
        Some(begin(move || {
            let fixture = Fixture::open(&subject, traits.keeps)?;
            match case.look {
                Look::At(look) => {
                    look(&fixture)?;
                    Ok(fixture.backend.close()?)
                }
                Look::Own(look) => look(fixture),
            }
        }))
    }

    fn outcome(&mut self, begun: &Begun<()>) -> (Duration, Outcome) {
        match wait(begun, self.limit) {
            Some((Ok(()), took)) => (took, Outcome::Passed),
            Some((Err(stop), took)) => (took, outcome(stop)),
            None => {
                self.hangs += 1;
                (self.limit, hangs(self.limit))
            }
        }
    }

    fn ended(&mut self, suite: Suite, name: &'static str, took: Duration, outcome: Outcome) {
        let case = CaseReport {
            suite,
            name,
            outcome,
            took,
        };
        (self.told)(Progress::Ended(&case));
        self.report.cases.push(case);
    }
}

fn begin<T: Send + 'static>(look: impl FnOnce() -> Result<T, Stop> + Send + 'static) -> Begun<T> {
    let (send, answer) = mpsc::channel();
    let since = Instant::now();
    let named = thread::Builder::new().name(String::from("conformance"));
    let refused = send.clone();
    let spawned = named.spawn(move || {
        // A panic inside a case is a finding about this backend.
        let ended = catch_unwind(AssertUnwindSafe(look));
        let ended = ended.unwrap_or_else(|payload| {
            let message = panics::message(payload);
            Err(Stop::Failed(format!("the case panicked: {message}")))
        });
        // Nobody listens if it took too long.
        let _late = send.send((ended, since.elapsed()));
    });
    if let Err(error) = spawned {
        let why = format!("there is no thread to run it on: {error}");
        let _told = refused.send((Err(Stop::Skipped(why)), since.elapsed()));
    }
    Begun { since, answer }
}

/// `None` if it does not end.
fn wait<T>(begun: &Begun<T>, limit: Duration) -> Option<Answer<T>> {
    let left = limit.saturating_sub(begun.since.elapsed());
    match begun.answer.recv_timeout(left) {
        Ok(answer) => Some(answer),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => {
            let why = String::from("its thread ended without an answer");
            Some((Err(Stop::Failed(why)), begun.since.elapsed()))
        }
    }
}

fn outcome(stop: Stop) -> Outcome {
    match stop {
        Stop::Failed(found) => Outcome::Failed(found),
        Stop::NotSupported(what) => Outcome::NotSupported(what),
        Stop::Skipped(why) => Outcome::Skipped(why),
    }
}

fn hangs(limit: Duration) -> Outcome {
    Outcome::Failed(format!(
        "did not end within {limit:?}: a call hangs, or this machine is too slow"
    ))
}
