//! Which creation the code that runs at this moment belongs to.

use crate::sync::{AtomicNumber, unwinding};
use std::future::poll_fn;
use std::pin::pin;

/// A creation: what can be waited for, and can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owner(u64);

impl Owner {
    /// One that there has never been.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicNumber = AtomicNumber::new(1);
        Self(NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    }
}

/// The creation that this code is part of, if any: whatever it waits for, that creation waits for.
pub(crate) fn current() -> Option<Owner> {
    crate::sync::current_owner()
}

/// Whether the code that runs at this moment is part of a creation, so that who waits for that waits for what is waited
/// for here. A circle of such waits that runs through another process is seen by nobody: bound them.
pub fn in_creation() -> bool {
    current().is_some()
}

/// Sets what `current` gives until it is dropped.
struct Entered(Option<Owner>);

impl Entered {
    fn new(owner: Owner) -> Self {
        Self(crate::sync::set_current_owner(Some(owner)))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        crate::sync::set_current_owner(self.0);
    }
}

/// Runs the future as part of `owner`: while it is polled, whichever thread does that.
///
/// Under the model checker a panic is caught and handed out, since guards may not act while one unwinds there; else
/// it goes its own way.
pub(crate) async fn within<T>(
    owner: Owner,
    future: impl Future<Output = T>,
) -> Result<T, crate::sync::Caught> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _entered = Entered::new(owner);
        match unwinding(|| future.as_mut().poll(context)) {
            Ok(poll) => poll.map(Ok),
            Err(caught) => std::task::Poll::Ready(Err(caught)),
        }
    })
    .await
}
