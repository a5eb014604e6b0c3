//! Opens what a plugin offers, but does not wait for it for ever.

use std::error::Error as StdError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, io, thread};

use dogpile_plugin_api::abi::RawHost;
use dogpile_plugin_api::{
    AnyBackend, BackendInstance, Error, ErrorKind, ManglerInstance, Plugin, TemplateCacheInstance,
};
use parking_lot::{Condvar, Mutex};

use super::attempts;
use crate::secrets::withhold_arguments;

/// Why something of a plugin was not opened.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum OpenError {
    /// The plugin refused, failed or panicked.
    Failed(Error),
    /// It did not answer in time. Its thread is left behind; what it may open yet is closed there.
    TimedOut {
        /// What was to be opened.
        name: String,
        /// How long it was waited for.
        timeout: Duration,
    },
    /// There was no thread to open it on.
    NoThread(Arc<io::Error>),
}

impl OpenError {
    /// What an operator can search for: it is shown in messages, logs and JSON. It never changes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Failed(error) => error.kind().code(),
            Self::TimedOut { .. } => "plugin-open-timed-out",
            Self::NoThread(_) => "plugin-no-thread",
        }
    }

    /// Whether the same may succeed another time. Not what the plugin itself is at fault for, nor what was asked of it.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Failed(error) => !matches!(
                error.kind(),
                ErrorKind::Arguments | ErrorKind::Contract | ErrorKind::Panic
            ),
            Self::TimedOut { .. } | Self::NoThread(_) => true,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::TimedOut { name, timeout } => write!(
                f,
                "`{name}` took longer than {timeout:?} and was given up, a thread is left behind; \
                 see whether what it connects to answers, or raise open_timeout"
            ),
            Self::NoThread(error) => write!(f, "there is no thread to open it on: {error}"),
        }
    }
}

impl StdError for OpenError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::TimedOut { .. } => None,
            Self::NoThread(error) => Some(error),
        }
    }
}

/// Opens the plugin's backend `name` on a thread of its own, and waits for it up to `timeout`. `arguments` are a JSON
/// object.
pub fn open_backend(
    plugin: &Plugin,
    name: &str,
    arguments: &str,
    host: RawHost,
    timeout: Duration,
) -> Result<BackendInstance, OpenError> {
    withhold_arguments(arguments);
    let (plugin, owned, arguments) = (*plugin, name.to_owned(), arguments.to_owned());
    let open = move || plugin.open_backend(&owned, &arguments, &host);
    within(timeout, name, open, close_unused)
}

/// Closes what nobody calls any more before it was called at all.
#[expect(clippy::needless_pass_by_value, reason = "it ends here")]
fn close_unused(opened: BackendInstance) {
    if let Err(error) = opened.close() {
        tracing::warn!(target: "dogpile", %error, "a backend that was opened for nothing failed to close");
    }
}

/// Opens the plugin's proxy `name` around `inner`, as [`open_backend`] does.
pub fn open_proxy(
    plugin: &Plugin,
    name: &str,
    arguments: &str,
    host: RawHost,
    timeout: Duration,
    inner: impl AnyBackend,
) -> Result<BackendInstance, OpenError> {
    withhold_arguments(arguments);
    let (plugin, owned, arguments) = (*plugin, name.to_owned(), arguments.to_owned());
    let open = move || plugin.open_proxy(&owned, &arguments, &host, inner);
    within(timeout, name, open, close_unused)
}

/// Opens the plugin's key mangler `name`, as [`open_backend`] does.
pub fn open_mangler(
    plugin: &Plugin,
    name: &str,
    arguments: &str,
    host: RawHost,
    timeout: Duration,
) -> Result<ManglerInstance, OpenError> {
    withhold_arguments(arguments);
    let (plugin, owned, arguments) = (*plugin, name.to_owned(), arguments.to_owned());
    let open = move || plugin.open_mangler(&owned, &arguments, &host);
    within(timeout, name, open, drop)
}

/// Opens the plugin's template cache `name`, as [`open_backend`] does.
pub fn open_template_cache(
    plugin: &Plugin,
    name: &str,
    arguments: &str,
    host: RawHost,
    timeout: Duration,
) -> Result<TemplateCacheInstance, OpenError> {
    withhold_arguments(arguments);
    let (plugin, owned, arguments) = (*plugin, name.to_owned(), arguments.to_owned());
    let open = move || plugin.open_template_cache(&owned, &arguments, &host);
    within(timeout, name, open, drop)
}

