use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use dogpile_net::doubtful::Doubtful;
use dogpile_plugin_api::{Error, HostContext, Result};

use crate::command::{Command, Refusal, Reply, Store, When};
use crate::found::{Standing, find};
use crate::placement::Placement;
use crate::servers::{Call, Servers};

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

/// What came of several commands.
#[derive(Default)]
struct Did {
    /// At least one was done.
    something: bool,
    /// At least one was not done since something else is there than was.
    saw_changes: bool,
    failed: Option<Error>,
}

impl Locks {
    /// Begins a lease anew wherever the lock is; on a server that lost it, it is taken again. False if it is lost.
    pub(crate) fn renew(&self, call: &Call<'_>, name: &str, token: &str, ttl: u32) -> Result<bool> {
        loop {
            let found = find(call, name)?;
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
            let did = do_all(call, &stores);
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

    /// Takes a lock on all servers that are up, of which the first one decides. `is_doubtful`: it may have been taken where
    /// that was not told.
    fn take_everywhere(
        call: &Call<'_>,
        command: &Command<'_>,
        token: &str,
        is_doubtful: &mut bool,
    ) -> Result<bool> {
        let name = command.key();
        let mut homes = call.homes(name).into_iter();
        let mut failed = None;
        loop {
            let Some(at) = homes.next() else {
                return Err(failed.unwrap_or_else(|| call.none_is_up()));
            };
            match call.ask_at(&[(at, command)]).pop() {
                Some(Ok(Ok(Reply::Done(0)))) => return Err(unnumbered(call, at, name, token)),
                Some(Ok(Ok(Reply::Done(_)))) => break,
                Some(Ok(Ok(_))) => return Ok(false),
                Some(Ok(Err(refusal))) => failed = Some(call.refused(at, &refusal)),
                Some(Err(failure)) => {
                    *is_doubtful |= failure.leaves_doubt();
                    failed = Some(call.failed(at, &failure));
                }
                None => {}
            }
        }
        let asked: Vec<_> = homes.map(|at| (at, command)).collect();
        let mut refusing = Vec::new();
        for ((at, _), answer) in asked.iter().zip(call.ask_at(&asked)) {
            match answer {
                Ok(Ok(Reply::Present)) => refusing.push(*at),
                Ok(_) => {}
                Err(failure) => *is_doubtful |= failure.leaves_doubt(),
            }
        }
        if refusing.is_empty() {
            return Ok(true);
        }
        // Somebody took it there while that server was the first, or it is a server that has been asked already.
        let outcome = find(call, name).and_then(|found| {
            let mut ours = found.of(token).map(|(at, _)| at);
            let twin = ours.find(|at| refusing.contains(at));
            give_up(call, name, token)?;
            twin.map_or(Ok(false), |at| Err(call.refused(at, &Refusal::Twin)))
        });
        *is_doubtful |= outcome.is_err();
        outcome
    }

    pub(crate) fn take(&self, call: &Call<'_>, name: &str, token: &str, ttl: u32) -> Result<bool> {
        let command = self.store(name, token.as_bytes(), ttl, When::Absent);
        let mut is_doubtful = false;
        let outcome = match self.servers.placement {
            Placement::All(_) => Self::take_everywhere(call, &command, token, &mut is_doubtful),
            _ => match call.ask(&[command]).pop() {
                Some(Ok((at, Ok(Reply::Done(0))))) => Err(unnumbered(call, at, name, token)),
                Some(Ok((_, Ok(reply)))) => Ok(matches!(reply, Reply::Done(_))),
                Some(Ok((at, Err(refusal)))) => Err(call.refused(at, &refusal)),
                Some(Err(trouble)) => {
                    is_doubtful = trouble.leaves_doubt;
                    Err(trouble.error)
                }
                None => Err(call.none_is_up()),
            },
        };
        // Who has it, has it wherever it was taken.
        if is_doubtful && !matches!(outcome, Ok(true)) {
            self.doubt(name, token, ttl);
        }
        outcome
    }

    /// Gives the lock up that the token had. If that fails, it is tried again before the lock is taken the next time.
    pub(crate) fn release(&self, call: &Call<'_>, name: &str, token: &str, ttl: u32) -> Result<()> {
        let released = give_up(call, name, token);
        if released.is_err() {
            self.doubt(name, token, ttl);
        }
        released
    }

    fn doubt(&self, name: &str, token: &str, ttl: u32) {
        let lease = Duration::from_secs(ttl.into());
        self.doubtful.add(name, token.to_owned(), lease);
    }

    /// Gives the lock up if a call took it, or gave it up, whose reply did not come: nobody holds it then.
    pub(crate) fn give_up_doubtful(&self, call: &Call<'_>, name: &str) -> Result<()> {
        while let Some(token) = self.doubtful.first(name) {
            give_up(call, name, &token)?;
            self.doubtful.remove(name, &token);
        }
        Ok(())
    }
}

/// Gives up what was taken where a lock that is somebody else's by then cannot be told from one's own: a server with `-C`
/// gives what it stores no numbers. The error that says so.
fn unnumbered(call: &Call<'_>, at: usize, name: &str, token: &str) -> Error {
    let error = give_up(call, name, token).err();
    error.unwrap_or_else(|| call.refused(at, &Refusal::Unnumbered))
}

/// Tries all of it.
fn do_all(call: &Call<'_>, commands: &[(usize, Command<'_>)]) -> Did {
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

/// Gives a lock up where the token has it.
fn give_up(call: &Call<'_>, name: &str, token: &str) -> Result<()> {
    while !token.is_empty() {
        let found = find(call, name)?;
        let deletions: Vec<_> = found
            .of(token)
            .map(|(at, item)| {
                let cas = Some(item.cas);
                (at, Command::Delete { key: name, cas })
            })
            .collect();
        let did = do_all(call, &deletions);
        if !did.saw_changes {
            // It stays on servers that are down, where it would be taken for another's when they are back.
            let told: Vec<usize> = found.on.iter().map(|(at, _)| *at).collect();
            call.missed_by_copies(name, &told);
        }
        match did.failed {
            Some(error) => return Err(error),
            None if did.saw_changes => {}
            None => return Ok(()),
        }
    }
    Ok(())
}
