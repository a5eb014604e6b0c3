//! Whether an instance may be called, and how long to wait before it is mended.
//!
//! After a panic an instance may be in any state: it is *retired*, and no call is made until it was reopened. After
//! some failures in a row, or when a call hangs, its *breaker* opens, and none is made until a ping is answered: callers
//! of a storage that is down should not wait for its time-out, each for itself.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The breaker opens at the failure of that many calls with none answered in between. One or two may be a server that
/// restarts or a connection that was lost; a pool of connections that all went stale gives a few more.
const FAILURES: u32 = 5;

/// The row must be shorter than this, in nanoseconds: a single caller who runs into a time-out of 5 seconds each time
/// opens the breaker too; one failure in a while never does.
const WINDOW: u64 = 30_000_000_000;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The longest pause after a ping that was not answered: a storage that was down is used within a second of its return,
/// however long it was gone.
const UNANSWERED: Duration = Duration::from_millis(400);

const RETIRED: u8 = 1;
const TRIPPED: u8 = 2;
const CLOSED: u8 = 4;
const OUT: u8 = RETIRED | TRIPPED | CLOSED;

/// Calls are made by threads of the instance. It says nothing of its health, and is here so that a hit looks once.
const TIMED: u8 = 8;

/// What an instance may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    /// Some calls in a row failed, or one hangs: it is pinged, and nothing else.
    BreakerOpen,
    /// It panicked, or a write took too long: it is not called again.
    Retired,
    /// It makes way for a successor that cannot open beside it: it is not called meanwhile.
    Closed,
}

impl State {
    /// Its name in the status.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::BreakerOpen => "breaker open",
            Self::Retired => "retired",
            Self::Closed => "closed",
        }
    }

    fn of(bits: u8) -> Self {
        match bits & OUT {
            0 => Self::Open,
            bits if bits & CLOSED != 0 => Self::Closed,
            bits if bits & RETIRED != 0 => Self::Retired,
            _ => Self::BreakerOpen,
        }
    }
}

/// The health of one instance.
#[derive(Default)]
pub(crate) struct Health {
    bits: AtomicU8,
    /// Calls that hang in it, as far as they were noticed.
    stuck: AtomicUsize,
    /// Whether a row of failures has begun, so that an answered call knows without the lock.
    failing: AtomicBool,
    row: Mutex<Row>,
}

/// Failed calls with none answered in between.
#[derive(Default)]
struct Row {
    failures: u32,
    began: u64,
    hits: u64,
    /// Why the instance is out, for people.
    cause: String,
}

/// What a failure led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing new.
    None,
    /// The instance is in another state from now on.
    To(State),
    /// As above, and until now it was well: somebody has to mend it.
    Out(State),
}

impl Health {
    /// Whether calls are not to be made.
    #[inline]
    pub(crate) fn is_out(&self) -> bool {
        self.bits.load(Ordering::Relaxed) & OUT != 0
    }

    /// Whether a caller may call it, and on its own thread.
    #[inline]
    pub(crate) fn is_simply_called(&self) -> bool {
        self.bits.load(Ordering::Relaxed) == 0
    }

    /// Whether calls are made by threads of the instance.
    pub(crate) fn set_timed(&self, timed: bool) {
        if timed {
            self.bits.fetch_or(TIMED, Ordering::SeqCst);
        } else {
            self.bits.fetch_and(!TIMED, Ordering::SeqCst);
        }
    }

    /// How many calls hang in it.
    pub(crate) fn stuck(&self) -> usize {
        self.stuck.load(Ordering::Relaxed)
    }

    pub(crate) fn set_stuck(&self, calls: usize) {
        self.stuck.store(calls, Ordering::Relaxed);
    }

    /// Whether it is not to be called at all.
    #[inline]
    pub(crate) fn is_retired(&self) -> bool {
        self.bits.load(Ordering::Relaxed) & (RETIRED | CLOSED) != 0
    }

    /// Whether it makes way for a successor.
    pub(crate) fn is_closed(&self) -> bool {
        self.bits.load(Ordering::SeqCst) & CLOSED != 0
    }

