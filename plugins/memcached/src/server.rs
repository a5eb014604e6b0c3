use std::cell::OnceCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dogpile_net::per_process::PerProcess;
use dogpile_net::pool::{Loan, Pool};
use dogpile_plugin_api::tracing::{info, warn};

use crate::command::{Command, Outcome};
use crate::connection::Connection;
use crate::failure::{Answer, Failure};
use crate::health::Health;
use crate::missed::Missed;
use crate::target::Target;

/// A server, with the connections to it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) target: Target,
    most: usize,
    /// How long it is left alone after a failure.
    dead_retry: Duration,
    live: PerProcess<Live>,
}

/// A server within a call of the backend's, which asks the system only once in which process it is.
pub(crate) struct InCall<'s> {
    pub(crate) server: &'s Server,
    live: OnceCell<Arc<Live>>,
}

/// What a process knows of it.
#[derive(Debug)]
pub(crate) struct Live {
    pool: Pool<Connection>,
    health: Health,
    pub(crate) missed: Missed,
}

/// Commands that were sent, and not answered yet.
#[derive(Debug)]
pub(crate) struct Sent<'l> {
    loan: Loan<'l, Connection>,
    connection: Connection,
    first: u32,
}

impl Server {
    pub(crate) fn new(target: Target, most: usize, dead_retry: Duration) -> Self {
        Self {
            target,
            most,
            dead_retry,
            live: PerProcess::new(Live::new(most)),
        }
    }

    fn live(&self) -> Arc<Live> {
        self.live.get(|| Live::new(self.most))
    }

    pub(crate) fn close(&self) {
        self.live().pool.close();
    }
}

impl<'s> InCall<'s> {
    pub(crate) fn new(server: &'s Server) -> Self {
        Self {
            server,
            live: OnceCell::new(),
        }
    }

    pub(crate) fn live(&self) -> &Live {
        self.live.get_or_init(|| self.server.live())
    }

    /// Whether it failed, and has not answered since.
    pub(crate) fn is_down(&self) -> bool {
        self.live().health.is_down()
    }

    /// Whether to ask it now. A caller who is told so is to ask it.
    pub(crate) fn may_be_asked(&self) -> Answer<()> {
        let trial = self.server.target.endpoint.connect_timeout;
        let asked = self.live().health.may_be_asked(trial);
        asked.map_err(|(why, left)| Failure::Down(why, left))
    }

    /// Sends all at once. Blocks for a connection.
    pub(crate) fn send(&self, commands: &[&Command], deadline: Instant) -> Answer<Sent<'_>> {
        let surely = !commands.iter().all(|command| command.is_repeatable());
        let lent = self.live().pool.lend(deadline, surely);
        let mut loan = lent.map_err(Failure::Unlent)?;
        let mut connection = match loan.take() {
            Some(mut connection) => {
                connection.begin(deadline);
                connection
            }
            None => Connection::open(&self.server.target, deadline)?,
        };
        let first = connection.send(commands)?;
        Ok(Sent {
            loan,
            connection,
            first,
        })
    }

    /// Hears how a call went.
    pub(crate) fn heard(&self, failure: Option<&Failure>) {
        let (live, target) = (self.live(), &self.server.target);
        match failure {
            None => {
                if live.health.answered() {
                    info!("the server {target} answers again");
                }
            }
            Some(failure) if failure.is_about_server() => {
                live.drop_ended();
                if live
                    .health
                    .failed(failure.to_string(), self.server.dead_retry)
                {
                    warn!("the server {target} {failure}");
                }
            }
            Some(_) => {}
        }
    }
}

impl Sent<'_> {
    /// Blocks for the replies, by the deadline.
    pub(crate) fn receive(self, commands: &[&Command], deadline: Instant) -> Answer<Vec<Outcome>> {
        let Self {
            loan,
            mut connection,
            first,
        } = self;
        connection.begin(deadline);
        let outcomes = connection.receive(commands, first)?;
        // What came beside the replies would be taken for one to what is sent next.
        if connection.has_read_all() {
            connection.rest();
            loan.give_back(connection);
        }
        Ok(outcomes)
    }
}

impl Live {
    fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            pool: Pool::new(most),
            health: Health::default(),
            missed: Missed::default(),
        })
    }

    /// What ended a connection may have ended others: the server was restarted.
    pub(crate) fn drop_ended(&self) {
        self.pool.drop_ended();
    }
}
