use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use dogpile_plugin_api::{Lease, Mutex, Result};
use parking_lot::Mutex as Shared;

use crate::command::{Command, Reply};
use crate::keys;
use crate::locks::Locks;
use crate::pace::{Pace, Seen};
use crate::token::{self, Held};
use crate::ttl;

/// The creation lock of a key.
pub(crate) struct KeyMutex {
    locks: Arc<Locks>,
    key: String,
    /// How often a waiter looks.
    pace: Shared<Pace>,
}

impl KeyMutex {
    pub(crate) fn new(locks: Arc<Locks>, key: &str) -> Self {
        Self {
            locks,
            key: key.to_owned(),
            pace: Shared::default(),
        }
    }

    /// Who holds it, and the number of the value, if that is told; `None`: it is free.
    fn look(&self, name: &str) -> Result<Option<Seen>> {
        let call = self.locks.servers.call();
        let (lock, value) = (Command::Get(name), Command::Look(&self.key));
        let homes = call.homes(name);
        let mut asked: Vec<_> = homes.iter().map(|at| (*at, &lock)).collect();
        if self.locks.can_look {
            asked.extend(call.homes(&self.key).first().map(|at| (*at, &value)));
        }
        let mut answers = call.ask_at(&asked);
        let of_value = answers.split_off(homes.len()).pop();
        let (mut answered, mut failed) = (false, None);
        for (at, answer) in homes.into_iter().zip(answers) {
            match answer {
                Ok(Ok(Reply::Found(item))) => {
                    let value = match of_value {
                        Some(Ok(Ok(Reply::Found(item)))) => Some(item.cas),
                        _ => None,
                    };
                    let holder = match Held::by(&item) {
                        Some(held) => held.token.to_vec(),
                        // Whoever it is does not renew it.
                        None => item.cas.to_be_bytes().to_vec(),
                    };
                    return Ok(Some(Seen { holder, value }));
                }
                Ok(Ok(_)) => answered = true,
                Ok(Err(refusal)) => failed = Some(call.refused(at, &refusal)),
                Err(failure) => failed = Some(call.failed(at, &failure)),
            }
        }
        match failed {
            Some(error) if !answered => Err(error),
            _ if answered => Ok(None),
            _ => Err(call.none_is_up()),
        }
    }
}

impl Mutex for KeyMutex {
    fn try_acquire(&self, lease: Duration) -> Result<Option<Lease>> {
        let name = keys::lock(&self.key)?;
        let call = self.locks.servers.call();
        self.locks.give_up_doubtful(&call, &name)?;
        let token = token::new()?;
        let now = self.locks.host.now();
        let (ttl, lasts) = ttl::lease(lease);
        let is_taken = self.locks.take(&call, &name, &token::text(&token), ttl)?;
        let tag = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        Ok(is_taken.then(|| Lease::new(token, passes(now, lasts)).tagged(tag)))
    }

    fn wait(&self, timeout: Duration) -> Result<()> {
        let name = keys::lock(&self.key)?;
        let end = Instant::now() + timeout;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let pause = self.pace.lock().next();
            thread::sleep(pause.min(left));
            if pause >= left {
                return Ok(());
            }
            let Some(seen) = self.look(&name)? else {
                *self.pace.lock() = Pace::default();
                return Ok(());
            };
            self.pace.lock().saw(seen);
        }
    }

    fn renew(&self, lease: &mut Lease) -> Result<bool> {
        let name = keys::lock(&self.key)?;
        let token = token::text(&lease.token);
        let call = self.locks.servers.call();
        let now = self.locks.host.now();
        let (ttl, lasts) = ttl::lease(Duration::from_millis(lease.tag));
        let is_held = !token.is_empty() && self.locks.renew(&call, &name, &token, ttl)?;
        if is_held {
            lease.expires = passes(now, lasts);
        }
        Ok(is_held)
    }

    fn release(&self, lease: Lease) -> Result<()> {
        let name = keys::lock(&self.key)?;
        let call = self.locks.servers.call();
        let (ttl, _) = ttl::lease(Duration::from_millis(lease.tag));
        self.locks
            .release(&call, &name, &token::text(&lease.token), ttl)
    }

    fn is_locked(&self) -> Result<bool> {
        let seen = self.look(&keys::lock(&self.key)?)?;
        Ok(seen.is_some())
    }
}

/// When a lease of that length passes that was asked for at `now`; the server begins it later, if at all.
fn passes(now: u64, lasts: Duration) -> u64 {
    now.saturating_add(u64::try_from(lasts.as_nanos()).unwrap_or(u64::MAX))
}