    /// No call begins any more, so that it can be closed.
    pub(crate) fn close(&self) {
        self.bits.fetch_or(CLOSED, Ordering::SeqCst);
    }

    /// It was not closed after all.
    pub(crate) fn stay_open(&self) {
        self.bits.fetch_and(!CLOSED, Ordering::SeqCst);
    }

    pub(crate) fn state(&self) -> State {
        State::of(self.bits.load(Ordering::SeqCst))
    }

    /// Why it is out.
    pub(crate) fn cause(&self) -> String {
        if self.is_closed() {
            return "makes way for its successor".to_owned();
        }
        self.row.lock().cause.clone()
    }

    /// A call was answered: a row of failures ends.
    #[inline]
    pub(crate) fn answered(&self) {
        if self.failing.load(Ordering::Relaxed) {
            self.end_row();
        }
    }

    #[cold]
    fn end_row(&self) {
        let mut row = self.row.lock();
        row.failures = 0;
        self.failing.store(false, Ordering::Relaxed);
    }

    /// It may be in any state from now on.
    pub(crate) fn retire(&self, cause: &dyn ToString) -> Turn {
        let mut row = self.row.lock();
        if self.is_retired() {
            return Turn::None;
        }
        row.cause = cause.to_string();
        self.turn(RETIRED)
    }

    /// A call failed at `now`. Hits are answered calls too, but do not tell: `hits` counts them.
    pub(crate) fn failed(&self, now: u64, hits: impl Fn() -> u64, cause: &dyn ToString) -> Turn {
        if self.is_out() {
            return Turn::None;
        }
        // It looks at other parts of the host: not under the lock.
        let hits = hits();
        let mut row = self.row.lock();
        let goes_on =
            row.failures > 0 && row.hits == hits && now.saturating_sub(row.began) < WINDOW;
        if !goes_on {
            (row.failures, row.began, row.hits) = (0, now, hits);
            self.failing.store(true, Ordering::Relaxed);
        }
        row.failures += 1;
        if row.failures < FAILURES {
            return Turn::None;
        }
        row.failures = 0;
        row.cause = format!(
            "several calls in a row failed, the last with: {}",
            cause.to_string()
        );
        self.turn(TRIPPED)
    }

    /// A call hangs in it.
    pub(crate) fn hangs(&self, cause: &dyn ToString) -> Turn {
        let mut row = self.row.lock();
        if self.is_out() {
            return Turn::None;
        }
        row.failures = 0;
        row.cause = cause.to_string();
        self.turn(TRIPPED)
    }

    /// It answers again; false if it has panicked meanwhile.
    pub(crate) fn close_breaker(&self) -> bool {
        self.end_row();
        self.bits.fetch_and(!TRIPPED, Ordering::SeqCst) & RETIRED == 0
    }

    /// Nobody can mend it: it is called as if it were well, and what goes wrong next has its consequences again.
    pub(crate) fn give_up(&self) {
        self.end_row();
        self.bits.fetch_and(!OUT, Ordering::SeqCst);
    }

    fn turn(&self, bit: u8) -> Turn {
        let before = self.bits.fetch_or(bit, Ordering::SeqCst);
        let (old, new) = (State::of(before), State::of(before | bit));
        match old {
            _ if old == new => Turn::None,
            State::Open => Turn::Out(new),
            State::BreakerOpen | State::Retired | State::Closed => Turn::To(new),
        }
    }
}

/// How long to wait before each attempt to mend an instance: twice as long each time. What breaks again soon after it
/// was mended goes on where it was.
#[derive(Debug)]
pub(crate) struct Backoff {
    pause: Duration,
    mended: Option<Instant>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            pause: FIRST_PAUSE,
            mended: None,
        }
    }
}

