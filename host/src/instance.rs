//! An open backend, and what belongs to it alone.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use dogpile_lock::{Flights, Held, Remote, RemoteMutex, WaitGraph};
use dogpile_plugin_api::{
    BackendInstance, Error as PluginError, Key, Lease, Mutex, Properties, Value,
};
use parking_lot::Mutex as Lock;
use serde_json::Map;

use crate::Error;
use crate::blame;
use crate::health::{Backoff, State};
use crate::loader::{self, OpenError};
use crate::plugins::PluginEntry;
use crate::secrets::without_secrets;
use crate::slot::Attempt;
use crate::spare::Spare;
use crate::watched::{Mender, Watched};
use crate::wrapped::Wrapped;

/// The keys that are being created on one instance.
pub(crate) type Creations = Flights<Value, Failure, Held<KeyMutex>>;

/// Why a creation gave no value to those who wait for it.
#[derive(Clone)]
pub(crate) enum Failure {
    /// With the creation that came to it, if its creator had begun.
    Error(Error, Option<Arc<Attempt>>),
    /// A creator of several keys left this one out.
    LeftOut(Arc<Attempt>),
    /// The region was given another instance meanwhile: begin again there.
    Replaced,
}

impl Failure {
    /// The creation that came to it, if its creator had begun.
    pub(crate) fn attempt(&self) -> Option<&Arc<Attempt>> {
        match self {
            Self::Error(_, attempt) => attempt.as_ref(),
            Self::LeftOut(attempt) => Some(attempt),
            Self::Replaced => None,
        }
    }
}

/// Before its creator had begun.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error, None)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error, _) => error.fmt(f),
            Self::LeftOut(_) => f.write_str("the creator left it out"),
            Self::Replaced => f.write_str("the region was given another backend"),
        }
    }
}

/// What is given beyond the time that a backend itself says its calls may take.
const GRACE: Duration = Duration::from_secs(1);

/// An open backend, or a proxy around another instance. Its creations are kept apart, so that who creates does not hold
/// the backend open.
pub(crate) struct Instance {
    pub(crate) backend: Watched,
    pub(crate) properties: Properties,
    /// Asked once, as the properties are.
    pub(crate) key_mangler: Option<String>,
    /// An instance that is reopened hands them to its successor, and a backend to its proxies: it is the same storage.
    pub(crate) creations: Creations,
    /// The mutexes of keys that other processes respect, where the backend has them.
    pub(crate) remote: Remote<KeyMutex>,
    /// What was created while the backend failed; handed on as the creations are.
    pub(crate) spare: Arc<Spare>,
    pub(crate) plugin: Arc<PluginEntry>,
    pub(crate) name: String,
    terms: Lock<Terms>,
    /// Of this instance and all that it succeeds.
    backoff: Arc<Lock<Backoff>>,
    /// What a proxy was opened around.
    pub(crate) inner: Option<Arc<Instance>>,
}

/// What an instance is opened from.
pub(crate) struct Recipe<'a> {
    pub(crate) plugin: &'a Arc<PluginEntry>,
    pub(crate) name: &'a str,
    pub(crate) arguments: Arc<Arguments>,
}

pub(crate) type Arguments = Map<String, serde_json::Value>;

/// The arguments of an instance: those that it was opened with, or took on since.
struct Terms {
    now: Arc<Arguments>,
    /// Those before: a call that began under them may still tell of them, and their secrets are hidden too.
    before: Option<Arc<Arguments>>,
}

/// What an instance hands to its successor.
struct Kept {
    creations: Creations,
    spare: Arc<Spare>,
    backoff: Arc<Lock<Backoff>>,
}

impl Kept {
    fn new(graph: &WaitGraph) -> Self {
        Self {
            creations: Flights::new(graph.clone()),
            spare: Arc::default(),
            backoff: Arc::default(),
        }
    }

