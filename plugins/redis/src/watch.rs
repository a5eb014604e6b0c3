use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dogpile_plugin_api::tracing::{debug, info};
use parking_lot::{Condvar, Mutex};
use redis::{PushKind, ServerError, Value};

use crate::connection::{Connection, accepted};
use crate::failure::{Answer, Failure};
use crate::pool::Pool;
use crate::stream::Closer;
use crate::target::Target;

/// Wakes who waits for a lock.
///
/// A waiter asks the server how long the lock is still held, on any connection, and the server remembers that it asked
/// (`CLIENT TRACKING`). Whatever becomes of the lock, whoever does it, the server tells one connection of this process,
/// the *link*, which a thread reads. When the link ends, all waiters are woken, and the next one to wait makes a new one.
pub(crate) struct Watch {
    shared: Arc<Shared>,
    pool: Arc<Pool>,
}

struct Shared {
    target: Arc<Target>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    link: Link,
    waiters: HashMap<Box<[u8]>, Vec<Arc<Waiter>>>,
    thread: Option<JoinHandle<()>>,
    closed: bool,
}

#[derive(Default)]
enum Link {
    #[default]
    None,
    /// Somebody makes it.
    Making,
    Up {
        /// Its number at the server.
        id: i64,
        closer: Closer,
    },
    /// This server cannot do that, or does not let us; asked again after that time.
    Refused { until: Instant },
}

#[derive(Default)]
struct Waiter {
    woken: Mutex<bool>,
    changed: Condvar,
}

/// A waiter that is told of its lock until this is dropped.
struct Registered<'w> {
    shared: &'w Shared,
    lock: &'w str,
    waiter: Arc<Waiter>,
}

/// The longest that a wait relies on the link.
const LONGEST: Duration = Duration::from_secs(1);

/// How long a server that refused is left alone.
const REFUSED: Duration = Duration::from_mins(1);

/// Why there is no link.
enum Missing {
    /// The server will not do it.
    Refused,
    Failed(Failure),
}

impl Watch {
    pub(crate) fn new(target: Arc<Target>, pool: Arc<Pool>) -> Self {
        let state = Mutex::default();
        let shared = Arc::new(Shared { target, state });
        Self { shared, pool }
    }

    /// Waits until the lock may be free, at most for that time. `sleep`: how often to look where the server cannot tell.
    pub(crate) fn wait(&self, lock: &str, timeout: Duration, sleep: Duration) -> Answer<()> {
        let deadline = Instant::now() + timeout.min(LONGEST);
        let registered = Registered::new(&self.shared, lock);
        let left = match self.link() {
            Ok(Some(id)) => self.ask(lock, id)?,
            Ok(None) => Some(jittered(sleep)),
            Err(failure) => return Err(failure),
        };
        if let Some(left) = left {
            registered.waiter.wait(deadline.min(Instant::now() + left));
        }
        Ok(())
    }

    /// Ends the thread, and all waits.
    pub(crate) fn close(&self) {
        let (link, thread) = {
            let mut state = self.shared.state.lock();
            state.closed = true;
            state.wake_all();
            (mem::take(&mut state.link), state.thread.take())
        };
        if let Link::Up { closer, .. } = link {
            closer.close();
        }
        if let Some(thread) = thread {
            // A panic of it was shown already.
            let _ended = thread.join();
        }
    }

    /// How long the lock is still held, if nobody gives it up; `None`: it is free. From now on the server tells.
    fn ask(&self, lock: &str, id: i64) -> Answer<Option<Duration>> {
        let asked = self.pool.with(|on| {
            let mut commands = Vec::new();
            if on.tracks_to != Some(id) {
                let mut command = redis::cmd("CLIENT");
                command
                    .arg("TRACKING")
                    .arg("ON")
                    .arg("REDIRECT")
                    .arg(id)
                    .arg("OPTIN");
                commands.push(command);
            }
            let mut caching = redis::cmd("CLIENT");
            caching.arg("CACHING").arg("YES");
            let mut left = redis::cmd("PTTL");
            left.arg(lock);
            commands.extend([caching, left]);
            let mut last = Value::Nil;
            for reply in on.pipeline(&commands)? {
                last = accepted(reply)?;
            }
            on.tracks_to = Some(id);
            Ok(last)
        });
        match asked {
            Ok(Value::Int(-2)) => Ok(None),
            Ok(Value::Int(milliseconds)) => Ok(Some(
                u64::try_from(milliseconds).map_or(LONGEST, |left| Duration::from_millis(left + 1)),
            )),
            Ok(_) => Err(Failure::Nonsense),
            Err(Failure::Refused(error)) if is_about_tracking(&error) => {
                debug!(%error, "the server {} does not tell of locks", self.shared.target);
                // A link that has ended is made anew, and what the server does not do is left alone.
                let has_ended = error
                    .details()
                    .is_some_and(|said| said.contains("redirect"));
                self.shared.lost(id, (!has_ended).then_some(REFUSED));
                Ok(Some(Duration::ZERO))
            }
            Err(failure) => Err(failure),
        }
    }

