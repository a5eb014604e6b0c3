//! Connections that are lent and given back.

use std::fmt;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::clock::coarse_now;

/// What a pool keeps.
pub trait Pooled {
    /// Whether it stands, with no reply that nobody waits for.
    fn is_quiet(&self) -> bool;
}

/// A connection whose last use began longer ago is looked at before it is used: the server may have closed it.
pub const IDLE: Duration = Duration::from_millis(50);

/// The connections to a server. The one that was used last is used next, so that no more are open than were ever needed
/// at once.
#[derive(Debug)]
pub struct Pool<C> {
    most: usize,
    state: Mutex<State<C>>,
    freed: Condvar,
}

#[derive(Debug)]
struct State<C> {
    /// Each with the time when its last loan began.
    idle: Vec<(C, Instant)>,
    /// Those in use too.
    open: usize,
    closed: bool,
}

/// The right to a connection: one that rests, or one to be made. What is given back rests; else the right is given back
/// alone, also by a panic.
#[derive(Debug)]
pub struct Loan<'p, C> {
    pool: &'p Pool<C>,
    began: Instant,
    connection: Option<C>,
}

/// Why there is no loan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlent {
    /// The pool is closed.
    Closed,
    /// So many are in use, which is all there may be, and none became free in time.
    Busy(usize),
}

impl<C: Pooled> Pool<C> {
    /// For that many at most.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            state: Mutex::new(State {
                idle: Vec::new(),
                open: 0,
                closed: false,
            }),
            freed: Condvar::new(),
        }
    }

    /// Blocks until there is a connection to be had, or the deadline. `surely`: one that rested is looked at, however short
    /// that was.
    pub fn lend(&self, deadline: Instant, surely: bool) -> Result<Loan<'_, C>, Unlent> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return Err(Unlent::Closed);
            }
            let idle = state.idle.pop();
            if idle.is_some() || state.open < self.most {
                state.open += usize::from(idle.is_none());
                drop(state);
                let began = coarse_now();
                let is_usable = |(found, before): &(C, Instant)| {
                    let is_recent = began.saturating_duration_since(*before) < IDLE;
                    (is_recent && !surely) || found.is_quiet()
                };
                // One that is not usable is replaced by who takes the loan.
                let usable = idle.filter(is_usable);
                return Ok(Loan {
                    pool: self,
                    began,
                    connection: usable.map(|(found, _)| found),
                });
            }
            if Instant::now() >= deadline {
                return Err(Unlent::Busy(self.most));
            }
            self.freed.wait_until(&mut state, deadline);
        }
    }

    /// Closes those that rest and have ended: what ended one may have ended others.
    pub fn drop_ended(&self) {
        let mut state = self.state.lock();
        let before = state.idle.len();
        state.idle.retain(|(idle, _)| idle.is_quiet());
        state.open -= before - state.idle.len();
    }

    /// Closes what is idle, and the rest once it is.
    pub fn close(&self) {
        let idle = {
            let mut state = self.state.lock();
            state.closed = true;
            std::mem::take(&mut state.idle)
        };
        self.freed.notify_all();
        drop(idle);
    }
}

impl<C> Loan<'_, C> {
    /// One that rested, if there was one.
    pub fn take(&mut self) -> Option<C> {
        self.connection.take()
    }

    /// It rests from now on.
    pub fn give_back(mut self, connection: C) {
        self.connection = Some(connection);
    }
}

impl<C> Drop for Loan<'_, C> {
    fn drop(&mut self) {
        let mut state = self.pool.state.lock();
        match self.connection.take() {
            Some(connection) if !state.closed => state.idle.push((connection, self.began)),
            _ => state.open -= 1,
        }
        drop(state);
        self.pool.freed.notify_one();
    }
}

impl fmt::Display for Unlent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("is not asked any more: the backend is closed"),
            Self::Busy(most) => write!(
                f,
                "has all {most} connections in use, and none became free within `socket_timeout`: raise \
                 `max_connections`"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Whether it stands.
    #[derive(Debug, PartialEq)]
    struct Fake(bool);

    impl Pooled for Fake {
        fn is_quiet(&self) -> bool {
            self.0
        }
    }

    fn in_time() -> Instant {
        Instant::now() + Duration::from_millis(50)
    }

    #[test]
    fn beyond_the_most_connections_a_loan_takes_its_time_and_says_what_to_raise() {
        let pool = Pool::<Fake>::new(1);
        let first = pool.lend(in_time(), false).unwrap();
        let deadline = in_time();
        let refused = pool.lend(deadline, false).unwrap_err();
        assert!(Instant::now() >= deadline);
        assert!(refused.to_string().contains("`max_connections`"));
        drop(first);
        pool.lend(in_time(), false).unwrap();
    }

    /// What rests was used then.
    fn was_used(pool: &Pool<Fake>, then: Instant) {
        for (_, used) in &mut pool.state.lock().idle {
            *used = then;
        }
    }

    #[test]
    fn what_is_given_back_rests_and_a_panic_gives_the_right_back() {
        let pool = Pool::new(1);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _loan = pool.lend(in_time(), false).unwrap();
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        let mut loan = pool.lend(in_time(), false).unwrap();
        assert_eq!(loan.take(), None);
        loan.give_back(Fake(true));
        let mut loan = pool.lend(in_time(), true).unwrap();
        assert_eq!(loan.take(), Some(Fake(true)));
    }

    #[test]
    fn what_rested_for_long_is_looked_at_and_else_where_it_must_stand() {
        let pool = Pool::new(1);
        let now = coarse_now();
        for (used, surely, is_lent) in [
            (now, false, true),
            (now, true, false),
            (now.checked_sub(IDLE).unwrap(), false, false),
        ] {
            pool.lend(in_time(), false).unwrap().give_back(Fake(false));
            // A recent use stays recent, however slow this is.
            let later = if used == now { now + 20 * IDLE } else { used };
            was_used(&pool, later);
            let mut loan = pool.lend(in_time(), surely).unwrap();
            assert_eq!(loan.take().is_some(), is_lent, "{surely}");
        }
    }

    #[test]
    fn what_ended_is_dropped_and_nothing_is_lent_after_the_end() {
        let pool = Pool::new(2);
        let loans = [(); 2].map(|()| pool.lend(in_time(), false).unwrap());
        for (loan, stands) in loans.into_iter().zip([true, false]) {
            loan.give_back(Fake(stands));
        }
        pool.drop_ended();
        let state = pool.state.lock();
        assert_eq!((state.open, state.idle.len()), (1, 1));
        drop(state);
        let lent = pool.lend(in_time(), false).unwrap();
        pool.close();
        assert_eq!(pool.lend(in_time(), false).unwrap_err(), Unlent::Closed);
        lent.give_back(Fake(true));
        assert_eq!(pool.state.lock().open, 0);
    }
}