/// Where the opening thread and the waiting one meet.
struct Meeting<T> {
    state: Mutex<State<T>>,
    answered: Condvar,
}

enum State<T> {
    Opening,
    Answered(Result<T, Error>),
    GivenUp,
}

/// What `open` gives, if it does within `timeout`; otherwise its thread hands it to `dispose` whenever it is done.
pub(crate) fn within<T: Send + 'static>(
    timeout: Duration,
    name: &str,
    open: impl FnOnce() -> Result<T, Error> + Send + 'static,
    dispose: impl FnOnce(T) + Send + 'static,
) -> Result<T, OpenError> {
    let meeting = Arc::new(Meeting {
        state: Mutex::new(State::Opening),
        answered: Condvar::new(),
    });
    let theirs = Arc::clone(&meeting);
    let attempt = attempts::current();
    let run = move || {
        let answer = catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|payload| {
            // A payload whose drop panics would end this thread without an answer.
            std::mem::forget(payload);
            Err(Error::new(ErrorKind::Panic, "panicked in open"))
        });
        if let Some(Ok(late)) = theirs.answer(answer) {
            dispose(late);
        }
        // It has ended with its last thread.
        drop(attempt);
    };
    thread::Builder::new()
        .name("dogpile-open".to_owned())
        .spawn(run)
        .map_err(|error| OpenError::NoThread(Arc::new(error)))?;
    match meeting.wait(timeout) {
        Some(answer) => answer.map_err(OpenError::Failed),
        None => Err(OpenError::TimedOut {
            name: name.to_owned(),
            timeout,
        }),
    }
}

impl<T> Meeting<T> {
    /// Leaves the answer; gives it back if nobody waits for it any more.
    fn answer(&self, answer: Result<T, Error>) -> Option<Result<T, Error>> {
        let mut state = self.state.lock();
        if matches!(*state, State::GivenUp) {
            return Some(answer);
        }
        *state = State::Answered(answer);
        drop(state);
        self.answered.notify_one();
        None
    }

    /// The answer, if it comes in time. After `None` nobody waits.
    fn wait(&self, timeout: Duration) -> Option<Result<T, Error>> {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.state.lock();
        loop {
            if matches!(*state, State::Answered(_)) {
                let State::Answered(answer) = std::mem::replace(&mut *state, State::GivenUp) else {
                    unreachable!("it was looked at under the same lock")
                };
                return Some(answer);
            }
            match deadline {
                Some(deadline) => {
                    if self.answered.wait_until(&mut state, deadline).timed_out()
                        && matches!(*state, State::Opening)
                    {
                        *state = State::GivenUp;
                        return None;
                    }
                }
                None => self.answered.wait(&mut state),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn what_answers_in_time_is_given() {
        let opened = within(LONG, "a", || Ok(7), drop);
        assert_eq!(opened.unwrap(), 7);
        let refused = within(LONG, "a", || Err::<u8, _>(Error::unavailable("no")), drop);
        assert!(matches!(refused, Err(OpenError::Failed(_))));
        assert_eq!(within(Duration::MAX, "a", || Ok(7), drop).unwrap(), 7);
    }

    #[test]
    fn what_comes_too_late_is_disposed_of_on_its_own_thread() {
        let (go, gate) = mpsc::channel::<()>();
        let (disposed, seen) = mpsc::channel();
        let open = move || {
            gate.recv().unwrap();
            Ok(7)
        };
        let dispose = move |late| {
            let name = thread::current().name().map(str::to_owned);
            disposed.send((late, name)).unwrap();
        };
        let error = within(Duration::from_millis(1), "slow", open, dispose).unwrap_err();
        assert!(matches!(error, OpenError::TimedOut { .. }));
        let text = error.to_string();
        assert!(
            text.contains("`slow`") && text.contains("open_timeout"),
            "{text}"
        );
        go.send(()).unwrap();
        let (late, thread) = seen.recv_timeout(LONG).unwrap();
        assert_eq!((late, thread.as_deref()), (7, Some("dogpile-open")));
    }
}
