use std::borrow::Cow;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use dogpile_net::doubtful::Doubtful;
use dogpile_plugin_api::{Error, HostContext, Lease, Mutex, Result};
use parking_lot::Mutex as Shared;

use crate::command::{Command, Item, Reply, Store, When};
use crate::keys;
use crate::pace::Pace;
use crate::placement::Placement;
use crate::servers::{Call, Servers};
use crate::token::{self, Held, MARK};
use crate::ttl;

/// The creation locks: one for each key, which all processes respect, Python's too.
pub(crate) struct Locks {
    pub(crate) servers: Arc<Servers>,
    pub(crate) host: HostContext,
    /// The flag of bytes.
    pub(crate) flags: u32,
    /// Whether a server tells what a key has become without sending its value.
    pub(crate) can_look: bool,
    /// Tokens that may have a lock, and are nobody's.
    pub(crate) doubtful: Doubtful,
}

/// The creation lock of a key.
pub(crate) struct KeyMutex {
    locks: Arc<Locks>,
    key: String,
    /// How often a waiter looks.
    pace: Shared<Pace>,
}

/// What is known of a lock, by the servers that it is on.
pub(crate) struct Found {
    /// Each server that answered, and what it has.
    pub(crate) on: Vec<(usize, Option<Item>)>,
}

/// What came of several commands.
#[derive(Default)]
struct Did {
    /// At least one was done.
    something: bool,
    /// At least one was not done since something else is there than was.
    saw_changes: bool,
    failed: Option<Error>,
}

/// How a lock stands to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The token has it.
    Held,
    /// The token has it, and the value was deleted since it was taken.
    Deleted,
    /// The token does not have it.
    Lost,
}

impl Found {
    /// Where several servers have it, one is enough, unless another is somebody else's.
    pub(crate) fn standing(&self, token: &str) -> Standing {
        let mut standing = Standing::Lost;
        for item in self.on.iter().filter_map(|(_, item)| item.as_ref()) {
            match Held::by(item) {
                Some(held) if held.token == token.as_bytes() => {
                    if held.is_marked || standing == Standing::Deleted {
                        standing = Standing::Deleted;
                    } else {
                        standing = Standing::Held;
                    }
                }
                _ => return Standing::Lost,
            }
        }
        standing
    }

    /// Where the token has it, and the numbers by which to change it there.
    fn of<'f>(&'f self, token: &'f str) -> impl Iterator<Item = (usize, &'f Item)> {
        self.on.iter().filter_map(move |(at, item)| {
            let item = item.as_ref()?;
            let held = Held::by(item)?;
            (held.token == token.as_bytes()).then_some((*at, item))
        })
    }
}

impl Locks {
    /// What is known of a lock. An error if no server answers that it may be on.
    pub(crate) fn find(&self, call: &Call<'_>, name: &str) -> Result<Found> {
        let names = [name];
        let mut found = self.find_all(call, &names)?;
        found.pop().ok_or_else(|| call.none_is_up())
    }

    /// As `find`, of many.
    pub(crate) fn find_all(&self, call: &Call<'_>, names: &[&str]) -> Result<Vec<Found>> {
        let commands: Vec<_> = names.iter().map(|name| Command::Get(name)).collect();
        let homes: Vec<_> = names.iter().map(|name| call.homes(name)).collect();
        let asked: Vec<_> = commands
            .iter()
            .zip(&homes)
            .flat_map(|(command, homes)| homes.iter().map(move |at| (*at, command)))
            .collect();
        let mut answers = asked.iter().zip(call.ask_at(&asked));
        let mut all = Vec::with_capacity(names.len());
        for homes in &homes {
            let (mut on, mut failed) = (Vec::new(), None);
            for ((at, _), answer) in answers.by_ref().take(homes.len()) {
                match answer {
                    Ok(Ok(Reply::Found(item))) => on.push((*at, Some(item))),
                    Ok(Ok(_)) => on.push((*at, None)),
                    Ok(Err(refusal)) => failed = Some(call.refused(*at, &refusal)),
                    Err(failure) => failed = Some(call.failed(*at, &failure)),
                }
            }
            if on.is_empty() {
                return Err(failed.unwrap_or_else(|| call.none_is_up()));
            }
            all.push(Found { on });
        }
        Ok(all)
    }

