//! Commands for several servers, which are asked at once.

use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use crate::command::{Command, Outcome};
use crate::failure::{Answer, Failure};
use crate::server::{InCall, Sent};

/// What a command came to: a failure is that of all commands for that server.
pub(crate) type Result = std::result::Result<Outcome, Rc<Failure>>;

/// How often, and after what pause, something is tried again that may succeed then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retries {
    pub(crate) attempts: u32,
    pub(crate) pause: Duration,
}

/// How long servers are asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) retries: Retries,
    pub(crate) deadline: Instant,
    /// A server that is asked for less is not blamed for its silence.
    pub(crate) share: Duration,
}

/// So many commands, and bytes of keys that are read, are sent before replies are read: a server that waits for us to
/// read must not wait while we wait for it to read.
const COMMANDS: usize = 500;
const KEYS: usize = 32 * 1024;

/// One that is late keeps no reply of another that is there from being read.
const GRACE: Duration = Duration::from_millis(5);

/// The commands for a server.
struct Part<'c> {
    server: &'c InCall<'c>,
    /// Where they are among all.
    places: Vec<usize>,
    commands: Vec<&'c Command<'c>>,
    outcomes: Vec<Outcome>,
    failure: Option<Failure>,
}

/// Asks all of them, each of the server with that number, and gives what they came to in their order. Each server is
/// asked for everything at once. Blocks until the deadline at most.
pub(crate) fn exchange(
    servers: &[InCall<'_>],
    asked: &[(usize, &Command<'_>)],
    terms: Terms,
) -> Vec<Result> {
    let began = Instant::now();
    let mut parts: Vec<Part> = Vec::new();
    for (number, server) in servers.iter().enumerate() {
        let of_server = asked
            .iter()
            .enumerate()
            .filter(|(_, (at, _))| *at == number);
        let (places, commands): (Vec<_>, Vec<_>) = of_server
            .map(|(place, (_, command))| (place, *command))
            .unzip();
        if !places.is_empty() {
            parts.push(Part {
                server,
                outcomes: Vec::with_capacity(commands.len()),
                places,
                commands,
                failure: None,
            });
        }
    }
    while parts.iter().any(|part| !part.next().is_empty()) {
        let sent: Vec<_> = parts.iter().map(|part| part.send(terms.deadline)).collect();
        let received: Vec<_> = parts
            .iter()
            .zip(sent)
            .map(|(part, sent)| sent.map(|sent| part.receive(sent, terms)))
            .collect();
        // No connection is held any more: who waits for one with another in hand keeps those waiting who have it.
        for (part, received) in parts.iter_mut().zip(received) {
            match received.map(|received| part.again(received, terms)) {
                Some(Ok(outcomes)) => part.outcomes.extend(outcomes),
                Some(Err(failure)) => {
                    part.failure = Some(failure.after(began.elapsed(), terms.share));
                }
                None => {}
            }
        }
    }
    let mut results: Vec<Option<Result>> = asked.iter().map(|_| None).collect();
    for part in parts {
        part.server.heard(part.failure.as_ref());
        let failure = part.failure.map(Rc::new);
        let mut outcomes = part.outcomes.into_iter();
        for place in part.places {
            results[place] = match (outcomes.next(), &failure) {
                (Some(outcome), _) => Some(Ok(outcome)),
                (None, Some(failure)) => Some(Err(Rc::clone(failure))),
                (None, None) => None,
            };
        }
    }
    let nonsense = || Err(Rc::new(Failure::Nonsense));
    results
        .into_iter()
        .map(|result| result.unwrap_or_else(nonsense))
        .collect()
}

impl<'c> Part<'c> {
    /// What to send next.
    fn next(&self) -> &[&'c Command<'c>] {
        if self.failure.is_some() {
            return &[];
        }
        let left = &self.commands[self.outcomes.len()..];
        let mut keys = 0;
        let fits = |command: &&&Command| {
            keys += if command.is_read() {
                command.key().len()
            } else {
                0
            };
            keys <= KEYS
        };
        let count = left.iter().take(COMMANDS).take_while(fits).count();
        &left[..count.max(1).min(left.len())]
    }

    fn send(&self, deadline: Instant) -> Option<Answer<Sent<'_>>> {
        let commands = self.next();
        (!commands.is_empty()).then(|| {
            if Instant::now() >= deadline {
                return Err(Failure::NoTime);
            }
            self.server.send(commands, deadline)
        })
    }

    fn receive(&self, sent: Answer<Sent<'_>>, terms: Terms) -> Answer<Vec<Outcome>> {
        let began = Instant::now();
        let received = sent?.receive(self.next(), terms.deadline.max(began + GRACE));
        // Others were read before: it was not read while it waited for that.
        received.map_err(|failure| failure.after_reading(began.elapsed(), terms.share))
    }

    /// Tries again what may succeed then.
    fn again(&self, mut received: Answer<Vec<Outcome>>, terms: Terms) -> Answer<Vec<Outcome>> {
        let Terms {
            retries, deadline, ..
        } = terms;
        let commands = self.next();
        for _ in 0..retries.attempts {
            let again = received.as_ref().is_err_and(|failure| {
                failure.is_passing()
                    && (matches!(failure, Failure::Connect(_))
                        || commands.iter().all(|command| command.is_repeatable()))
            });
            if !again || Instant::now() + retries.pause >= deadline {
                break;
            }
            self.server.live().drop_ended();
            if !retries.pause.is_zero() {
                thread::sleep(retries.pause);
            }
            let sent = self.server.send(commands, deadline);
            received = self.receive(sent, terms);
        }
        received
    }
}
