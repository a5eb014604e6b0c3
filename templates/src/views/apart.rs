use std::path::Path;
use std::thread;

use futures_channel::oneshot;

use super::error::{ViewError, ViewErrorKind};

/// Does `work` on a thread of its own, so that it blocks nobody. If the future is dropped it is done all the same, and
/// what it makes is dropped.
///
/// A thread each, since a render may wait for another, and in a pool with a bound the other might wait for its turn.
pub(super) async fn apart<T: Send + 'static>(
    page: &str,
    work: impl FnOnce() -> Result<T, ViewError> + Send + 'static,
) -> Result<T, ViewError> {
    let (give, given) = oneshot::channel();
    let run = move || {
        // Who does not wait any more does not want it.
        let _unwanted = give.send(work());
    };
    let thread = thread::Builder::new().name("dogpile-render".to_owned());
    let error = |message: String| {
        let remedy = "Let fewer pages be rendered at a time.";
        ViewError::new(ViewErrorKind::Render, Path::new(page), message, remedy)
    };
    if let Err(none) = thread.spawn(run) {
        return Err(error(format!("no thread to render on: {none}")));
    }
    let done = given.await;
    done.unwrap_or_else(|_| Err(error("the thread that rendered has ended".to_owned())))
}