    fn of(instance: &Instance) -> Self {
        Self {
            creations: instance.creations.clone(),
            spare: Arc::clone(&instance.spare),
            backoff: Arc::clone(&instance.backoff),
        }
    }
}

impl Recipe<'_> {
    /// Opens a backend, within `timeout`.
    pub(crate) fn open(
        &self,
        timeout: Duration,
        graph: &WaitGraph,
        mender: &Arc<dyn Mender>,
    ) -> Result<Arc<Instance>, OpenError> {
        let raw = self.open_raw(timeout, None)?;
        Ok(self.instance(raw, None, Kept::new(graph), mender))
    }

    /// Opens a proxy around `inner`, within `timeout`.
    pub(crate) fn wrap(
        &self,
        timeout: Duration,
        inner: &Arc<Instance>,
    ) -> Result<Arc<Instance>, OpenError> {
        let raw = self.open_raw(timeout, Some(inner))?;
        let kept = Kept {
            backoff: Arc::default(),
            ..Kept::of(inner)
        };
        Ok(self.instance(raw, Some(inner), kept, inner.backend.mender()))
    }

    fn open_raw(
        &self,
        timeout: Duration,
        inner: Option<&Arc<Instance>>,
    ) -> Result<BackendInstance, OpenError> {
        let json = as_json(&self.arguments);
        let (plugin, host) = (&self.plugin.plugin, self.plugin.host);
        match inner {
            None => loader::open_backend(plugin, self.name, &json, host, timeout),
            Some(inner) => {
                let inner = Wrapped::new(Arc::clone(inner));
                loader::open_proxy(plugin, self.name, &json, host, timeout, inner)
            }
        }
    }

    fn instance(
        &self,
        mut raw: BackendInstance,
        inner: Option<&Arc<Instance>>,
        kept: Kept,
        mender: &Arc<dyn Mender>,
    ) -> Arc<Instance> {
        Arc::new_cyclic(|owner| {
            let arguments = Arc::clone(&self.arguments);
            let tell = failed_drop(owner.clone(), self.title(inner), arguments);
            raw.on_failed_drop(tell);
            Instance {
                properties: raw.properties(),
                key_mangler: raw.key_mangler().map(str::to_owned),
                backend: Watched::new(raw, owner, Arc::clone(mender)),
                creations: kept.creations,
                remote: Remote::new(),
                spare: kept.spare,
                plugin: Arc::clone(self.plugin),
                name: self.name.to_owned(),
                terms: Lock::new(Terms {
                    now: Arc::clone(&self.arguments),
                    before: None,
                }),
                backoff: kept.backoff,
                inner: inner.cloned(),
            }
        })
    }

    /// What it opens, for people.
    fn title(&self, inner: Option<&Arc<Instance>>) -> String {
        let of = format!("`{}` of {}", self.name, self.plugin);
        match inner {
            None => format!("backend {of}"),
            Some(inner) => format!("proxy {of} on {}", inner.title()),
        }
    }
}

/// Tells of what fails as it is dropped: a mutex, which has its instance retired if it panics, or the instance itself.
fn failed_drop(
    owner: Weak<Instance>,
    title: String,
    arguments: Arc<Arguments>,
) -> impl Fn(PluginError) {
    move |error| match owner.upgrade() {
        Some(owner) => owner.backend.failed_drop(error),
        None => blame::failed_drop(&title, &arguments, error),
    }
}

impl Instance {
    /// Whether an instance of that recipe would be the same, but for what it is opened around.
    pub(crate) fn serves(&self, recipe: &Recipe<'_>) -> bool {
        self.is_of(recipe) && self.terms.lock().now == recipe.arguments
    }

    /// Whether an instance of that recipe would be the same, but for its arguments and what it is opened around.
    pub(crate) fn is_of(&self, recipe: &Recipe<'_>) -> bool {
        self.plugin.same_code(recipe.plugin) && self.name == recipe.name
    }

