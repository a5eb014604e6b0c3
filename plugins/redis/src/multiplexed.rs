use std::collections::VecDeque;
use std::io::ErrorKind;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dogpile_net::clock::coarse_now;
use dogpile_net::halves::{Receiving, Sending};
use dogpile_net::pool::IDLE;
use dogpile_net::socket::Closer;
use parking_lot::Mutex;

use crate::failure::{Answer, Failure};
use crate::replies::Replies;
use crate::shared_call::{Duty, SharedCall, Turned};
use crate::wire::Wire;

/// A connection on which the calls of many callers are under way at once. The server answers them in their order.
///
/// There is no thread behind it. Of the callers one writes what all have to send, and one reads, and hands the replies
/// over to whose they are. When these have what they wanted, another takes the duty over. A caller who is alone does
/// both, as on a connection of his own.
///
/// A call whose time is over leaves its place in the order behind, for the reply that may come. From then on the connection
/// takes no new calls, since it may be dead; those under way go on. Where its time is over while its commands are written,
/// nothing is sent any more, and those of whom nothing was are told so.
pub(crate) struct Multiplexed {
    state: Mutex<State>,
    /// Held by who has the duty.
    reading: Mutex<Reading>,
    writing: Mutex<Writing>,
    closer: Closer,
    tracks_to: Mutex<Option<i64>>,
}

#[expect(clippy::struct_excessive_bools, reason = "each is of its own")]
struct State {
    /// The calls to which replies are to come, and how many to each.
    calls: VecDeque<(Arc<SharedCall>, usize)>,
    /// What nobody has begun to write, and how many of the last calls it is of.
    unsent: Vec<u8>,
    unsent_calls: usize,
    /// Somebody has the duty.
    is_read: bool,
    is_written: bool,
    /// Who reads is busy with replies, and writes what there is when he is done: until then the commands of many gather.
    is_flushed: bool,
    /// It takes no calls any more.
    is_retired: bool,
    used: Instant,
}

struct Reading {
    from: Receiving,
    replies: Replies,
}

struct Writing {
    to: Sending,
    batch: Vec<u8>,
}

/// The connection takes no calls any more. Nothing was sent.
#[derive(Debug)]
pub(crate) struct Gone;

/// How often who writes looks for more, before one of those whose it is takes over.
const BATCHES: usize = 16;

/// How long who has no time left may write for others.
const GRACE: Duration = Duration::from_millis(50);

/// What is kept for commands, in bytes.
const KEPT: usize = 256 * 1024;

impl Multiplexed {
    pub(crate) fn new(wire: Wire) -> Self {
        let (from, to) = wire.halves();
        Self {
            closer: from.closer(),
            state: Mutex::new(State {
                calls: VecDeque::new(),
                unsent: Vec::new(),
                unsent_calls: 0,
                is_read: false,
                is_written: false,
                is_flushed: false,
                is_retired: false,
                used: Instant::now(),
            }),
            reading: Mutex::new(Reading {
                from,
                replies: Replies::new(),
            }),
            writing: Mutex::new(Writing {
                to,
                batch: Vec::new(),
            }),
            tracks_to: Mutex::new(None),
        }
    }

    /// Whether it takes calls. One that was idle is looked at: the server may have closed it.
    pub(crate) fn is_usable(&self) -> bool {
        let state = self.state.lock();
        let is_idle =
            state.calls.is_empty() && coarse_now().saturating_duration_since(state.used) >= IDLE;
        !state.is_retired
            && (!is_idle
                || self
                    .reading
                    .try_lock()
                    .is_none_or(|reading| reading.from.is_quiet()))
    }

    pub(crate) fn tracks_to(&self) -> Option<i64> {
        *self.tracks_to.lock()
    }

    pub(crate) fn track_to(&self, link: i64) {
        *self.tracks_to.lock() = Some(link);
    }

    /// Sends these commands together, to which so many replies are to come.
    pub(crate) fn send(
        &self,
        commands: &[u8],
        count: usize,
        deadline: Instant,
    ) -> Result<Arc<SharedCall>, Gone> {
        let call = Arc::new(SharedCall::default());
        let writes = {
            let mut state = self.state.lock();
            if state.is_retired {
                return Err(Gone);
            }
            state.calls.push_back((Arc::clone(&call), count));
            state.unsent.extend_from_slice(commands);
            state.unsent_calls += 1;
            state.used = coarse_now();
            !state.is_flushed && !mem::replace(&mut state.is_written, true)
        };
        if writes {
            self.write(deadline);
        }
        Ok(call)
    }

