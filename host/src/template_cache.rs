//! An open template cache: its calls, each of which looks at its health and reports to it, and whose it is.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use dogpile_plugin_api::{Error, ErrorKind, TemplateCacheInstance};
use parking_lot::Mutex;
use serde_json::Value;

use crate::blame;
use crate::health::{Backoff, Health, State, Turn};
use crate::instance::{Arguments, Recipe};
use crate::loader::{self, OpenError};
use crate::plugins::PluginEntry;
use crate::secrets::without_secrets;
use crate::watched::Mender;

/// An open template cache. Once it has panicked, or a call hangs in it, every call is an error of kind [`ErrorKind::Suspended`], at once. It
/// stores nothing, so that errors of it open no breaker.
pub(crate) struct TemplateCache {
    instance: TemplateCacheInstance,
    /// None of this process has the same; they begin with 1.
    pub(crate) number: u64,
    health: Health,
    owner: Weak<Self>,
    mender: Arc<dyn Mender>,
    pub(crate) plugin: Arc<PluginEntry>,
    pub(crate) name: String,
    arguments: Arc<Arguments>,
    /// Of this instance and all that it succeeds.
    backoff: Arc<Mutex<Backoff>>,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

impl TemplateCache {
    /// Opens it, within `timeout`.
    pub(crate) fn open(
        recipe: &Recipe<'_>,
        timeout: Duration,
        mender: &Arc<dyn Mender>,
    ) -> Result<Arc<Self>, OpenError> {
        Self::opened(recipe, timeout, mender, Arc::default())
    }

    fn opened(
        recipe: &Recipe<'_>,
        timeout: Duration,
        mender: &Arc<dyn Mender>,
        backoff: Arc<Mutex<Backoff>>,
    ) -> Result<Arc<Self>, OpenError> {
        let json = Value::Object((*recipe.arguments).clone()).to_string();
        let (plugin, host) = (&recipe.plugin.plugin, recipe.plugin.host);
        let mut instance = loader::open_template_cache(plugin, recipe.name, &json, host, timeout)?;
        let (title, arguments) = (title(recipe), recipe.arguments.clone());
        instance.on_failed_drop(move |error| blame::failed_drop(&title, &arguments, error));
        Ok(Arc::new_cyclic(|owner| Self {
            instance,
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            health: Health::default(),
            owner: owner.clone(),
            mender: Arc::clone(mender),
            plugin: Arc::clone(recipe.plugin),
            name: recipe.name.to_owned(),
            arguments: Arc::clone(&recipe.arguments),
            backoff,
        }))
    }

    /// Opens its successor, within `timeout`.
    pub(crate) fn reopen(&self, timeout: Duration) -> Result<Arc<Self>, OpenError> {
        let opened = Self::opened(
            &self.recipe(),
            timeout,
            &self.mender,
            Arc::clone(&self.backoff),
        );
        opened.map_err(|error| match error {
            OpenError::Failed(error) => OpenError::Failed(self.without_secrets(error)),
            other => other,
        })
    }

    fn recipe(&self) -> Recipe<'_> {
        Recipe {
            plugin: &self.plugin,
            name: &self.name,
            arguments: Arc::clone(&self.arguments),
        }
    }

    /// Whether one of that recipe would be the same.
    pub(crate) fn serves(&self, recipe: &Recipe<'_>) -> bool {
        self.plugin.same_code(recipe.plugin)
            && self.name == recipe.name
            && self.arguments == recipe.arguments
    }

    /// One call. Whatever fails is an error without secrets, and a panic has it reopened.
    pub(crate) fn call<T>(
        &self,
        method: &'static str,
        call: impl FnOnce(&TemplateCacheInstance) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.health.is_out() {
            return Err(Error::suspended(
                "it is retired, and is not called until it was reopened",
            ));
        }
        let calls = self.mender.calls();
        let called = calls.during(self.address(), method, || call(&self.instance));
        called.map_err(|error| self.failed(error))
    }

    /// By which calls of it are known.
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// A call hangs in it: nobody else is to wait for it. It is reopened, as after a panic, since it stores nothing.
    pub(crate) fn hangs(&self, hang: &str) {
        let code = ErrorKind::Timeout.code();
        self.out(self.health.retire(&hang), code, &hang);
    }

    #[cold]
    fn failed(&self, error: Error) -> Error {
        let error = self.without_secrets(error);
        if error.kind() != ErrorKind::Panic {
            return error;
        }
        let code = error.kind().code();
        self.out(self.health.retire(&error), code, &error);
        error
    }

    fn out(&self, turn: Turn, code: &str, error: &dyn Display) {
        if let (Turn::Out(_), Some(owner)) = (turn, self.owner.upgrade()) {
            let title = self.title();
            tracing::error!(target: "dogpile.cache", code, %error, "{title} is retired, and reopened");
            if let Err(error) = self.mender.mend_templates(&owner) {
                tracing::error!(
                    target: "dogpile.cache", %error,
                    "there is no thread to mend {title}: it is called as before"
                );
                self.health.give_up();
            }
        }
    }

    /// Whether its decisions hold for all keys.
    pub(crate) fn ignores_keys(&self) -> bool {
        self.instance.ignores_keys()
    }

    /// Whether it wants to be told of outcomes.
    pub(crate) fn observes(&self) -> bool {
        self.instance.observes()
    }

    pub(crate) fn state(&self) -> State {
        self.health.state()
    }

    /// How long to wait before the next attempt to reopen it.
    pub(crate) fn next_pause(&self) -> Duration {
        self.backoff.lock().next(Instant::now())
    }

    /// It has a successor.
    pub(crate) fn mended(&self) {
        self.backoff.lock().mended(Instant::now());
    }

    /// What it is, for people.
    pub(crate) fn title(&self) -> String {
        title(&self.recipe())
    }

    fn without_secrets(&self, error: Error) -> Error {
        error.map_messages(|text| without_secrets(text, &self.arguments))
    }
}

fn title(recipe: &Recipe<'_>) -> String {
    format!("template cache `{}` of {}", recipe.name, recipe.plugin)
}