    /// Asks the open backend to take on other arguments in place, and waits for it up to `timeout`. False: it wants to
    /// be opened anew. One that panics or does not answer may be in any state: it is retired, and reopened with the
    /// arguments that it had.
    pub(crate) fn reconfigure(
        self: &Arc<Self>,
        arguments: &Arc<Arguments>,
        timeout: Duration,
    ) -> Result<bool, OpenError> {
        let (asked, json) = (Arc::clone(self), as_json(arguments));
        let ask = move || {
            asked
                .backend
                .inside("reconfigure", |raw| raw.reconfigure(&json))
        };
        let answer = loader::within(timeout, &self.name, ask, drop);
        match &answer {
            Ok(true) => self.reopen_with(arguments),
            Err(OpenError::TimedOut { timeout, .. }) => {
                let cause = format!("has not taken on other arguments within {timeout:?}");
                self.gave_up(&cause);
            }
            _ => {}
        }
        answer
    }

    /// Whatever it has now, these are its arguments from now on, with which it is reopened.
    pub(crate) fn reopen_with(&self, arguments: &Arc<Arguments>) {
        let mut terms = self.terms.lock();
        if terms.now != *arguments {
            let before = std::mem::replace(&mut terms.now, Arc::clone(arguments));
            terms.before = Some(before);
        }
    }

    /// Nobody waits any more for a change of it that is under way: it is not called until it was reopened.
    pub(crate) fn gave_up(&self, cause: &str) {
        let error = PluginError::new(dogpile_plugin_api::ErrorKind::Timeout, cause);
        self.backend.gave_up(&error);
    }

    /// What it was opened from.
    pub(crate) fn recipe(&self) -> Recipe<'_> {
        Recipe {
            plugin: &self.plugin,
            name: &self.name,
            arguments: Arc::clone(&self.terms.lock().now),
        }
    }

    /// The backend's mutex of a key. It keeps the instance open.
    pub(crate) fn mutex(
        self: &Arc<Self>,
        key: &Key<'_>,
    ) -> dogpile_plugin_api::Result<Option<Arc<KeyMutex>>> {
        let mutex = self.backend.mutex(key)?;
        Ok(mutex.map(|mutex| {
            Arc::new(KeyMutex {
                mutex,
                _instance: Arc::clone(self),
            })
        }))
    }

    /// This instance, what it is opened around, and so on to the backend.
    pub(crate) fn links(self: &Arc<Self>) -> impl Iterator<Item = &Arc<Self>> {
        std::iter::successors(Some(self), |link| link.inner.as_ref())
    }

    /// The backend under the proxies.
    pub(crate) fn base(self: &Arc<Self>) -> &Arc<Self> {
        self.links().last().expect("it begins with this instance")
    }

    /// Opens its successor, within `timeout`, around what it was opened around or the successor of that.
    pub(crate) fn reopen(
        &self,
        inner: Option<&Arc<Self>>,
        timeout: Duration,
    ) -> Result<Arc<Self>, OpenError> {
        let recipe = self.recipe();
        let opened = recipe.open_raw(timeout, inner);
        let opened = opened.map_err(|error| match error {
            OpenError::Failed(error) => OpenError::Failed(self.without_secrets(error)),
            other => other,
        });
        Ok(recipe.instance(opened?, inner, Kept::of(self), self.backend.mender()))
    }

    /// How long to wait before the next attempt to mend it.
    pub(crate) fn next_pause(&self) -> Duration {
        self.backoff.lock().next(Instant::now())
    }

    /// It does not answer yet.
    pub(crate) fn unanswered(&self) {
        self.backoff.lock().unanswered();
    }

    /// It is well again, or has a successor that is.
    pub(crate) fn mended(&self) {
        self.backoff.lock().mended(Instant::now());
    }

    /// Its own state, or that of what it stands on and that is not called any more.
    pub(crate) fn state(self: &Arc<Self>) -> State {
        self.shown().backend.health().state()
    }

    /// Itself, or what it stands on and that is not called any more.
    fn shown(self: &Arc<Self>) -> &Arc<Self> {
        let is_retired = |link: &&Arc<Self>| link.backend.health().is_retired();
        self.links().find(is_retired).unwrap_or(self)
    }

    /// Whether something that it was opened around is retired.
    pub(crate) fn stands_on_retired(&self) -> bool {
        let mut inner = self.inner.iter().flat_map(Self::links);
        inner.any(|link| link.backend.health().is_retired())
    }

    /// What put it, or what it stands on, into its state; none while it is well.
    pub(crate) fn cause(self: &Arc<Self>) -> Option<String> {
        let out = self.shown().backend.health();
        out.is_out().then(|| out.cause())
    }

    /// A call that takes less does not hang, whatever a region's `hang_after`.
    pub(crate) fn least_hang_after(&self) -> Duration {
        let own = self.properties.longest_call;
        own.map_or(Duration::ZERO, |own| own.saturating_add(GRACE))
    }

    /// Whether a caller's thread may have to wait in a call.
    pub(crate) fn may_block(&self) -> bool {
        self.properties.blocking || self.backend.call_timeout().is_some()
    }

    /// Why no calls are made, for people.
    pub(crate) fn why_out(self: &Arc<Self>) -> String {
        let shown = self.shown();
        let health = shown.backend.health();
        if health.is_retired() {
            let (title, cause) = (shown.title(), health.cause());
            return format!("{title} {cause}; it is not called until it was reopened");
        }
        match health.state() {
            State::BreakerOpen => format!(
                "its breaker is open: {}; it closes when the storage answers a ping",
                health.cause()
            ),
            State::Open | State::Retired | State::Closed => {
                String::from("it is called again from now on")
            }
        }
    }

    /// What it is, for people.
    pub(crate) fn title(&self) -> String {
        self.recipe().title(self.inner.as_ref())
    }

    /// An error of it, or of what it was opened around, as it may be shown.
    pub(crate) fn without_secrets(&self, error: PluginError) -> PluginError {
        let (now, before) = {
            let terms = self.terms.lock();
            (Arc::clone(&terms.now), terms.before.clone())
        };
        let error = error.map_messages(|text| {
            let text = without_secrets(text, &now);
            match &before {
                Some(before) => without_secrets(&text, before),
                None => text,
            }
        });
        match &self.inner {
            Some(inner) => inner.without_secrets(error),
            None => error,
        }
    }
}

