use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dogpile_plugin_api::{Error, HostContext, Lease, Mutex, Result};
use redis::Value;

use crate::doubtful::Doubtful;
use crate::failure::Failure;
use crate::names::tombstone;
use crate::script::{RELEASE, RENEW};
use crate::server::Servers;

/// The creation locks: one for each key, which all processes respect, Python's too.
pub(crate) struct Locks {
    pub(crate) servers: Arc<dyn Servers>,
    pub(crate) host: HostContext,
    pub(crate) prefix: String,
    pub(crate) sleep: Duration,
    /// Tokens that may have a lock, and are nobody's.
    pub(crate) doubtful: Doubtful,
    /// Whether a lock is known to be given up when it is to be: a user who may run no scripts must take none.
    pub(crate) can_release: AtomicBool,
}

/// The creation lock of a key.
pub(crate) struct KeyMutex {
    locks: Arc<Locks>,
    lock: String,
    tombstone: String,
}

impl Locks {
    /// The name of the lock of `key`.
    pub(crate) fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

impl KeyMutex {
    pub(crate) fn new(locks: Arc<Locks>, key: &str) -> Self {
        Self {
            lock: locks.name(key),
            tombstone: tombstone(key),
            locks,
        }
    }

    /// Gives the lock up, if it is that token's.
    fn give_up(&self, token: &str) -> Result<()> {
        let call = RELEASE.call(&self.keys(), &[token.as_bytes()]);
        let servers = &self.locks.servers;
        servers.write(|on| RELEASE.run(on, &call)).map(drop)
    }

    /// Gives the lock up if a call took it whose reply did not come, or gave it up in vain: nobody holds it then.
    fn give_up_doubtful(&self) -> Result<()> {
        while let Some(token) = self.locks.doubtful.first(&self.lock) {
            self.give_up(&token)?;
            self.locks.doubtful.remove(&self.lock, &token);
        }
        Ok(())
    }

    fn keys(&self) -> [&[u8]; 2] {
        [self.lock.as_bytes(), self.tombstone.as_bytes()]
    }
}

/// As text, like that of Python's locks.
fn text(token: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*token))
}

fn new_token() -> Result<[u8; 16]> {
    let mut token = [0; 16];
    let filled = rustix::rand::getrandom(&mut token, rustix::rand::GetRandomFlags::empty());
    match filled {
        Ok(16) => Ok(token),
        Ok(_) => Err(Error::unavailable("the kernel gave too few random bytes")),
        Err(error) => Err(Error::unavailable(error)),
    }
}

/// What a lease's tag holds: the process that took it, and how long it is in milliseconds.
fn tag(milliseconds: u32) -> u64 {
    (u64::from(process::id()) << 32) | u64::from(milliseconds)
}

fn tagged_milliseconds(lease: &Lease) -> u64 {
    lease.tag & u64::from(u32::MAX)
}

/// A lease's token as the server has it. A child has none of its parent's leases: what it gets is no lock's.
pub(crate) fn token(lease: &Lease) -> String {
    if lease.tag >> 32 == u64::from(process::id()) {
        text(&lease.token)
    } else {
        String::new()
    }
}

/// At most 49 days.
fn milliseconds(lease: Duration) -> u32 {
    u32::try_from(lease.as_millis()).map_or(u32::MAX, |lease| lease.max(1))
}

impl Mutex for KeyMutex {
    fn try_acquire(&self, lease: Duration) -> Result<Option<Lease>> {
        self.give_up_doubtful()?;
        let token = new_token()?;
        let (text, milliseconds) = (text(&token), milliseconds(lease));
        if !self.locks.can_release.load(Ordering::Relaxed) {
            self.give_up(&text)?;
            self.locks.can_release.store(true, Ordering::Relaxed);
        }
        let now = self.locks.host.now();
        let mut command = redis::cmd("SET");
        command
            .arg(&self.lock)
            .arg(&text)
            .arg("NX")
            .arg("PX")
            .arg(milliseconds);
        let mut in_doubt = false;
        let asked = self.locks.servers.write(|on| {
            let answer = on.call(&command);
            in_doubt = answer
                .as_ref()
                .is_err_and(|failure| !failure.keeps_connection());
            match answer? {
                Value::Okay => Ok(true),
                Value::Nil => Ok(false),
                _ => Err(Failure::Nonsense),
            }
        });
        if in_doubt {
            self.locks.doubtful.add(&self.lock, text, lease);
        }
        Ok(asked?.then(|| Lease {
            token,
            expires: passes(now, milliseconds.into()),
            tag: tag(milliseconds),
        }))
    }

    fn wait(&self, timeout: Duration) -> Result<()> {
        let servers = &self.locks.servers;
        servers.watch(|watch| watch.wait(&self.lock, timeout, self.locks.sleep))
    }

    fn renew(&self, lease: &mut Lease) -> Result<bool> {
        let now = self.locks.host.now();
        let milliseconds = tagged_milliseconds(lease);
        let (token, length) = (token(lease), milliseconds.to_string());
        let call = RENEW.call(&self.keys(), &[token.as_bytes(), length.as_bytes()]);
        let servers = &self.locks.servers;
        let held = servers.write(|on| RENEW.run(on, &call))? == 1;
        if held {
            lease.expires = passes(now, milliseconds);
        }
        Ok(held)
    }

    fn release(&self, lease: Lease) -> Result<()> {
        let token = token(&lease);
        self.give_up(&token).inspect_err(|_| {
            self.locks.can_release.store(false, Ordering::Relaxed);
            if !token.is_empty() {
                let length = Duration::from_millis(tagged_milliseconds(&lease));
                self.locks.doubtful.add(&self.lock, token.clone(), length);
            }
        })
    }

    fn is_locked(&self) -> Result<bool> {
        let mut command = redis::cmd("EXISTS");
        command.arg(&self.lock);
        self.locks.servers.write(|on| match on.call(&command)? {
            Value::Int(count) => Ok(count > 0),
            _ => Err(Failure::Nonsense),
        })
    }
}

/// When a lease of so many milliseconds passes that was asked for at `now`; the server begins it later, if at all.
fn passes(now: u64, lease: u64) -> u64 {
    now.saturating_add(lease * 1_000_000)
}
