use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use dogpile_plugin_api::{Error, ErrorKind, Result};

use crate::command::{Command, Item, Outcome, Refusal, Reply};
use crate::exchange::{self, Retries, Terms, exchange};
use crate::failure::Failure;
use crate::placement::Placement;
use crate::server::{InCall, Server};

/// The servers, and which keys are where.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) all: Vec<Server>,
    pub(crate) placement: Placement,
    pub(crate) timeout: Duration,
    pub(crate) retries: Retries,
}

/// A call of the backend's: what is asked within it ends by one deadline, and what failed once within it is not asked
/// again.
pub(crate) struct Call<'s> {
    servers: &'s Servers,
    all: Vec<InCall<'s>>,
    deadline: Instant,
    /// By server, whether it is asked; unknown until it matters.
    states: RefCell<Vec<Option<State>>>,
}

type State = std::result::Result<(), Rc<Failure>>;

/// What became of a command: where it was done, and with which outcome.
pub(crate) type Asked = std::result::Result<(usize, Outcome), Trouble>;

/// Why something was not done.
pub(crate) struct Trouble {
    pub(crate) error: Error,
    /// Whether it may have been done nevertheless.
    pub(crate) leaves_doubt: bool,
}

impl Servers {
    pub(crate) fn call(&self) -> Call<'_> {
        Call {
            servers: self,
            all: self.all.iter().map(InCall::new).collect(),
            deadline: Instant::now() + self.timeout,
            states: RefCell::new(self.all.iter().map(|_| None).collect()),
        }
    }

    /// Whether any of them answers. All are asked, also those that are left alone otherwise.
    pub(crate) fn ping(&self) -> Result<()> {
        let call = self.call();
        let asked: Vec<_> = (0..self.all.len()).map(|at| (at, &Command::Ping)).collect();
        let results = exchange(&call.all, &asked, call.terms(call.deadline));
        let mut failed = None;
        for (at, result) in results.into_iter().enumerate() {
            match result {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(refusal)) => failed = Some(call.refused(at, &refusal)),
                Err(failure) => failed = Some(call.failed(at, &failure)),
            }
        }
        Err(failed.unwrap_or_else(|| Error::unavailable("there is no server")))
    }

    pub(crate) fn close(&self) {
        self.all.iter().for_each(Server::close);
    }
}

