//! Many commands in one call, each done or not for itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use dogpile_plugin_api::{Error, Result};
use redis::{Cmd, Value};

use crate::connection::{Connection, accepted};
use crate::failure::{Answer, Failure};
use crate::script::Script;
use crate::server::Server;
use crate::servers::{Find, Next, Servers};

/// A command, and the part of the keys that it is about.
pub(crate) struct Request {
    pub(crate) slot: Option<u16>,
    pub(crate) command: Cmd,
}

/// What is to be done with requests.
struct Job<'r, R> {
    requests: &'r [Request],
    /// All commands are calls of it.
    script: Option<&'r Script>,
    /// Makes of a reply what is wanted, by the request's place.
    read: R,
    deadline: Instant,
    find: Find,
    may_repeat: fn(&Failure) -> bool,
}

/// Those requests that a server is asked.
struct Share {
    server: Arc<Server>,
    places: Vec<usize>,
}

/// More servers are asked one group after the other: each has a connection in use.
const AT_ONCE: usize = 64;

/// Where keys are parted, all servers are asked at the same time, and what was not done is repeated for itself.
impl dyn Servers {
    pub(crate) fn request(&self, key: &[u8], command: Cmd) -> Request {
        let slot = self.slot(key);
        Request { slot, command }
    }

    /// The places of these keys, by the parts that they are in.
    pub(crate) fn by_slot<'k>(
        &self,
        keys: impl Iterator<Item = &'k [u8]>,
    ) -> Vec<(Option<u16>, Vec<usize>)> {
        let mut parts: Vec<(Option<u16>, Vec<usize>)> = Vec::new();
        let mut known = HashMap::new();
        for (place, key) in keys.enumerate() {
            let slot = self.slot(key);
            let part = *known.entry(slot).or_insert(parts.len());
            match parts.get_mut(part) {
                Some((_, places)) => places.push(place),
                None => parts.push((slot, vec![place])),
            }
        }
        parts
    }

    /// As `write`, for all requests, by the deadline. `read` makes of each reply what is wanted, by its request's place.
    pub(crate) fn write_all<T>(
        &self,
        requests: &[Request],
        script: Option<&Script>,
        deadline: Instant,
        read: impl Fn(usize, Value) -> Answer<T>,
    ) -> Result<Vec<T>> {
        self.done(&Job {
            requests,
            script,
            read,
            deadline,
            find: Self::writing,
            may_repeat: Failure::did_nothing,
        })
    }

    /// As `write_all`, for commands that change nothing.
    pub(crate) fn read_all<T>(
        &self,
        requests: &[Request],
        deadline: Instant,
        read: impl Fn(usize, Value) -> Answer<T>,
    ) -> Result<Vec<T>> {
        self.done(&Job {
            requests,
            script: None,
            read,
            deadline,
            find: Self::reading,
            may_repeat: |_| true,
        })
    }

    /// Whether one of those that store answers.
    pub(crate) fn ping(&self) -> Result<()> {
        let slot = self.slot(b"");
        let command = redis::cmd("PING");
        let requests = [Request { slot, command }];
        let pong = |_, reply| match accepted(reply)? {
            Value::SimpleString(pong) if pong == "PONG" => Ok(()),
            _ => Err(Failure::Nonsense),
        };
        let deadline = self.deadline();
        if slot.is_none() {
            return self.write_all(&requests, None, deadline, pong).map(drop);
        }
        let job = Job {
            requests: &requests,
            script: None,
            read: pong,
            deadline,
            find: Self::writing,
            may_repeat: Failure::did_nothing,
        };
        let servers = self.all(job.deadline)?.into_iter();
        let shares = servers.map(|server| Share {
            server,
            places: vec![0],
        });
        let mut error = Error::unavailable("no node of the cluster has slots");
        for shares in in_order(shares.collect()).chunks(AT_ONCE) {
            for (share, replies) in shares.iter().zip(job.exchange_with(shares)) {
                let replies = replies.and_then(|replies| {
                    let mut replies = replies.into_iter();
                    replies.try_for_each(|reply| pong(0, reply))
                });
                let Err(failure) = replies else {
                    return Ok(());
                };
                self.failed(&share.server, slot, &failure);
                error = share.server.told(failure);
            }
        }
        Err(error)
    }

    fn done<T, R>(&self, job: &Job<'_, R>) -> Result<Vec<T>>
    where
        R: Fn(usize, Value) -> Answer<T>,
    {
        let places = 0..job.requests.len();
        if places.is_empty() {
            return Ok(Vec::new());
        }
        if job.requests.iter().all(|request| request.slot.is_none()) {
            return self.done_in(None, job, &places);
        }
        let mut answers: Vec<Option<T>> = places.clone().map(|_| None).collect();
        let mut left: Vec<usize> = places.collect();
        let mut alone = Vec::new();
        // The second time those are asked who were found to be in the place of others.
        for _ in 0..2 {
            left = self.tried(job, &left, &mut answers, &mut alone)?;
        }
        alone.append(&mut left);
        for place in alone {
            let slot = job.requests[place].slot;
            answers[place] = self.done_in(slot, job, &(place..=place))?.pop();
        }
        let answers: Option<Vec<T>> = answers.into_iter().collect();
        answers.ok_or_else(|| Error::unavailable("a command has no reply"))
    }

    /// All of them in one call of one server.
    fn done_in<T, R>(
        &self,
        slot: Option<u16>,
        job: &Job<'_, R>,
        places: &(impl Iterator<Item = usize> + Clone),
    ) -> Result<Vec<T>>
    where
        R: Fn(usize, Value) -> Answer<T>,
    {
        self.call(
            slot,
            job.deadline,
            job.find,
            |server, deadline, asks| {
                server.call(deadline, |on| {
                    on.asking(asks, |on| {
                        let replies = job.exchange(on, places.clone(), || {})?;
                        let replies = places.clone().zip(replies);
                        replies
                            .map(|(place, reply)| (job.read)(place, reply))
                            .collect()
                    })
                })
            },
            job.may_repeat,
        )
    }

    /// Asks all servers at the same time, and puts their answers down. Gives what is to be asked again, but for what is to
    /// be asked `alone`: its keys are on their way.
    fn tried<T, R>(
        &self,
        job: &Job<'_, R>,
        places: &[usize],
        answers: &mut [Option<T>],
        alone: &mut Vec<usize>,
    ) -> Result<Vec<usize>>
    where
        R: Fn(usize, Value) -> Answer<T>,
    {
        let shares = self.shares(job, places)?;
        let mut again = Vec::new();
        for shares in shares.chunks(AT_ONCE) {
            for (share, replies) in shares.iter().zip(job.exchange_with(shares)) {
                let replies = match replies {
                    Ok(replies) => replies,
                    Err(failure) => {
                        let slot = share.places.first().map(|place| job.requests[*place].slot);
                        self.goes_on(job, share, slot.flatten(), failure)?;
                        again.extend(&share.places);
                        continue;
                    }
                };
                for (place, reply) in share.places.iter().zip(replies) {
                    match (job.read)(*place, reply) {
                        Ok(answer) => answers[*place] = Some(answer),
                        Err(failure) => {
                            let slot = job.requests[*place].slot;
                            match self.goes_on(job, share, slot, failure)? {
                                Next::Ask(_) => alone.push(*place),
                                _ => again.push(*place),
                            }
                        }
                    }
                }
            }
        }
        Ok(again)
    }

    fn shares<R>(&self, job: &Job<'_, R>, places: &[usize]) -> Result<Vec<Share>> {
        let mut shares: Vec<Share> = Vec::new();
        for place in places {
            let server = (job.find)(self, job.requests[*place].slot, job.deadline)?;
            let mut known = shares.iter_mut();
            match known.find(|share| Arc::ptr_eq(&share.server, &server)) {
                Some(share) => share.places.push(*place),
                None => shares.push(Share {
                    server,
                    places: vec![*place],
                }),
            }
        }
        Ok(in_order(shares))
    }

    /// What follows the failure, or its error if that is nothing.
    fn goes_on<R>(
        &self,
        job: &Job<'_, R>,
        share: &Share,
        slot: Option<u16>,
        failure: Failure,
    ) -> Result<Next> {
        let next = self.failed(&share.server, slot, &failure);
        let goes_on = match next {
            Next::Fail => false,
            Next::Another => (job.may_repeat)(&failure),
            Next::Owner(_) | Next::Ask(_) => true,
        };
        if goes_on && Instant::now() < job.deadline {
            return Ok(next);
        }
        Err(share.server.told(failure))
    }
}

