//! Our own standard output and standard error.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::record::{Chunk, Stream};

/// What became of what was to be printed.
#[derive(Debug, Default)]
pub(super) struct Printed {
    /// Whether who read it has gone, of either stream.
    pub(super) gone: bool,
    /// What went wrong otherwise, first.
    pub(super) error: Option<io::Error>,
}

/// Prints until a stream fails; then no more of it.
#[derive(Default)]
pub(super) struct Printer {
    failed: [bool; 2],
    printed: Printed,
}

impl Printer {
    /// Blocks until it is taken.
    pub(super) fn print(&mut self, stream: Stream, bytes: &[u8]) {
        if self.has_failed(stream) {
            return;
        }
        let written = match stream {
            Stream::Out => write_all(io::stdout().as_fd(), bytes),
            Stream::Err => write_all(io::stderr().as_fd(), bytes),
        };
        if let Err(error) = written {
            self.failed[stream as usize] = true;
            if error.kind() == io::ErrorKind::BrokenPipe {
                self.printed.gone = true;
            } else {
                self.printed.error.get_or_insert(error);
            }
        }
    }

    pub(super) fn has_failed(&self, stream: Stream) -> bool {
        self.failed[stream as usize]
    }

    pub(super) fn printed(self) -> Printed {
        self.printed
    }
}

/// Prints a record's chunks.
pub(super) fn replay(chunks: &[Chunk]) -> Printed {
    let mut printer = Printer::default();
    for Chunk { stream, bytes } in chunks {
        printer.print(*stream, &bytes.0);
    }
    printer.printed()
}

/// Without a buffer, so that order and time stay. Whoever shares the stream may have made it one that does not block.
fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                match poll(&mut [PollFd::from_borrowed_fd(to, PollFlags::OUT)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
