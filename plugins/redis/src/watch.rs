use std::mem;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dogpile_net::pool::Unlent;
use dogpile_net::socket::Closer;
use dogpile_plugin_api::tracing::{debug, info};
use parking_lot::Mutex;
use redis::{PushKind, ServerError, Value};

use crate::calls::Calls;
use crate::connection::accepted;
use crate::failure::{Answer, Failure};
use crate::target::Target;
use crate::waiters::Waiters;
use crate::wire::Wire;

/// Wakes who waits for a lock.
///
/// A waiter asks the server how long the lock is still held, on any connection, and the server remembers that it asked
/// (`CLIENT TRACKING`). Whatever becomes of the lock, whoever does it, the server tells one connection of this process,
/// the *link*, which a thread reads. When the link ends, all waiters are woken, and the next one to wait makes a new one.
pub(crate) struct Watch {
    shared: Arc<Shared>,
    calls: Arc<Calls>,
}

struct Shared {
    target: Arc<Target>,
    waiters: Waiters,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    link: Link,
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

/// The longest that a wait relies on the link.
const LONGEST: Duration = Duration::from_secs(1);

/// How long a server that refused is left alone.
const REFUSED: Duration = Duration::from_mins(1);

impl Watch {
    pub(crate) fn new(target: Arc<Target>, calls: Arc<Calls>) -> Self {
        let shared = Arc::new(Shared {
            target,
            waiters: Waiters::default(),
            state: Mutex::default(),
        });
        Self { shared, calls }
    }

    /// Waits until the lock may be free, at most for that time. `sleep`: how often to look where the server cannot tell,
    /// or not of that lock.
    pub(crate) fn wait(
        &self,
        lock: &str,
        timeout: Duration,
        sleep: Duration,
        can_tell: bool,
    ) -> Answer<()> {
        let deadline = Instant::now() + timeout.min(LONGEST);
        let waiter = self.shared.waiters.register(lock);
        let link = if can_tell { self.link()? } else { None };
        let left = match link {
            Some(id) => self.ask(lock, id)?,
            None => Some(jittered(sleep)),
        };
        if let Some(left) = left {
            waiter.wait(deadline.min(Instant::now() + left));
        }
        Ok(())
    }

    /// Ends the thread, and all waits.
    pub(crate) fn close(&self) {
        let (link, thread) = {
            let mut state = self.shared.state.lock();
            state.closed = true;
            (mem::take(&mut state.link), state.thread.take())
        };
        self.shared.waiters.wake_all();
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
        let asked = self
            .calls
            .with(Instant::now() + self.shared.target.timeout, |on| {
                let mut commands = Vec::new();
                if on.tracks_to() != Some(id) {
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
                on.track_to(id);
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
            return Err(Failure::Unlent(Unlent::Closed));
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
        let Some((wire, id, closer)) = made? else {
            state.link = Link::Refused {
                until: Instant::now() + REFUSED,
            };
            return Ok(None);
        };
        if state.closed {
            return Err(Failure::Unlent(Unlent::Closed));
        }
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name(String::from("dogpile-redis"));
        let started = thread.spawn(move || shared.read(wire, id));
        state.thread = Some(started.map_err(Failure::Connect)?);
        state.link = Link::Up { id, closer };
        Ok(Some(id))
    }
}

/// A connection on which the server can tell, and its number; `None` where the server does not do that.
fn open(target: &Target) -> Answer<Option<(Wire, i64, Closer)>> {
    let mut wire = Wire::open(target, Instant::now() + target.timeout)?;
    let mut hello = redis::cmd("HELLO");
    hello.arg(3);
    let mut number = redis::cmd("CLIENT");
    number.arg("ID");
    let mut calls = wire.calls();
    let asked = calls.call(&hello).and_then(|_| calls.call(&number));
    match asked {
        Ok(Value::Int(id)) => {
            let closer = wire.closer();
            Ok(Some((wire, id, closer)))
        }
        Ok(_) => Err(Failure::Nonsense),
        Err(Failure::Refused(error)) => {
            info!(%error, "the server {target} cannot tell of locks: waiters look for themselves");
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// Whether the server lacks tracking, keeps us from it, or has lost the link.
fn is_about_tracking(error: &ServerError) -> bool {
    matches!(error.code(), "ERR" | "NOPERM")
}

/// The link is lost with this, however its thread ends.
struct Reading<'s> {
    shared: &'s Shared,
    id: i64,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.shared.lost(self.id, None);
    }
}

impl Shared {
    /// The link's thread: until the link ends. One that is silent for the time of a call is asked whether it stands.
    fn read(&self, mut link: Wire, id: i64) {
        let _ends = Reading { shared: self, id };
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
    }

    /// The server told of these keys, or of all.
    fn told(&self, data: &[Value]) {
        let [Value::Array(keys)] = data else {
            return self.waiters.wake_all();
        };
        for key in keys {
            if let Value::BulkString(key) = key {
                self.waiters.wake(key);
            }
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
        drop(state);
        self.waiters.wake_all();
    }
}

/// Half of that time to one and a half, so that those who wait do not look all at once.
fn jittered(sleep: Duration) -> Duration {
    let mut byte = [128];
    // Without random bytes it is just that time.
    let _filled = rustix::rand::getrandom(&mut byte, rustix::rand::GetRandomFlags::empty());
    sleep.mul_f64(0.5 + f64::from(byte[0]) / 255.0)
}
