//! Leases and waits where the system gives no more threads.
#![cfg(not(any(feature = "model-check", miri)))]

use dogpile_lock::{
    Acquired, Flights, Held, LockError, ManyMade, MultiOperation, MultiRequest, Operation, Outcome,
    Reading, Remote, RemoteMutex, Request, Source, Storing, ToStore, Turn, WaitGraph,
};
use std::fmt::Debug;
use std::future::pending;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The longest that a test waits for anything.
const LONG: Duration = Duration::from_secs(30);

/// Set in a process that has no thread but its first.
const WITHOUT_THREADS: &str = "DOGPILE_TEST_WITHOUT_THREADS";

const NOT_RENEWED: &str = "no thread to renew leases on: creations that take longer are not stored";
const NOT_WAITED: &str = "no thread to wait for another process on";

/// Runs `test` of that name in a process that gets no more threads.
fn without_threads(name: &str, test: impl FnOnce()) {
    if std::env::var_os(WITHOUT_THREADS).is_some() {
        assert!(thread::Builder::new().spawn(|| {}).is_err());
        return test();
    }
    let own = std::env::current_exe().unwrap();
    let mut child = Command::new(own);
    let child = child
        .args(["--exact", name, "--test-threads=1", "--nocapture"])
        .env(WITHOUT_THREADS, "1")
        // There is no room for a stack of that size.
        .env("RUST_MIN_STACK", (1_u64 << 62).to_string());
    let mut child = child.stdout(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > LONG {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it does not end");
        }
        thread::sleep(Duration::from_millis(1));
    };
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(status.success() && said.contains("1 passed"), "{said}");
}

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Errors, by their message.
struct Log;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::ERROR
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        LINES.lock().unwrap().push(line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn logged() -> Vec<String> {
    std::mem::take(&mut *LINES.lock().unwrap())
}

/// A mutex that this process or another holds.
#[derive(Default)]
struct TestMutex(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    asked: usize,
    /// How often it is to be asked before the other process gives it back.
    held_elsewhere: usize,
    released: usize,
}

impl RemoteMutex for TestMutex {
    type Lease = ();
    type Error = String;

    fn try_acquire(&self, _: Duration) -> Result<Option<()>, String> {
        let mut seen = self.0.lock().unwrap();
        seen.asked += 1;
        if seen.held_elsewhere == 0 {
            return Ok(Some(()));
        }
        seen.held_elsewhere -= 1;
        Ok(None)
    }

    fn wait(&self, _: Duration) -> Result<(), String> {
        unreachable!("there is no thread to wait on")
    }

    fn renew(&self, (): &mut ()) -> Result<bool, String> {
        unreachable!("there is no thread to renew on")
    }

    fn release(&self, (): ()) -> Result<(), String> {
        self.0.lock().unwrap().released += 1;
        Ok(())
    }

    fn is_locked(&self) -> Result<bool, String> {
        unreachable!("nobody asks")
    }
}

struct Call {
    remote: Remote<TestMutex>,
    mutex: Arc<TestMutex>,
    lease: Duration,
    /// How long the creator takes.
    takes: Duration,
    stored: bool,
}

impl Call {
    fn new(lease: Duration, held_elsewhere: usize) -> Self {
        let mutex = Arc::<TestMutex>::default();
        mutex.0.lock().unwrap().held_elsewhere = held_elsewhere;
        Self {
            remote: Remote::new(),
            mutex,
            lease,
            takes: Duration::ZERO,
            stored: false,
        }
    }

    fn seen(&self) -> (usize, usize) {
        let seen = self.mutex.0.lock().unwrap();
        (seen.asked, seen.released)
    }
}

impl Operation for Call {
    type Value = u64;
    type Error = String;
    type Lease = Held<TestMutex>;

    async fn acquire(&mut self) -> Result<Acquired<Held<TestMutex>>, String> {
        let held = self.remote.try_acquire(&self.mutex, self.lease)?;
        Ok(held.map_or(Acquired::Elsewhere, Acquired::Held))
    }

    fn watch(&mut self, turn: Turn<u64, String, Held<TestMutex>>) {
        self.remote.watch(Arc::clone(&self.mutex), self.lease, turn);
    }

    async fn read_again(&mut self) -> Result<Reading<u64>, String> {
        Ok(Reading::Missing)
    }

    async fn create(&mut self) -> Result<u64, String> {
        thread::sleep(self.takes);
        Ok(2)
    }

    async fn store(
        &mut self,
        _: &u64,
        _: Storing<u64, String, Held<TestMutex>>,
        lease: Option<&Held<TestMutex>>,
    ) -> Result<(), String> {
        self.stored = !lease.expect("it is needed").is_lost();
        Ok(())
    }

    async fn release(&mut self, lease: Held<TestMutex>) {
        lease.release().unwrap();
    }
}

/// As for one key.
impl MultiOperation for Call {
    type Value = u64;
    type Error = String;
    type Lease = Held<TestMutex>;

    async fn acquire(&mut self, _: usize) -> Result<Acquired<Held<TestMutex>>, String> {
        Operation::acquire(self).await
    }

    fn watch(&mut self, _: usize, turn: Turn<u64, String, Held<TestMutex>>) {
        Operation::watch(self, turn);
    }

    async fn read_again(&mut self, _: &[usize]) -> Vec<Result<Reading<u64>, String>> {
        vec![Operation::read_again(self).await]
    }

    async fn create(&mut self, _: &[usize]) -> ManyMade<u64, String> {
        Ok(vec![Operation::create(self).await])
    }

    async fn store(
        &mut self,
        values: Vec<ToStore<'_, u64, String, Held<TestMutex>>>,
    ) -> Vec<Result<(), String>> {
        let value = &values[0];
        vec![Operation::store(self, value.value, value.storing.clone(), value.lease).await]
    }

    async fn release(&mut self, mut leases: Vec<(usize, Held<TestMutex>)>) {
        Operation::release(self, leases.remove(0).1).await;
    }
}

fn flights() -> Flights<u64, String, Held<TestMutex>> {
    Flights::new(WaitGraph::new())
}

fn missing() -> Request<'static, u64> {
    Request::new(1, "key", Reading::Missing)
}