    /// The number of the link, which is made if there is none; `None` where it cannot be had.
    fn link(&self) -> Answer<Option<i64>> {
        let mut state = self.shared.state.lock();
        if state.closed {
            return Err(Failure::Closed);
        }
        match &state.link {
            Link::Up { id, .. } => return Ok(Some(*id)),
            Link::Making => return Ok(None),
            Link::Refused { until } if Instant::now() < *until => return Ok(None),
            Link::None | Link::Refused { .. } => {}
        }
        state.link = Link::Making;
        // That of the link before has nothing more to do.
        let ended = state.thread.take();
        drop(state);
        if let Some(thread) = ended {
            let _ended = thread.join();
        }
        let made = open(&self.shared.target);
        let mut state = self.shared.state.lock();
        state.link = Link::None;
        match made {
            Ok((connection, id, closer)) if !state.closed => {
                let shared = Arc::clone(&self.shared);
                let read = move || shared.read(connection, id);
                let thread = thread::Builder::new().name(String::from("dogpile-redis"));
                state.thread = Some(thread.spawn(read).map_err(Failure::Connect)?);
                state.link = Link::Up { id, closer };
                Ok(Some(id))
            }
            Ok(_) => Err(Failure::Closed),
            Err(Missing::Refused) => {
                state.link = Link::Refused {
                    until: Instant::now() + REFUSED,
                };
                Ok(None)
            }
            Err(Missing::Failed(failure)) => Err(failure),
        }
    }
}

/// A connection on which the server can tell, and its number.
fn open(target: &Target) -> Result<(Connection, i64, Closer), Missing> {
    let mut connection =
        Connection::open(target, Instant::now() + target.timeout).map_err(Missing::Failed)?;
    let mut hello = redis::cmd("HELLO");
    hello.arg(3);
    let mut number = redis::cmd("CLIENT");
    number.arg("ID");
    let asked = connection
        .call(&hello)
        .and_then(|_| connection.call(&number));
    match asked {
        Ok(Value::Int(id)) => {
            let closer = connection.closer().map_err(Missing::Failed)?;
            Ok((connection, id, closer))
        }
        Ok(_) => Err(Missing::Failed(Failure::Nonsense)),
        Err(Failure::Refused(error)) => {
            info!(%error, "the server {target} cannot tell of locks: waiters look for themselves");
            Err(Missing::Refused)
        }
        Err(failure) => Err(Missing::Failed(failure)),
    }
}

/// Whether the server lacks tracking, keeps us from it, or has lost the link.
fn is_about_tracking(error: &ServerError) -> bool {
    matches!(error.code(), "ERR" | "NOPERM")
}

impl Shared {
    /// The link's thread: until the link ends. One that is silent for the time of a call is asked whether it stands.
    fn read(&self, mut link: Connection, id: i64) {
        let mut asked = false;
        loop {
            link.begin(Instant::now() + self.target.timeout);
            match link.read() {
                Ok(reply) => {
                    asked = false;
                    if let Value::Push {
                        kind: PushKind::Invalidate,
                        data,
                    } = reply
                    {
                        self.told(&data);
                    }
                }
                Err(failure) if failure.is_timeout() && !asked => {
                    link.begin(Instant::now() + self.target.timeout);
                    asked = true;
                    if link.ping().is_err() {
                        break;
                    }
                }
                Err(failure) => {
                    debug!(%failure, "the connection on which the server {} tells of locks", self.target);
                    break;
                }
            }
        }
        self.lost(id, None);
    }

    /// The server told of these keys, or of all.
    fn told(&self, data: &[Value]) {
        let state = self.state.lock();
        match data {
            [Value::Array(keys)] => {
                for key in keys {
                    if let Value::BulkString(key) = key {
                        state
                            .waiters
                            .get(&**key)
                            .into_iter()
                            .flatten()
                            .for_each(|waiter| waiter.wake());
                    }
                }
            }
            _ => state.wake_all(),
        }
    }

    /// The link has ended: nobody is told any more. It is left alone for a while, or made anew by who waits next.
    fn lost(&self, lost: i64, alone: Option<Duration>) {
        let mut state = self.state.lock();
        match &state.link {
            Link::Up { id, closer } if *id == lost => closer.close(),
            _ => return,
        }
        state.link = match alone {
            Some(time) => Link::Refused {
                until: Instant::now() + time,
            },
            None => Link::None,
        };
        state.wake_all();
    }
}

impl State {
    fn wake_all(&self) {
        self.waiters
            .values()
            .flatten()
            .for_each(|waiter| waiter.wake());
    }
}

impl Waiter {
    fn wake(&self) {
        *self.woken.lock() = true;
        self.changed.notify_all();
    }

    fn wait(&self, deadline: Instant) {
        let mut woken = self.woken.lock();
        while !*woken && !self.changed.wait_until(&mut woken, deadline).timed_out() {}
    }
}

impl<'w> Registered<'w> {
    fn new(shared: &'w Shared, lock: &'w str) -> Self {
        let waiter = Arc::new(Waiter::default());
        let mut state = shared.state.lock();
        let waiters = state.waiters.entry(lock.as_bytes().into()).or_default();
        waiters.push(Arc::clone(&waiter));
        drop(state);
        Self {
            shared,
            lock,
            waiter,
        }
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        if let Some(waiters) = state.waiters.get_mut(self.lock.as_bytes()) {
            waiters.retain(|waiter| !Arc::ptr_eq(waiter, &self.waiter));
            if waiters.is_empty() {
                state.waiters.remove(self.lock.as_bytes());
            }
        }
    }
}

/// Half of that time to one and a half, so that those who wait do not look all at once.
fn jittered(sleep: Duration) -> Duration {
    let mut byte = [128];
    // Without random bytes it is just that time.
    let _filled = rustix::rand::getrandom(&mut byte, rustix::rand::GetRandomFlags::empty());
    sleep.mul_f64(0.5 + f64::from(byte[0]) / 255.0)
}