    /// Marks the locks of these keys that anybody holds: what is being created under them is not stored.
    pub(crate) fn note_deletions(&self, call: &Call<'_>, keys: &[&str]) -> Result<()> {
        // What has no room for a lock's name is locked by nobody.
        let names: Vec<String> = keys.iter().filter_map(|key| keys::lock(key).ok()).collect();
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        while !names.is_empty() {
            let found = self.find_all(call, &names)?;
            let mut marked = Vec::new();
            for (name, found) in names.iter().zip(&found) {
                for (at, item) in &found.on {
                    let item = item.as_ref();
                    let unmarked =
                        item.filter(|item| Held::by(item).is_some_and(|held| !held.is_marked));
                    if let Some(Item { cas, .. }) = unmarked {
                        let (key, bytes, cas) = (*name, MARK, *cas);
                        marked.push((*at, Command::Append { key, bytes, cas }));
                    }
                }
            }
            let asked: Vec<_> = marked.iter().map(|(at, command)| (*at, command)).collect();
            let answers = call.ask_at(&asked);
            let mut again = Vec::new();
            for ((at, command), answer) in asked.into_iter().zip(answers) {
                match answer {
                    // Renewed, or marked by another: to be looked at again.
                    Ok(Ok(Reply::Present)) => again.push(command.key().to_owned()),
                    Ok(Ok(_)) => {}
                    Ok(Err(refusal)) => return Err(call.refused(at, &refusal)),
                    Err(failure) => return Err(call.failed(at, &failure)),
                }
            }
            names.retain(|name| again.iter().any(|again| again == name));
            if !names.is_empty() && !call.has_time() {
                return Err(Error::unavailable(
                    "a lock is changed all the time, and cannot be marked",
                ));
            }
        }
        Ok(())
    }

    /// Gives a lock up where the token has it.
    fn give_up(&self, call: &Call<'_>, name: &str, token: &str) -> Result<()> {
        while !token.is_empty() {
            let found = self.find(call, name)?;
            let deletions: Vec<_> = found
                .of(token)
                .map(|(at, item)| {
                    let cas = Some(item.cas);
                    (at, Command::Delete { key: name, cas })
                })
                .collect();
            let did = self.do_all(call, &deletions);
            match did.failed {
                Some(error) => return Err(error),
                None if did.saw_changes => {}
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Tries all of it.
    fn do_all(&self, call: &Call<'_>, commands: &[(usize, Command<'_>)]) -> Did {
        let asked: Vec<_> = commands
            .iter()
            .map(|(at, command)| (*at, command))
            .collect();
        let mut did = Did::default();
        for ((at, _), answer) in asked.iter().zip(call.ask_at(&asked)) {
            match answer {
                Ok(Ok(Reply::Done(_))) => did.something = true,
                Ok(Ok(reply)) => did.saw_changes |= reply == Reply::Present,
                Ok(Err(refusal)) => did.failed = Some(call.refused(*at, &refusal)),
                Err(failure) => did.failed = Some(call.failed(*at, &failure)),
            }
        }
        if did.saw_changes && !call.has_time() {
            did.failed = Some(Error::unavailable("a lock is changed all the time"));
        }
        did
    }

    /// Begins a lease anew wherever the lock is; on a server that lost it, it is taken again. False if it is lost.
    fn renew(&self, call: &Call<'_>, name: &str, token: &str, ttl: u32) -> Result<bool> {
        loop {
            let found = self.find(call, name)?;
            if found.standing(token) == Standing::Lost {
                return Ok(false);
            }
            let bytes = found.of(token).map(|(_, item)| &item.bytes).max();
            let bytes = bytes.map_or(&[][..], |bytes| bytes);
            let stores: Vec<_> = found
                .on
                .iter()
                .map(|(at, item)| {
                    let when = item
                        .as_ref()
                        .map_or(When::Absent, |item| When::Unchanged(item.cas));
                    (*at, self.store(name, bytes, ttl, when))
                })
                .collect();
            let did = self.do_all(call, &stores);
            match did.failed {
                // A deletion was noted, or it has passed: to be looked at again.
                None if did.saw_changes => {}
                None => return Ok(did.something),
                Some(_) if did.something && !did.saw_changes => return Ok(true),
                Some(error) => return Err(error),
            }
        }
    }

    fn store<'a>(&self, name: &'a str, bytes: &'a [u8], ttl: u32, when: When) -> Command<'a> {
        Command::Store(Store {
            key: name,
            bytes: Cow::Borrowed(bytes),
            flags: self.flags,
            ttl,
            when,
        })
    }

    /// Takes a lock on all servers that are up, of which the first one decides.
    fn take_everywhere(&self, call: &Call<'_>, name: &str, token: &str, ttl: u32) -> Result<bool> {
        let command = self.store(name, token.as_bytes(), ttl, When::Absent);
        let mut homes = call.homes(name).into_iter();
        let mut failed = None;
        loop {
            let Some(at) = homes.next() else {
                return Err(failed.unwrap_or_else(|| call.none_is_up()));
            };
            match call.ask_at(&[(at, &command)]).pop() {
                Some(Ok(Ok(Reply::Done(_)))) => break,
                Some(Ok(Ok(_))) => return Ok(false),
                Some(Ok(Err(refusal))) => failed = Some(call.refused(at, &refusal)),
                Some(Err(failure)) => {
                    if failure.leaves_doubt() {
                        self.doubt(name, token, ttl);
                    }
                    failed = Some(call.failed(at, &failure));
                }
                None => {}
            }
        }
        let asked: Vec<_> = homes.map(|at| (at, &command)).collect();
        let answers = call.ask_at(&asked);
        if answers
            .iter()
            .any(|answer| matches!(answer, Ok(Ok(Reply::Present))))
        {
            // Somebody took it there while that server was the first.
            self.give_up(call, name, token)?;
            return Ok(false);
        }
        Ok(true)
    }

    fn take(&self, call: &Call<'_>, name: &str, token: &str, ttl: u32) -> Result<bool> {
        if let Placement::All(_) = self.servers.placement {
            return self.take_everywhere(call, name, token, ttl);
        }
        let command = self.store(name, token.as_bytes(), ttl, When::Absent);
        let Some(result) = call.ask(&[command]).pop() else {
            return Err(call.none_is_up());
        };
        match result {
            Ok(Ok(reply)) => Ok(matches!(reply, Reply::Done(_))),
            Ok(Err(refusal)) => Err(match call.homes(name).first() {
                Some(at) => call.refused(*at, &refusal),
                None => call.none_is_up(),
            }),
            Err(trouble) => {
                if trouble.leaves_doubt {
                    self.doubt(name, token, ttl);
                }
                Err(trouble.error)
            }
        }
    }

    fn doubt(&self, name: &str, token: &str, ttl: u32) {
        let lease = Duration::from_secs(ttl.into());
        self.doubtful.add(name, token.to_owned(), lease);
    }

    /// Gives the lock up if a call took it whose reply did not come: nobody holds it then.
    fn give_up_doubtful(&self, call: &Call<'_>, name: &str) -> Result<()> {
        while let Some(token) = self.doubtful.first(name) {
            self.give_up(call, name, &token)?;
            self.doubtful.remove(name, &token);
        }
        Ok(())
    }
}

impl KeyMutex {
    pub(crate) fn new(locks: Arc<Locks>, key: &str) -> Self {
        Self {
            locks,
            key: key.to_owned(),
            pace: Shared::default(),
        }
    }