fn created(outcome: Result<Outcome<u64>, LockError<String>>) {
    let outcome = outcome.unwrap();
    assert_eq!((outcome.value, outcome.source), (2, Source::Created));
}

#[test]
fn without_a_thread_to_renew_on_what_takes_longer_than_its_lease_goes_to_its_caller_and_is_not_stored()
 {
    let name = "without_a_thread_to_renew_on_what_takes_longer_than_its_lease_goes_to_its_caller_and_is_not_stored";
    without_threads(name, || {
        tracing::subscriber::set_global_default(Log).unwrap();
        let mut soon = Call::new(LONG, 0);
        created(flights().get_or_create(missing(), &mut soon));
        assert!(soon.stored);
        assert_eq!(soon.seen(), (1, 1));
        assert_eq!(logged(), [NOT_RENEWED]);
        let mut late = Call::new(Duration::from_millis(10), 0);
        late.takes = Duration::from_millis(20);
        created(flights().get_or_create(missing(), &mut late));
        assert!(!late.stored);
        assert_eq!(logged(), [NOT_RENEWED]);
    });
}

#[test]
fn without_a_thread_to_wait_on_callers_ask_again_themselves_for_as_long_as_they_wait() {
    let name = "without_a_thread_to_wait_on_callers_ask_again_themselves_for_as_long_as_they_wait";
    without_threads(name, || {
        tracing::subscriber::set_global_default(Log).unwrap();
        let mut soon = Call::new(LONG, 10);
        let began = Instant::now();
        created(flights().get_or_create(missing(), &mut soon));
        assert_eq!(soon.seen(), (11, 1));
        assert!(began.elapsed() >= 10 * Duration::from_millis(5));
        // Once for all in a row; the lease of the eleventh is another matter.
        assert_eq!(logged(), [NOT_WAITED, NOT_RENEWED]);

        let mut never = Call::new(LONG, usize::MAX);
        let wait = Duration::from_millis(50);
        let request = Request {
            wait: Some(wait),
            ..missing()
        };
        let flights = flights();
        let late = flights.get_or_create(request, &mut never);
        assert_eq!(late.unwrap_err(), LockError::TimedOut(wait));
        assert!(!flights.is_creating(1, "key"));
        let several = |wait| MultiRequest {
            keys: vec![(1, "key", Reading::Missing)],
            wait,
            retry: None,
        };
        let late = flights.get_or_create_multi(several(Some(wait)), &mut never);
        assert_eq!(late.unwrap_err(), LockError::TimedOut(wait));
        assert!(!flights.is_creating(1, "key"));
        let mut soon = Call::new(LONG, 10);
        let got = flights.get_or_create_multi(several(None), &mut soon);
        created(Ok(got.unwrap().remove(0).unwrap()));
        assert_eq!(soon.seen(), (11, 1));

        // Who has a stale value has it at once, and the next one asks again.
        for asked in 1..=2 {
            let stale = Reading::Stale {
                value: 1,
                meanwhile: true,
                on_error: false,
            };
            let mut call = Call::new(LONG, usize::MAX);
            let got = flights.get_or_create(Request::new(1, "key", stale), &mut call);
            assert_eq!(got.unwrap().source, Source::Stale, "{asked}");
            assert_eq!(call.seen(), (1, 0));
        }
    });
}

#[test]
fn without_a_thread_to_wait_on_a_task_that_asks_again_lets_others_run() {
    let name = "without_a_thread_to_wait_on_a_task_that_asks_again_lets_others_run";
    without_threads(name, || {
        let mut others = 0;
        let mut call = Call::new(LONG, 10);
        let flights = flights();
        let mut task = pin!(flights.get_or_create_async(missing(), &mut call, |_| pending()));
        let mut context = Context::from_waker(Waker::noop());
        let outcome = loop {
            match task.as_mut().poll(&mut context) {
                Poll::Ready(outcome) => break outcome,
                Poll::Pending => others += 1,
            }
        };
        created(outcome);
        assert_eq!(others, 10);
    });
}