    /// Waits for the replies to a call.
    pub(crate) fn replies(
        &self,
        call: &SharedCall,
        deadline: Instant,
    ) -> Result<Answer<Replies>, Gone> {
        loop {
            if self.reads_or_waits(call) {
                self.read(call, deadline);
            }
            match call.wait(deadline) {
                Turned::Answered(answer) => return Ok(answer.map(Replies::of)),
                Turned::Unsent => return Err(Gone),
                Turned::Duty(Duty::Read) => self.read(call, deadline),
                Turned::Duty(Duty::Write) => self.write(deadline),
                Turned::TimedOut => self.time_out(call),
            }
        }
    }

    /// Whether the caller has to read, as nobody does. Else he can be given a duty from now on.
    fn reads_or_waits(&self, call: &SharedCall) -> bool {
        let mut state = self.state.lock();
        call.waits(state.is_read) && !mem::replace(&mut state.is_read, true)
    }

    /// Writes what there is, also for others.
    fn write(&self, deadline: Instant) {
        let mut writing = self.writing.lock();
        let Writing { to, batch } = &mut *writing;
        for turn in 0.. {
            batch.clear();
            batch.shrink_to(KEPT);
            {
                let mut state = self.state.lock();
                if state.unsent.is_empty() {
                    state.is_written = false;
                    return;
                }
                if turn >= BATCHES && state.give(Duty::Write) {
                    return;
                }
                mem::swap(&mut state.unsent, batch);
                state.unsent_calls = 0;
            }
            match to.write_all(batch, deadline) {
                Ok(()) => {}
                // A part of a command may have been sent: nothing is sent any more, as nobody gets this duty.
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    let unsent = {
                        let mut state = self.state.lock();
                        state.is_retired = true;
                        state.take_unsent()
                    };
                    for (call, _) in unsent {
                        call.was_not_sent();
                    }
                    return;
                }
                Err(error) => return self.end(&Failure::Broken(error)),
            }
        }
    }

    /// Reads until `own` is answered, or its time is over; one that was not sent hears so with the next reply.
    fn read(&self, own: &SharedCall, deadline: Instant) {
        let mut reading = self.reading.lock();
        let Reading { from, replies } = &mut *reading;
        let failed = loop {
            if let Err(failure) = self.hand_over(replies) {
                break Some(failure);
            }
            let has_ended = own.has_ended();
            self.flush(deadline);
            if has_ended {
                break None;
            }
            match from.read(replies.room(), deadline) {
                Ok(0) => break Some(Failure::Broken(ErrorKind::UnexpectedEof.into())),
                Ok(length) => replies.came(length),
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    self.time_out(own);
                    break None;
                }
                Err(error) => break Some(Failure::Broken(error)),
            }
        };
        replies.rest();
        drop(reading);
        match failed {
            Some(failure) => self.end(&failure),
            None => self.pass(Duty::Read),
        }
    }

    /// Writes what gathered meanwhile. From then on who sends writes by himself.
    fn flush(&self, deadline: Instant) {
        loop {
            {
                let mut state = self.state.lock();
                if state.unsent.is_empty() || state.is_written {
                    state.is_flushed = false;
                    return;
                }
                state.is_written = true;
            }
            // It is for others, whose time is not over.
            self.write(deadline.max(Instant::now() + GRACE));
        }
    }

    /// All replies that have come.
    fn hand_over(&self, replies: &mut Replies) -> Answer<()> {
        while let Some(next) = replies.next()? {
            let reply = replies.get(next);
            if reply.starts_with(b">") {
                continue;
            }
            let (call, is_last) = {
                let mut state = self.state.lock();
                state.is_flushed = true;
                // Nobody asked for it.
                let (call, missing) = state.calls.front_mut().ok_or(Failure::Nonsense)?;
                *missing -= 1;
                let (call, is_last) = (Arc::clone(call), *missing == 0);
                if is_last {
                    state.calls.pop_front();
                }
                (call, is_last)
            };
            call.came(reply, is_last);
        }
        Ok(())
    }

    /// Gives a duty to another caller, if there is one.
    fn pass(&self, duty: Duty) {
        let mut state = self.state.lock();
        if state.give(duty) {
            return;
        }
        match duty {
            Duty::Read => state.is_read = false,
            Duty::Write => state.is_written = false,
        }
    }

    /// The time of that call is over.
    fn time_out(&self, call: &SharedCall) {
        let duty = {
            let mut state = self.state.lock();
            let (fails, duty) = call.time_out();
            state.is_retired |= fails;
            duty
        };
        if let Some(duty) = duty {
            self.pass(duty);
        }
    }

    /// All calls have failed.
    pub(crate) fn end(&self, failure: &Failure) {
        let calls = {
            let mut state = self.state.lock();
            state.is_retired = true;
            mem::take(&mut state.calls)
        };
        for (call, _) in calls {
            call.fail(failure.shared());
        }
        self.closer.close();
    }
}

