use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::connection::Connection;
use crate::failure::{Answer, Failure};
use crate::target::Target;

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
    idle: Vec<Connection>,
    /// Those in use too.
    open: usize,
    closed: bool,
}

/// The right to a connection: one that rests, or one to be made. What is in it at the end rests; else the right is given
/// back, also by a panic.
struct Loan<'p> {
    pool: &'p Pool,
    connection: Option<Connection>,
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

    /// Makes a call, within the time that it may take. Blocks for a connection and for the server.
    pub(crate) fn with<T>(&self, call: impl FnOnce(&mut Connection) -> Answer<T>) -> Answer<T> {
        let deadline = Instant::now() + self.target.timeout;
        let mut loan = self.take(deadline)?;
        let mut connection = match loan.connection.take() {
            Some(mut connection) => {
                connection.begin(deadline);
                connection
            }
            None => Connection::open(&self.target, deadline)?,
        };
        let ended = call(&mut connection);
        match &ended {
            Err(failure) if !failure.keeps_connection() => {
                // What ended it may have ended others: the server was restarted.
                self.state.lock().drop_unusable();
            }
            _ => {
                connection.rest();
                loan.connection = Some(connection);
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
            let connection = state.idle.pop();
            if connection.is_some() || state.open < self.most {
                state.open += usize::from(connection.is_none());
                drop(state);
                // One that is not usable is replaced by who takes the loan.
                return Ok(Loan {
                    pool: self,
                    connection: connection.filter(Connection::is_usable),
                });
            }
            if self.freed.wait_until(&mut state, deadline).timed_out() {
                return Err(Failure::Busy(self.most));
            }
        }
    }
}

impl State {
    fn drop_unusable(&mut self) {
        let before = self.idle.len();
        self.idle.retain(Connection::is_quiet);
        self.open -= before - self.idle.len();
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state.lock();
        match self.connection.take() {
            Some(connection) if !state.closed => state.idle.push(connection),
            _ => state.open -= 1,
        }
        drop(state);
        self.pool.freed.notify_one();
    }
}
