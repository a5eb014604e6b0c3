//! Both outputs of a command, as they come.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::outlet::Outlet;
use super::record::{Chunk, Stream};
use super::recorder::Recorder;
use super::running::Showing;
use super::signals::Forwarding;

/// What a pipe holds, so that one read empties it.
const ROOM: usize = 64 << 10;

pub(super) struct Pump {
    /// Those that are open.
    pipes: Vec<(Stream, OwnedFd)>,
    /// Readable when the command has ended; none once it has.
    running: Option<OwnedFd>,
    showing: Showing,
    recorder: Recorder,
    outlet: Option<Outlet>,
    buffer: Vec<u8>,
}

impl Pump {
    pub(super) fn new(
        out: OwnedFd,
        err: OwnedFd,
        running: OwnedFd,
        showing: Showing,
        outlet: Option<Outlet>,
    ) -> Self {
        Self {
            pipes: vec![(Stream::Out, out), (Stream::Err, err)],
            running: Some(running),
            showing,
            recorder: Recorder::default(),
            outlet,
            buffer: vec![0; ROOM],
        }
    }

    /// Until the command has ended and both its outputs are closed; if it was cancelled, until it has ended and what the
    /// pipes held then is read.
    pub(super) fn run(&mut self, forwarding: &Forwarding) -> io::Result<()> {
        while self.running.is_some() || !self.pipes.is_empty() {
            let last = self.running.is_none() && forwarding.was_cancelled();
            let Some(ready) = self.ready(last)? else {
                continue;
            };
            for stream in ready {
                self.read(stream)?;
            }
            if last {
                break;
            }
            if self.has_ended()? {
                self.running = None;
                if !forwarding.was_cancelled() {
                    // Only what it left behind can be waited for now: a signal is for us.
                    forwarding.ended();
                }
            }
        }
        Ok(())
    }

    /// What was printed, if it is kept, and where the rest is still being printed.
    pub(super) fn end(self) -> (Option<Vec<Chunk>>, Option<Outlet>) {
        (self.recorder.whole(), self.outlet)
    }

    /// The streams that can be read, or have ended; none if a signal came between.
    fn ready(&self, at_once: bool) -> io::Result<Option<Vec<Stream>>> {
        let pipes = self.pipes.iter().map(|(_, pipe)| pipe);
        let mut polled: Vec<_> = pipes
            .chain(&self.running)
            .map(|fd| PollFd::new(fd, PollFlags::IN))
            .collect();
        let none = Timespec::default();
        match poll(&mut polled, at_once.then_some(&none)) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let both = self.pipes.iter().zip(&polled);
        let ready = both.filter(|(_, polled)| !polled.revents().is_empty());
        Ok(Some(ready.map(|((stream, _), _)| *stream).collect()))
    }

    fn has_ended(&self) -> io::Result<bool> {
        let Some(running) = &self.running else {
            return Ok(false);
        };
        let mut polled = [PollFd::new(running, PollFlags::IN)];
        match poll(&mut polled, Some(&Timespec::default())) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&mut self, stream: Stream) -> io::Result<()> {
        let pipe = self.pipes.iter().find(|(open, _)| *open == stream);
        let Some((_, pipe)) = pipe else {
            return Ok(());
        };
        let length = match rustix::io::read(pipe, &mut self.buffer) {
            Ok(length) => length,
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if length == 0 {
            self.pipes.retain(|(open, _)| *open != stream);
            return Ok(());
        }
        let bytes = &self.buffer[..length];
        let was_full = self.recorder.is_full();
        self.recorder.take(stream, bytes);
        if self.recorder.is_full() {
            let held = self.recorder.give();
            if self.showing == Showing::Held && !was_full {
                let outlet = Outlet::start()?;
                for chunk in held {
                    outlet.send(chunk.stream, &chunk.bytes.0);
                }
                self.outlet = Some(outlet);
            }
        }
        if let Some(outlet) = &self.outlet {
            outlet.send(stream, bytes);
        }
        if self.recorder.is_full() && self.is_for_nobody(stream) {
            // The command gets SIGPIPE, as it would from whoever has gone.
            self.pipes.retain(|(open, _)| *open != stream);
        }
        Ok(())
    }

    fn is_for_nobody(&self, stream: Stream) -> bool {
        self.outlet
            .as_ref()
            .is_none_or(|outlet| outlet.has_failed(stream))
    }
}