/// `None`: some of the command's keys are on their way to another server, so that it is to be done otherwise.
pub(crate) fn unless_split<T>(answer: Answer<T>) -> Answer<Option<T>> {
    match answer {
        Err(failure) if failure.is_code("TRYAGAIN") => Ok(None),
        answer => answer.map(Some),
    }
}

/// One for all callers: none waits for a connection that another has, who waits for one of his.
fn in_order(mut shares: Vec<Share>) -> Vec<Share> {
    shares.sort_by_key(|share| Arc::as_ptr(&share.server));
    shares
}

impl<R> Job<'_, R> {
    fn exchange(
        &self,
        on: &mut Connection,
        places: impl Iterator<Item = usize> + Clone,
        meanwhile: impl FnOnce(),
    ) -> Answer<Vec<Value>> {
        let commands = places.map(|place| &self.requests[place].command);
        match self.script {
            Some(script) => script.pipeline_around(on, commands, meanwhile),
            None => on.pipeline_around(commands, meanwhile),
        }
    }

    /// Sends each server its share, and then reads their replies.
    fn exchange_with(&self, shares: &[Share]) -> Vec<Answer<Vec<Value>>> {
        let mut answers = self.exchange_backwards(shares);
        answers.reverse();
        answers
    }

    fn exchange_backwards(&self, shares: &[Share]) -> Vec<Answer<Vec<Value>>> {
        let Some((share, rest)) = shares.split_first() else {
            return Vec::new();
        };
        let mut answers = None;
        let places = share.places.iter().copied();
        let answer = share.server.call(self.deadline, |on| {
            self.exchange(on, places, || answers = Some(self.exchange_backwards(rest)))
        });
        // One that could not be sent its share keeps the others from nothing.
        let mut answers = answers.unwrap_or_else(|| self.exchange_backwards(rest));
        answers.push(answer);
        answers
    }
}
