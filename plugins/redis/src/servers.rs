use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use dogpile_plugin_api::Result;

use crate::connection::Connection;
use crate::failure::{Answer, Failure, SERVER};
use crate::server::Server;
use crate::target::Target;
use crate::watch::Watch;

/// The servers that hold the entries.
pub(crate) trait Servers: Send + Sync {
    /// How long a call may take.
    fn timeout(&self) -> Duration;

    /// Which part of all keys that one is in, where they are parted: the keys of a part are on the same server.
    fn slot(&self, _key: &[u8]) -> Option<u16> {
        None
    }

    /// The one that stores those, and has their locks; found by the deadline.
    fn writing(&self, slot: Option<u16>, deadline: Instant) -> Result<Arc<Server>>;

    /// One that reads those, and may not have heard of the last stores yet; found by the deadline.
    fn reading(&self, slot: Option<u16>, deadline: Instant) -> Result<Arc<Server>>;

    /// All that store; found by the deadline.
    fn all(&self, deadline: Instant) -> Result<Vec<Arc<Server>>>;

    /// Hears that a call of `server` failed. What is to be done.
    fn failed(&self, server: &Arc<Server>, slot: Option<u16>, failure: &Failure) -> Next;

    /// Closes the connections to all, and ends their threads.
    fn close(&self);
}

/// What a failed call may be followed by.
pub(crate) enum Next {
    /// Nothing.
    Fail,
    /// The same call of another server, if one is in the place of this one.
    Another,
    /// The same call of that one, which has the keys.
    Owner(Arc<Server>),
    /// The same call of that one, this once: it is to have the keys soon.
    Ask(Arc<Server>),
}

/// What finds a server for a call.
pub(crate) type Find = fn(&(dyn Servers + 'static), Option<u16>, Instant) -> Result<Arc<Server>>;

/// How often a call is sent from one server to another.
const REDIRECTIONS: u32 = 16;

/// How often that happens where all is well. Beyond, they do not agree yet.
const AT_ONCE: u32 = 3;

/// Each makes a call about keys of one part, within the time that it may take. Where the server has changed, and has not
/// done it, the call is made again of the one in its place: once, or as often as servers say whom to ask.
impl dyn Servers {
    /// Of the server that stores.
    pub(crate) fn write<T>(
        &self,
        key: &[u8],
        mut call: impl FnMut(&mut Connection) -> Answer<T>,
    ) -> Result<T> {
        self.call(
            self.slot(key),
            self.deadline(),
            Self::writing,
            |server, deadline, asks| server.call(deadline, |on| on.asking(asks, &mut call)),
            Failure::did_nothing,
        )
    }

    /// Of one that reads. The call changes nothing.
    pub(crate) fn read<T>(
        &self,
        key: &[u8],
        mut call: impl FnMut(&mut Connection) -> Answer<T>,
    ) -> Result<T> {
        self.call(
            self.slot(key),
            self.deadline(),
            Self::reading,
            |server, deadline, asks| server.call(deadline, |on| on.asking(asks, &mut call)),
            |_| true,
        )
    }

    /// Of what tells of locks. The call hears whether it can tell.
    pub(crate) fn watch<T>(
        &self,
        lock: &[u8],
        mut call: impl FnMut(&Watch, bool) -> Answer<T>,
    ) -> Result<T> {
        self.call(
            self.slot(lock),
            self.deadline(),
            Self::writing,
            |server, _, asks| server.watching(|watch| call(watch, !asks)),
            Failure::did_nothing,
        )
    }

    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout()
    }

    /// The same in general: how a server is found, what the call is (whether it asks for keys that are on their way), and
    /// whether it may be repeated after that failure.
    pub(crate) fn call<T>(
        &self,
        slot: Option<u16>,
        deadline: Instant,
        find: Find,
        mut call: impl FnMut(&Server, Instant, bool) -> Answer<T>,
        may_repeat: fn(&Failure) -> bool,
    ) -> Result<T> {
        let mut server = find(self, slot, deadline)?;
        let (mut asks, mut redirections, mut was_replaced) = (false, 0, false);
        loop {
            let failure = match call(&server, deadline, asks) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let next = self.failed(&server, slot, &failure);
            if Instant::now() >= deadline {
                return Err(server.told(failure));
            }
            asks = false;
            let before = server;
            server = match next {
                Next::Another if may_repeat(&failure) && !was_replaced => {
                    was_replaced = true;
                    let other = find(self, slot, deadline)?;
                    if Arc::ptr_eq(&other, &before) {
                        return Err(before.told(failure));
                    }
                    other
                }
                Next::Owner(_) | Next::Ask(_) if redirections == REDIRECTIONS => {
                    return Err(before.told(failure));
                }
                Next::Owner(other) => {
                    redirections += 1;
                    if redirections > AT_ONCE {
                        thread::sleep(pause(deadline));
                    }
                    other
                }
                Next::Ask(other) => {
                    redirections += 1;
                    asks = true;
                    other
                }
                Next::Another | Next::Fail => return Err(before.told(failure)),
            };
        }
    }
}

/// Short beside how long nodes take to agree.
fn pause(deadline: Instant) -> Duration {
    const PAUSE: Duration = Duration::from_millis(5);
    PAUSE.min(deadline.saturating_duration_since(Instant::now()))
}

/// A single server.
pub(crate) struct Single(Arc<Server>);

impl Single {
    pub(crate) fn new(target: Target, max_connections: usize) -> Self {
        Self(Arc::new(Server::new(&SERVER, target, max_connections)))
    }
}

impl Servers for Single {
    fn timeout(&self) -> Duration {
        self.0.target.timeout
    }

    fn writing(&self, _: Option<u16>, _: Instant) -> Result<Arc<Server>> {
        Ok(Arc::clone(&self.0))
    }

    fn reading(&self, _: Option<u16>, _: Instant) -> Result<Arc<Server>> {
        Ok(Arc::clone(&self.0))
    }

    fn all(&self, _: Instant) -> Result<Vec<Arc<Server>>> {
        Ok(vec![Arc::clone(&self.0)])
    }

    fn failed(&self, _: &Arc<Server>, _: Option<u16>, _: &Failure) -> Next {
        Next::Fail
    }

    fn close(&self) {
        self.0.close();
    }
}