fn as_json(arguments: &Arguments) -> String {
    serde_json::Value::Object(arguments.clone()).to_string()
}

/// The mutex of one key in a backend.
pub(crate) struct KeyMutex {
    mutex: Box<dyn Mutex>,
    /// Open until the mutex was called for the last time.
    _instance: Arc<Instance>,
}

impl RemoteMutex for KeyMutex {
    type Lease = Lease;
    type Error = dogpile_plugin_api::Error;

    fn try_acquire(&self, lease: Duration) -> dogpile_plugin_api::Result<Option<Lease>> {
        self.mutex.try_acquire(lease)
    }

    fn wait(&self, timeout: Duration) -> dogpile_plugin_api::Result<()> {
        self.mutex.wait(timeout)
    }

    fn renew(&self, lease: &mut Lease) -> dogpile_plugin_api::Result<bool> {
        self.mutex.renew(lease)
    }

    fn release(&self, lease: Lease) -> dogpile_plugin_api::Result<()> {
        self.mutex.release(lease)
    }

    fn is_locked(&self) -> dogpile_plugin_api::Result<bool> {
        self.mutex.is_locked()
    }

    fn passes(&self, lease: &Lease) -> bool {
        lease.expires != 0
    }
}

/// The last one to hold an instance closes it: the reaper after a reload, or who drops the host.
impl Drop for Instance {
    fn drop(&mut self) {
        if let Err(error) = self.backend.close() {
            let error = self.without_secrets(error);
            blame::not_closed(&self.title(), &OpenError::Failed(error));
        }
    }
}
