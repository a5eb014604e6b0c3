use std::io;

/// Calls until no signal interrupts: fs2 gives up at the first.
pub(crate) fn retried(call: impl Fn() -> io::Result<()>) -> io::Result<()> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
