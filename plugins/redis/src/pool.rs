use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::connection::Connection;
use crate::failure::{Answer, Failure};
use crate::target::Target;
use crate::wire::Wire;

/// The connections to a server. The one that was used last is used next, so that no more are open than were ever needed
/// at once.
pub(crate) struct Pool {
    target: Arc<Target>,
    most: usize,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Wire>,
    /// Those in use too.
    open: usize,
    closed: bool,
}

/// The right to a connection: one that rests, or one to be made. What is in it at the end rests; else the right is given
/// back, also by a panic.
struct Loan<'p> {
    pool: &'p Pool,
    wire: Option<Wire>,
}

impl Pool {
    pub(crate) fn new(target: Arc<Target>, most: usize) -> Self {
        Self {
            target,
            most,
            state: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// Makes a call, which ends by the deadline. Blocks for a connection and for the server.
    pub(crate) fn with<T>(
        &self,
        deadline: Instant,
        call: impl FnOnce(&mut Connection) -> Answer<T>,
    ) -> Answer<T> {
        let mut loan = self.take(deadline)?;
        let mut wire = match loan.wire.take() {
            Some(mut wire) => {
                wire.begin(deadline);
                wire
            }
            None => Wire::open(&self.target, deadline)?,
        };
        let ended = call(&mut wire.calls());
        match &ended {
            Err(failure) if !failure.keeps_connection() => {
                // What ended it may have ended others: the server was restarted.
                self.state.lock().drop_unusable();
            }
            _ => {
                wire.rest();
                loan.wire = Some(wire);
            }
        }
        ended
    }

    /// Closes what is idle, and the rest once it is.
    pub(crate) fn close(&self) {
        let idle = {
            let mut state = self.state.lock();
            state.closed = true;
            std::mem::take(&mut state.idle)
        };
        self.freed.notify_all();
        drop(idle);
    }

    fn take(&self, deadline: Instant) -> Answer<Loan<'_>> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return Err(Failure::Closed);
            }
            let mut wire = state.idle.pop();
            if wire.is_some() || state.open < self.most {
                state.open += usize::from(wire.is_none());
                drop(state);
                // One that is not usable is replaced by who takes the loan.
                return Ok(Loan {
                    pool: self,
                    wire: wire.take_if(Wire::is_usable),
                });
            }
            if Instant::now() >= deadline {
                return Err(Failure::Busy(self.most));
            }
            self.freed.wait_until(&mut state, deadline);
        }
    }
}

impl State {
    fn drop_unusable(&mut self) {
        let before = self.idle.len();
        self.idle.retain(Wire::is_quiet);
        self.open -= before - self.idle.len();
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state.lock();
        match self.wire.take() {
            Some(wire) if !state.closed => state.idle.push(wire),
            _ => state.open -= 1,
        }
        drop(state);
        self.pool.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    use super::*;
    use crate::target::Place;

    const TIMEOUT: Duration = Duration::from_millis(50);

    fn in_time() -> Instant {
        Instant::now() + TIMEOUT
    }

    /// A pool of one connection, to nobody who answers.
    fn pool(listener: &TcpListener) -> Pool {
        let port = listener.local_addr().unwrap().port();
        let target = Target {
            place: Place::Tcp(String::from("127.0.0.1"), port),
            tls: None,
            username: None,
            password: None,
            database: 0,
            connect_timeout: Duration::from_secs(5),
            timeout: TIMEOUT,
            keepalive: false,
            multiplex: false,
        };
        Pool::new(Arc::new(target), 1)
    }

    #[test]
    fn a_call_beyond_the_most_connections_waits_for_its_time_and_says_what_to_raise() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let pool = pool(&listener);
        let within = pool.with(in_time(), |_| {
            let since = Instant::now();
            let failure = pool.with(in_time(), |_| Ok(())).unwrap_err();
            assert!(since.elapsed() >= TIMEOUT);
            Ok(failure.to_string())
        });
        let told = within.unwrap();
        assert!(told.contains("`max_connections`"), "{told}");
        pool.with(in_time(), |_| Ok(())).unwrap();
    }

    #[test]
    fn a_call_that_fails_or_panics_gives_its_right_to_a_connection_back() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let pool = pool(&listener);
        for _ in 0..3 {
            pool.with(in_time(), |_| Err::<(), _>(Failure::Nonsense))
                .unwrap_err();
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                pool.with::<()>(in_time(), |_| panic!())
            }));
            assert!(panicked.is_err());
            pool.with(in_time(), |_| Ok(())).unwrap();
        }
        drop(listener);
        let state = pool.state.lock();
        assert_eq!((state.open, state.idle.len()), (1, 1));
    }

    #[test]
    fn a_server_that_nobody_reaches_costs_no_right_to_a_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let pool = pool(&listener);
        drop(listener);
        for _ in 0..3 {
            let failure = pool.with(in_time(), |_| Ok(())).unwrap_err();
            assert!(matches!(failure, Failure::Connect(_)), "{failure}");
        }
        assert_eq!(pool.state.lock().open, 0);
    }
}