impl State {
    /// To the last of those who wait, who has it for longest.
    fn give(&self, duty: Duty) -> bool {
        let mut calls = self.calls.iter().rev();
        calls.any(|(call, _)| call.give(duty))
    }

    /// The calls of which nothing is sent, nor will be.
    fn take_unsent(&mut self) -> VecDeque<(Arc<SharedCall>, usize)> {
        self.unsent = Vec::new();
        let sent = self
            .calls
            .len()
            .saturating_sub(mem::take(&mut self.unsent_calls));
        self.calls.split_off(sent)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::thread;

    use dogpile_net::endpoint::Place;
    use dogpile_net::pool::Unlent;

    use super::*;
    use crate::target::Target;

    /// A connection, and the server's end of it.
    fn connected() -> (Multiplexed, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = Place::Tcp(
            String::from("127.0.0.1"),
            listener.local_addr().unwrap().port(),
        );
        let arguments = serde_json::from_str("{}").unwrap();
        let target = Target::new(&arguments).unwrap().at(place);
        let wire = Wire::open(&target, within(SOON)).unwrap();
        (Multiplexed::new(wire), listener.accept().unwrap().0)
    }

    const SOON: Duration = Duration::from_secs(20);

    fn within(time: Duration) -> Instant {
        Instant::now() + time
    }

    fn until(is_so: impl Fn() -> bool) {
        let deadline = within(SOON);
        while !is_so() {
            assert!(Instant::now() < deadline);
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn answer(on: &Multiplexed, call: &SharedCall, time: Duration) -> Answer<Vec<u8>> {
        let replies = on.replies(call, within(time));
        let mut replies = replies.map_err(|Gone| Failure::Unlent(Unlent::Closed))??;
        let next = replies.next()?.ok_or(Failure::Nonsense)?;
        Ok(replies.get(next).to_vec())
    }

    #[test]
    fn a_caller_who_has_gone_is_given_no_duty() {
        let (on, mut server) = connected();
        let [reader, waiter, last] =
            [(); 3].map(|()| on.send(b"PING\r\n", 1, within(SOON)).unwrap());
        thread::scope(|scope| {
            let on = &on;
            let reads = scope.spawn(|| answer(on, &reader, 3 * SOON));
            until(|| on.state.lock().is_read);
            let waits = scope.spawn(|| answer(on, &waiter, SOON));
            let failure = answer(on, &last, Duration::from_millis(100)).unwrap_err();
            assert!(failure.is_timeout(), "{failure}");
            until(|| waiter.is_waiting());
            server.write_all(b"+reader\r\n").unwrap();
            assert_eq!(reads.join().unwrap().unwrap(), b"+reader\r\n");
            server.write_all(b"+waiter\r\n").unwrap();
            assert_eq!(waits.join().unwrap().unwrap(), b"+waiter\r\n");
        });
    }

    #[test]
    fn who_was_not_sent_before_the_time_of_another_was_over_is_told_so() {
        let (on, mut server) = connected();
        let before = on.send(b"PING\r\n", 1, within(SOON)).unwrap();
        thread::scope(|scope| {
            let on = &on;
            let reads = scope.spawn(|| answer(on, &before, 3 * SOON));
            until(|| on.state.lock().is_read);
            // More than the kernel takes for a server that reads nothing.
            let large = vec![b'x'; 32 << 20];
            let writes = scope.spawn(move || {
                let call = on.send(&large, 1, within(Duration::from_millis(300)));
                answer(on, &call.unwrap(), Duration::ZERO)
            });
            until(|| on.writing.is_locked());
            let behind = on.send(b"PING\r\n", 1, within(SOON)).unwrap();
            let told = on.replies(&behind, within(SOON));
            assert!(matches!(told, Err(Gone)));
            let failure = writes.join().unwrap().unwrap_err();
            assert!(failure.is_timeout(), "{failure}");
            assert!(on.send(b"PING\r\n", 1, within(SOON)).is_err());
            server.write_all(b"+before\r\n").unwrap();
            assert_eq!(reads.join().unwrap().unwrap(), b"+before\r\n");
        });
    }
}
