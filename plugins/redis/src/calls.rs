use std::sync::Arc;
use std::time::Instant;

use dogpile_net::pool::Pool;

use crate::connection::Connection;
use crate::failure::{Answer, Failure};
use crate::multiplexer::Multiplexer;
use crate::target::Target;
use crate::wire::Wire;

/// How calls of a server are made.
pub(crate) enum Calls {
    Pooled(Arc<Target>, Pool<Wire>),
    Multiplexed(Multiplexer),
}

impl Calls {
    /// As the target says. With at most so many connections, of a pool.
    pub(crate) fn new(target: &Arc<Target>, max_connections: usize) -> Self {
        let of = Arc::clone(target);
        if target.multiplex {
            Self::Multiplexed(Multiplexer::new(of))
        } else {
            Self::Pooled(of, Pool::new(max_connections))
        }
    }

    /// Makes a call, which ends by the deadline. Blocks for a connection and for the server.
    pub(crate) fn with<T>(
        &self,
        deadline: Instant,
        call: impl FnOnce(&mut Connection) -> Answer<T>,
    ) -> Answer<T> {
        match self {
            Self::Pooled(target, pool) => pooled(target, pool, deadline, call),
            Self::Multiplexed(multiplexer) => multiplexer.with(deadline, call),
        }
    }

    /// Makes no call any more, and closes connections once no call is under way on them.
    pub(crate) fn close(&self) {
        match self {
            Self::Pooled(_, pool) => pool.close(),
            Self::Multiplexed(multiplexer) => multiplexer.close(),
        }
    }
}

fn pooled<T>(
    target: &Target,
    pool: &Pool<Wire>,
    deadline: Instant,
    call: impl FnOnce(&mut Connection) -> Answer<T>,
) -> Answer<T> {
    let mut loan = pool.lend(deadline, false).map_err(Failure::Unlent)?;
    let mut wire = match loan.take() {
        Some(mut wire) => {
            wire.begin(deadline);
            wire
        }
        None => Wire::open(target, deadline)?,
    };
    let ended = call(&mut wire.calls());
    match &ended {
        // What ended it may have ended others: the server was restarted.
        Err(failure) if !failure.keeps_connection() => pool.drop_ended(),
        _ => {
            wire.rest();
            loan.give_back(wire);
        }
    }
    ended
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    use dogpile_net::endpoint::Place;

    use super::*;

    fn in_time() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    /// Those of one connection at most, to nobody who answers.
    fn calls(listener: &TcpListener) -> Calls {
        let port = listener.local_addr().unwrap().port();
        let arguments = serde_json::from_str("{}").unwrap();
        let target = Target::new(&arguments)
            .unwrap()
            .at(Place::Tcp(String::from("127.0.0.1"), port));
        Calls::new(&Arc::new(target), 1)
    }

    #[test]
    fn a_connection_is_kept_by_a_call_that_succeeds_and_by_no_other() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let calls = calls(&listener);
        listener.set_nonblocking(true).unwrap();
        let came = || std::iter::from_fn(|| listener.accept().ok()).collect::<Vec<_>>();
        let mut open = Vec::new();
        for _ in 0..2 {
            calls.with(in_time(), |_| Ok(())).unwrap();
            open.extend(came());
            assert_eq!(open.len(), 1);
        }
        calls
            .with(in_time(), |_| Err::<(), _>(Failure::Nonsense))
            .unwrap_err();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            calls.with::<()>(in_time(), |_| panic!("on purpose"))
        }));
        assert!(panicked.is_err());
        assert_eq!(came().len(), 1);
        calls.with(in_time(), |_| Ok(())).unwrap();
        assert_eq!(came().len(), 1);
    }

    #[test]
    fn a_server_that_nobody_reaches_costs_no_right_to_a_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let calls = calls(&listener);
        drop(listener);
        for _ in 0..3 {
            let failure = calls.with(in_time(), |_| Ok(())).unwrap_err();
            assert!(matches!(failure, Failure::Connect(_)), "{failure}");
        }
    }
}
