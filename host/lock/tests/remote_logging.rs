//! What is logged of leases and of waits for other processes. Alone in its process, because whether a call site is
//! enabled is known per process.
#![cfg(not(feature = "model-check"))]

use dogpile_lock::{
    Acquired, Flights, Held, LockError, Operation, Reading, Remote, RemoteMutex, Request, Storing,
    Turn, WaitGraph,
};
use std::fmt::Debug;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Level, message and error of what was logged, and the news of more.
static LINES: (Mutex<Vec<String>>, Condvar) = (Mutex::new(Vec::new()), Condvar::new());

/// The longest that the test waits for a line.
const LONG: Duration = Duration::from_secs(30);

struct Log;

#[derive(Default)]
struct Line {
    message: String,
    error: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "error" => self.error = format!(": {value:?}"),
            _ => {}
        }
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "dogpile.lock"
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let level = event.metadata().level();
        let line = format!("{level} {}{}", line.message, line.error);
        LINES.0.lock().unwrap().push(line);
        LINES.1.notify_all();
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Comes back when that line is there.
#[track_caller]
fn until_logged(line: &str) {
    let lines = LINES.0.lock().unwrap();
    let missing = |lines: &mut Vec<String>| !lines.iter().any(|other| other == line);
    let (lines, waited) = LINES.1.wait_timeout_while(lines, LONG, missing).unwrap();
    assert!(!waited.timed_out(), "{line:?} is not in {lines:#?}");
}

const HANGS: &str = "WARN a lease has passed, and its renewal has not come back: it counts as lost";

/// How the mutex answers.
#[derive(Clone, Copy)]
enum Answer {
    Well,
    /// Renewals say that the lease is lost.
    Lost,
    /// Renewals fail.
    NotRenewed(&'static str),
    /// Renewals come back when it was told that they do not, and fail.
    Hangs,
    /// Releases fail.
    NotReleased,
    /// Another process has it, and it can be asked once.
    Elsewhere,
}

struct Faulty {
    answer: Answer,
    asked: Mutex<u32>,
}

impl RemoteMutex for Faulty {
    type Lease = ();
    type Error = String;

    fn try_acquire(&self, _: Duration) -> Result<Option<()>, String> {
        let mut asked = self.asked.lock().unwrap();
        *asked += 1;
        match self.answer {
            Answer::Elsewhere if *asked > 1 => Err("out of reach".to_owned()),
            Answer::Elsewhere => Ok(None),
            _ => Ok(Some(())),
        }
    }

    fn wait(&self, _: Duration) -> Result<(), String> {
        Ok(())
    }

    fn renew(&self, (): &mut ()) -> Result<bool, String> {
        match self.answer {
            Answer::Lost => Ok(false),
            Answer::NotRenewed(why) => Err(why.to_owned()),
            Answer::Hangs => {
                until_logged(HANGS);
                Err("too late".to_owned())
            }
            _ => Ok(true),
        }
    }

    fn release(&self, (): ()) -> Result<(), String> {
        match self.answer {
            Answer::NotReleased => Err("no answer".to_owned()),
            _ => Ok(()),
        }
    }

    fn is_locked(&self) -> Result<bool, String> {
        Err("out of reach".to_owned())
    }
}

fn mutex(answer: Answer) -> Arc<Faulty> {
    Arc::new(Faulty {
        answer,
        asked: Mutex::new(0),
    })
}

struct Call {
    remote: Remote<Faulty>,
    mutex: Arc<Faulty>,
}

impl Operation for Call {
    type Value = u64;
    type Error = String;
    type Lease = Held<Faulty>;

    async fn acquire(&mut self) -> Result<Acquired<Held<Faulty>>, String> {
        let held = self.remote.try_acquire(&self.mutex, LONG)?;
        Ok(held.map_or(Acquired::Elsewhere, Acquired::Held))
    }

    fn watch(&mut self, turn: Turn<u64, String, Held<Faulty>>) {
        self.remote.watch(Arc::clone(&self.mutex), LONG, turn);
    }

    async fn read_again(&mut self) -> Result<Reading<u64>, String> {
        Ok(Reading::Missing)
    }

    async fn create(&mut self) -> Result<u64, String> {
        Ok(1)
    }

    async fn store(
        &mut self,
        _: &u64,
        _: Storing<u64, String, Held<Faulty>>,
        _: Option<&Held<Faulty>>,
    ) -> Result<(), String> {
        Ok(())
    }

    async fn release(&mut self, lease: Held<Faulty>) {
        lease.release().unwrap();
    }
}

#[test]
fn what_goes_wrong_with_leases_and_waits_is_logged_with_its_cause() {
    tracing::subscriber::set_global_default(Log).unwrap();
    let remote = Remote::new();
    let take = |answer, lease| {
        let held = remote.try_acquire(&mutex(answer), lease);
        held.unwrap().expect("it is free")
    };
    let short = Duration::from_millis(60);

    let lost = take(Answer::Lost, short);
    until_logged("WARN a lease is lost: what is being created under it is not stored");
    assert!(lost.is_lost());

    // Long enough that the first renewal comes before its end on a busy machine too.
    let late = take(Answer::NotRenewed("not now"), short * 10);
    until_logged("DEBUG a lease could not be renewed yet: not now");
    until_logged(
        "WARN a lease has passed, and could not be renewed in time: it counts as lost: not now",
    );
    assert!(late.is_lost());

    let hanging = take(Answer::Hangs, short);
    until_logged(HANGS);
    assert!(hanging.is_lost());
    until_logged(
        "WARN a lease has passed, and could not be renewed in time: it counts as lost: too late",
    );

    drop(take(Answer::NotReleased, LONG));
    until_logged("WARN a lease was not given back: it passes by itself: no answer");

    let mut call = Call {
        remote: remote.clone(),
        mutex: mutex(Answer::Elsewhere),
    };
    let flights = Flights::new(WaitGraph::new());
    let request = Request::new(1, "elsewhere", Reading::Missing);
    let error = flights.get_or_create(request, &mut call).unwrap_err();
    // The thread that waits was told so, and then the caller itself.
    assert_eq!(error, LockError::Creation("out of reach".to_owned()));
    until_logged("DEBUG the mutex cannot be asked any more: out of reach");

    // What goes well is not told.
    let before = LINES.0.lock().unwrap().len();
    take(Answer::Well, LONG).release().unwrap();
    assert_eq!(LINES.0.lock().unwrap().len(), before);
}