impl Backoff {
    /// The pause before the next attempt.
    pub(crate) fn next(&mut self, now: Instant) -> Duration {
        let lasted = |mended| now.saturating_duration_since(mended) >= LONGEST_PAUSE;
        if self.mended.take().is_some_and(lasted) {
            self.pause = FIRST_PAUSE;
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }

    /// The attempt was a ping that failed.
    pub(crate) fn unanswered(&mut self) {
        self.pause = self.pause.min(UNANSWERED);
    }

    /// An attempt succeeded.
    pub(crate) fn mended(&mut self, now: Instant) {
        self.mended = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn failed(health: &Health, at: u64) -> Turn {
        health.failed(at * SECOND, || 0, &"down")
    }

    #[test]
    fn the_breaker_opens_at_the_fifth_failure_in_a_row() {
        let health = Health::default();
        for at in 0..4 {
            assert_eq!(failed(&health, at), Turn::None);
        }
        assert!(!health.is_out());
        assert_eq!(failed(&health, 4), Turn::Out(State::BreakerOpen));
        assert!(health.is_out() && !health.is_retired());
        assert!(health.cause().ends_with("the last with: down"));
        assert!(health.close_breaker());
        assert!(!health.is_out());
    }

    #[test]
    fn an_answer_or_a_hit_in_between_ends_the_row() {
        let health = Health::default();
        for at in 0..40 {
            assert_eq!(failed(&health, at / 10), Turn::None, "{at}");
            if at % 4 == 3 {
                health.answered();
            }
        }
        for hit in 0..40 {
            let turn = health.failed(0, || hit / 4, &"down");
            assert_eq!(turn, Turn::None, "{hit}");
        }
    }

    #[test]
    fn failures_that_are_far_apart_do_not_open_it() {
        let health = Health::default();
        for at in 0..20 {
            assert_eq!(failed(&health, at * 8), Turn::None);
        }
        for at in 0..4 {
            assert_eq!(failed(&health, 1000 + at * 5), Turn::None);
        }
        assert_eq!(failed(&health, 1020), Turn::Out(State::BreakerOpen));
    }

    #[test]
    fn a_panic_retires_whatever_the_breaker_does() {
        let health = Health::default();
        for _ in 0..5 {
            failed(&health, 1);
        }
        assert_eq!(health.retire(&"boom"), Turn::To(State::Retired));
        assert_eq!(health.retire(&"boom again"), Turn::None);
        assert!(!health.close_breaker());
        assert_eq!(
            (health.state(), health.cause()),
            (State::Retired, "boom".into())
        );
        assert_eq!(failed(&health, 2), Turn::None);
    }

    #[test]
    fn pauses_grow_from_a_tenth_of_a_second_to_half_a_minute() {
        let (mut backoff, start) = (Backoff::default(), Instant::now());
        let pauses: Vec<_> = (0..11).map(|_| backoff.next(start).as_millis()).collect();
        let expected = [
            100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000,
        ];
        assert_eq!(pauses, expected);
    }

    #[test]
    fn what_answers_no_ping_is_pinged_within_a_second_however_long_it_was_down() {
        let (mut backoff, start) = (Backoff::default(), Instant::now());
        let pauses: Vec<_> = (0..6)
            .map(|_| {
                let pause = backoff.next(start).as_millis();
                backoff.unanswered();
                pause
            })
            .collect();
        assert_eq!(pauses, [100, 200, 400, 400, 400, 400]);
        // One that answers pings and fails again is left alone for longer and longer.
        let pauses: Vec<_> = (0..4)
            .map(|_| {
                backoff.mended(start);
                backoff.next(start).as_millis()
            })
            .collect();
        assert_eq!(pauses, [400, 800, 1600, 3200]);
    }

    #[test]
    fn what_breaks_again_soon_waits_longer_and_what_lasted_does_not() {
        let (mut backoff, start) = (Backoff::default(), Instant::now());
        assert_eq!(backoff.next(start), FIRST_PAUSE);
        backoff.mended(start);
        let soon = start + Duration::from_secs(29);
        assert_eq!(backoff.next(soon), FIRST_PAUSE * 2);
        backoff.mended(soon);
        assert_eq!(backoff.next(soon + LONGEST_PAUSE), FIRST_PAUSE);
    }
}