    /// Whether it is free; and the number of the value, if that is told.
    fn look(&self, name: &str) -> Result<(bool, Option<u64>)> {
        let call = self.locks.servers.call();
        let (lock, value) = (Command::Look(name), Command::Look(&self.key));
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
                Ok(Ok(Reply::Found(_))) => {
                    let number = match of_value {
                        Some(Ok(Ok(Reply::Found(item)))) => Some(item.cas),
                        _ => None,
                    };
                    return Ok((false, number));
                }
                Ok(Ok(_)) => answered = true,
                Ok(Err(refusal)) => failed = Some(call.refused(at, &refusal)),
                Err(failure) => failed = Some(call.failed(at, &failure)),
            }
        }
        match failed {
            Some(error) if !answered => Err(error),
            _ if answered => Ok((true, None)),
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
        let (ttl, lasts) = ttl::lease(lease, now);
        let taken = self.locks.take(&call, &name, &token::text(&token), ttl)?;
        Ok(taken.then(|| Lease {
            token,
            expires: passes(now, lasts),
            tag: u64::try_from(lease.as_millis()).unwrap_or(u64::MAX),
        }))
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
            let (is_free, value) = self.look(&name)?;
            if is_free {
                *self.pace.lock() = Pace::default();
                return Ok(());
            }
            self.pace.lock().saw(value);
        }
    }

    fn renew(&self, lease: &mut Lease) -> Result<bool> {
        let name = keys::lock(&self.key)?;
        let token = token::text(&lease.token);
        let call = self.locks.servers.call();
        let now = self.locks.host.now();
        let (ttl, lasts) = ttl::lease(Duration::from_millis(lease.tag), now);
        let is_held = !token.is_empty() && self.locks.renew(&call, &name, &token, ttl)?;
        if is_held {
            lease.expires = passes(now, lasts);
        }
        Ok(is_held)
    }

    fn release(&self, lease: Lease) -> Result<()> {
        let name = keys::lock(&self.key)?;
        let call = self.locks.servers.call();
        self.locks.give_up(&call, &name, &token::text(&lease.token))
    }

    fn is_locked(&self) -> Result<bool> {
        let (is_free, _) = self.look(&keys::lock(&self.key)?)?;
        Ok(!is_free)
    }
}

/// When a lease of that length passes that was asked for at `now`; the server begins it later, if at all.
fn passes(now: u64, lasts: Duration) -> u64 {
    now.saturating_add(u64::try_from(lasts.as_nanos()).unwrap_or(u64::MAX))
}
