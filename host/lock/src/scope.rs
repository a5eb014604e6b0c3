//! Which creation the code that runs at this moment belongs to.

use crate::sync::AtomicNumber;
use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::Poll;

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

/// A panic of the user's code, on its way to the caller.
pub(crate) struct Caught(Box<dyn Any + Send>);

impl Caught {
    pub(crate) fn resume(self) -> ! {
        resume_unwind(self.0)
    }
}

/// Runs the future as part of `owner`: while it is polled, whichever thread does that.
///
/// A panic is caught and handed out, so that what follows from it is done in order, and not by guards while it unwinds.
pub(crate) async fn within<T>(owner: Owner, future: impl Future<Output = T>) -> Result<T, Caught> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _entered = Entered::new(owner);
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(Caught(panic))),
        }
    })
    .await
}
