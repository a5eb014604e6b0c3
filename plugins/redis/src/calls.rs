use std::sync::Arc;
use std::time::Instant;

use crate::connection::Connection;
use crate::failure::Answer;
use crate::multiplexer::Multiplexer;
use crate::pool::Pool;
use crate::target::Target;

/// How calls of a server are made.
pub(crate) enum Calls {
    Pooled(Pool),
    Multiplexed(Multiplexer),
}

impl Calls {
    /// As the target says. With at most so many connections, of a pool.
    pub(crate) fn new(target: &Arc<Target>, max_connections: usize) -> Self {
        let of = Arc::clone(target);
        if target.multiplex {
            Self::Multiplexed(Multiplexer::new(of))
        } else {
            Self::Pooled(Pool::new(of, max_connections))
        }
    }

    /// Makes a call, which ends by the deadline. Blocks for a connection and for the server.
    pub(crate) fn with<T>(
        &self,
        deadline: Instant,
        call: impl FnOnce(&mut Connection) -> Answer<T>,
    ) -> Answer<T> {
        match self {
            Self::Pooled(pool) => pool.with(deadline, call),
            Self::Multiplexed(multiplexer) => multiplexer.with(deadline, call),
        }
    }

    /// Makes no call any more, and closes connections once no call is under way on them.
    pub(crate) fn close(&self) {
        match self {
            Self::Pooled(pool) => pool.close(),
            Self::Multiplexed(multiplexer) => multiplexer.close(),
        }
    }
}