impl Call<'_> {
    /// Whether there is time for more.
    pub(crate) fn has_time(&self) -> bool {
        Instant::now() < self.deadline
    }

    /// Where something of that name is read and stored: one server, or all that are up. None where no server is up that
    /// might have it.
    pub(crate) fn homes(&self, name: &str) -> Vec<usize> {
        match &self.servers.placement {
            Placement::All(servers) => (0..*servers).filter(|at| self.is_up(*at)).collect(),
            placement => placement
                .of(name, |at| self.is_up(at))
                .into_iter()
                .collect(),
        }
    }

    fn is_up(&self, at: usize) -> bool {
        self.state(at).is_ok()
    }

    fn state(&self, at: usize) -> State {
        if let Some(state) = &self.states.borrow()[at] {
            return state.clone();
        }
        let asked = self.all[at].may_be_asked().map_err(Rc::new);
        let state = asked.and_then(|()| self.make_up(at));
        self.states.borrow_mut()[at] = Some(state.clone());
        state
    }

    /// Deletes what a server has of keys whose changes it missed. Blocks while another call does.
    fn make_up(&self, at: usize) -> State {
        let live = self.all[at].live();
        if !live.missed.is_any() {
            return Ok(());
        }
        let turn = live.missed.turn(self.deadline).ok_or(Failure::NoTime)?;
        let keys = turn.take();
        let deletions = keys.iter().map(|key| Command::Delete { key, cas: None });
        let deletions: Vec<_> = deletions.collect();
        let asked: Vec<_> = deletions.iter().map(|deletion| (at, deletion)).collect();
        let answers = exchange(&self.all, &asked, self.terms(self.deadline));
        let mut made_up = Ok(());
        for (key, answer) in keys.iter().zip(answers) {
            // Those that are done need not be done again: there may be more of them than there is time for in one call.
            if let Err(failure) = answer {
                live.missed.add(key);
                made_up = Err(failure);
            }
        }
        turn.end();
        made_up
    }

    /// The servers that have that key too, or would if they were not down, and were not told of a change, will be.
    pub(crate) fn missed_elsewhere(&self, key: &str, told: &[usize]) {
        let servers = match &self.servers.placement {
            Placement::All(servers) => 0..*servers,
            placement => match placement.of(key, |_| true) {
                Some(at) => at..at + 1,
                None => return,
            },
        };
        for at in servers.filter(|at| !told.contains(at)) {
            self.missed(at, key);
        }
    }

    /// Servers that have a copy of a lock, and were not told that it is given up, will be. Others' locks there go too, but
    /// on no other server, and one copy is enough.
    pub(crate) fn missed_by_copies(&self, name: &str, told: &[usize]) {
        if let Placement::All(_) = self.servers.placement {
            self.missed_elsewhere(name, told);
        }
    }

    /// What a server has under that key is to be deleted before it is asked the next time.
    pub(crate) fn missed(&self, at: usize, key: &str) {
        self.all[at].live().missed.add(key);
    }

    fn terms(&self, deadline: Instant) -> Terms {
        let servers = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        Terms {
            retries: self.servers.retries,
            deadline,
            share: self.servers.timeout / servers.max(2) / 2,
        }
    }

    /// Until when to wait for a server in whose place others can be asked, so many of which are left.
    fn part(&self, others: usize) -> Instant {
        let now = Instant::now();
        let parts = u32::try_from(others).unwrap_or(u32::MAX).saturating_add(1);
        now + self.deadline.saturating_duration_since(now) / parts
    }

    /// Asks each of the server beside it.
    pub(crate) fn ask_at(&self, asked: &[(usize, &Command<'_>)]) -> Vec<exchange::Result> {
        self.ask_until(asked, self.deadline)
    }

    fn ask_until(
        &self,
        asked: &[(usize, &Command<'_>)],
        deadline: Instant,
    ) -> Vec<exchange::Result> {
        let states: Vec<State> = asked.iter().map(|(at, _)| self.state(*at)).collect();
        let up: Vec<_> = asked
            .iter()
            .zip(&states)
            .filter(|(_, state)| state.is_ok())
            .map(|(asked, _)| *asked)
            .collect();
        let results = exchange(&self.all, &up, self.terms(deadline));
        let mut known = self.states.borrow_mut();
        for ((at, _), result) in up.iter().zip(&results) {
            if let Err(failure) = result
                && failure.is_about_server()
            {
                known[*at] = Some(Err(Rc::clone(failure)));
            }
        }
        let mut results = results.into_iter();
        let nonsense = || Err(Rc::new(Failure::Nonsense));
        states
            .into_iter()
            .map(|state| match state {
                Ok(()) => results.next().unwrap_or_else(nonsense),
                Err(failure) => Err(failure),
            })
            .collect()
    }

    /// Asks each of the one server where its key is. Where that fails, and keys move then, it asks the next.
    pub(crate) fn ask(&self, commands: &[Command<'_>]) -> Vec<Asked> {
        let placement = &self.servers.placement;
        let mut results: Vec<Option<Asked>> = commands.iter().map(|_| None).collect();
        let mut pending: Vec<usize> = (0..commands.len()).collect();
        while !pending.is_empty() {
            let (mut asked, mut places) = (Vec::new(), Vec::new());
            for place in pending.drain(..) {
                let command = &commands[place];
                if let Some(at) = placement.of(command.key(), |at| self.is_up(at)) {
                    asked.push((at, command));
                    places.push(place);
                } else if results[place].is_none() {
                    results[place] = Some(Err(Trouble::surely(self.none_is_up())));
                }
            }
            let others = usize::from(placement.moves() && self.all.len() > 1);
            let answers = self.ask_until(&asked, self.part(others));
            for ((place, (at, _)), answer) in places.into_iter().zip(asked).zip(answers) {
                results[place] = Some(match answer {
                    Ok(outcome) => Ok((at, outcome)),
                    Err(failure) => {
                        if placement.moves() && failure.is_about_server() && self.has_time() {
                            pending.push(place);
                        }
                        Err(Trouble {
                            error: self.failed(at, &failure),
                            leaves_doubt: failure.leaves_doubt(),
                        })
                    }
                });
            }
        }
        let none = || Err(Trouble::surely(self.none_is_up()));
        let results: Vec<Asked> = results
            .into_iter()
            .map(|result| result.unwrap_or_else(none))
            .collect();
        for (command, result) in commands.iter().zip(&results) {
            match result {
                Ok((at, _)) if command.is_change() && placement.moves() => {
                    self.missed_elsewhere(command.key(), &[*at]);
                }
                Err(_) if command.is_change() => self.missed_elsewhere(command.key(), &[]),
                _ => {}
            }
        }
        results
    }

    /// What is under these keys. An error if any cannot be read.
    pub(crate) fn get(&self, keys: &[&str]) -> Result<Vec<Option<Item>>> {
        self.get_each(keys)?.into_iter().collect()
    }

    /// As `get`, of those that can be read; an error if none can.
    pub(crate) fn get_what_can_be(&self, keys: &[&str]) -> Result<Vec<Option<Item>>> {
        let items = self.get_each(keys)?;
        if items.iter().any(Result::is_ok) {
            return Ok(items.into_iter().map(Result::unwrap_or_default).collect());
        }
        items.into_iter().collect()
    }

    fn get_each(&self, keys: &[&str]) -> Result<Vec<Result<Option<Item>>>> {
        let commands: Vec<_> = keys.iter().map(|key| Command::Get(key)).collect();
        if let Placement::All(_) = self.servers.placement {
            let items = self.get_from_first(&commands)?;
            return Ok(items.into_iter().map(Ok).collect());
        }
        let items = self.ask(&commands).into_iter().map(|asked| {
            match asked.map_err(|trouble| trouble.error)? {
                (_, Ok(Reply::Found(item))) => Ok(Some(item)),
                (_, Ok(_)) => Ok(None),
                (at, Err(refusal)) => Err(self.refused(at, &refusal)),
            }
        });
        Ok(items.collect())
    }

    /// Of the first server that has them.
    fn get_from_first(&self, commands: &[Command<'_>]) -> Result<Vec<Option<Item>>> {
        let mut items: Vec<Option<Item>> = commands.iter().map(|_| None).collect();
        let mut missing: Vec<usize> = (0..commands.len()).collect();
        let (mut answered, mut failed) = (false, None);
        for at in 0..self.all.len() {
            if missing.is_empty() {
                break;
            }
            if !self.is_up(at) {
                continue;
            }
            let asked: Vec<_> = missing
                .iter()
                .map(|place| (at, &commands[*place]))
                .collect();
            let answers = self.ask_until(&asked, self.part(self.all.len() - at - 1));
            for (place, answer) in missing.clone().into_iter().zip(answers) {
                match answer {
                    Ok(Ok(Reply::Found(item))) => items[place] = Some(item),
                    Ok(Ok(_)) => answered = true,
                    Ok(Err(refusal)) => failed = Some(self.refused(at, &refusal)),
                    Err(failure) => failed = Some(self.failed(at, &failure)),
                }
            }
            missing.retain(|place| items[*place].is_none());
        }
        if missing.is_empty() || answered {
            return Ok(items);
        }
        Err(failed.unwrap_or_else(|| self.none_is_up()))
    }

    /// Does all of them, and gives the error of the first that was not done anywhere.
    pub(crate) fn change(&self, commands: &[Command<'_>]) -> Result<()> {
        if let Placement::All(_) = self.servers.placement {
            return self.change_everywhere(commands);
        }
        for result in self.ask(commands) {
            if let (at, Err(refusal)) = result.map_err(|trouble| trouble.error)? {
                return Err(self.refused(at, &refusal));
            }
        }
        Ok(())
    }

    fn change_everywhere(&self, commands: &[Command<'_>]) -> Result<()> {
        let homes = self.homes("");
        if homes.is_empty() {
            return Err(self.none_is_up());
        }
        let asked: Vec<_> = commands
            .iter()
            .flat_map(|command| homes.iter().map(move |at| (*at, command)))
            .collect();
        let answers = self.ask_at(&asked);
        let mut failed = None;
        for (command, answers) in commands.iter().zip(answers.chunks(homes.len())) {
            let (mut told, mut done, mut error) = (Vec::new(), false, None);
            for (at, answer) in homes.iter().zip(answers) {
                match answer {
                    Ok(outcome) => {
                        told.push(*at);
                        match outcome {
                            Ok(_) => done = true,
                            Err(refusal) => error = Some(self.refused(*at, refusal)),
                        }
                    }
                    Err(failure) => {
                        error.get_or_insert_with(|| self.failed(*at, failure));
                    }
                }
            }
            self.missed_elsewhere(command.key(), &told);
            if !done && failed.is_none() {
                failed = error;
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// The error for the host, which names the server.
    pub(crate) fn failed(&self, at: usize, failure: &Failure) -> Error {
        let target = &self.all[at].server.target;
        let others = self.all.iter().enumerate();
        let is_alone = others
            .filter(|(other, _)| *other != at)
            .all(|(_, other)| other.is_down());
        error(is_alone, format_args!("the server {target} {failure}"))
    }

    pub(crate) fn refused(&self, at: usize, refusal: &Refusal) -> Error {
        let target = &self.all[at].server.target;
        // The breaker is to stay closed: the server does other things.
        Error::new(
            ErrorKind::Refused,
            format_args!("the server {target} {}", refusal.told()),
        )
    }

    pub(crate) fn none_is_up(&self) -> Error {
        let down: Vec<String> = (0..self.all.len())
            .filter_map(|at| {
                let failure = self.state(at).err()?;
                Some(format!("{} {failure}", self.all[at].server.target))
            })
            .collect();
        let is_whole = down.len() == self.all.len();
        let down = down.join("; ");
        error(
            is_whole,
            format_args!("no server is up that the key might be on: {down}"),
        )
    }
}

/// Of the backend as a whole, or of some keys, while servers are up that others may be on: if that came again and again,
/// the host must not leave those alone too.
fn error(is_whole: bool, message: impl fmt::Display) -> Error {
    let kind = if is_whole {
        ErrorKind::Unavailable
    } else {
        ErrorKind::Refused
    };
    Error::new(kind, message)
}

impl Trouble {
    /// It was not done.
    fn surely(error: Error) -> Self {
        Self {
            error,
            leaves_doubt: false,
        }
    }
}
