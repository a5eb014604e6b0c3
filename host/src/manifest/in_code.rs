//! A region configured in code, with the manifest's words.

use std::time::Duration;

use serde_json::{Map, Value};

use super::model::{
    BackendRef, InvalidationScope, KeyManglers, ManglerConfig, MaxStale, OnBackendError,
    ProxyConfig, RegionConfig,
};
use crate::serializer::SerializerKind;

/// Setters, to configure a region in code. Fields can be set as well.
impl RegionConfig {
    /// A region on the backend `backend`: `"memory"`, or `"plugin/backend"` where two plugins offer the same name.
    /// Values never expire until [`RegionConfig::expiration_time`] says when.
    pub fn on(name: impl Into<String>, backend: &str) -> Self {
        let (plugin, backend) = match backend.split_once('/') {
            Some((plugin, backend)) => (Some(plugin.to_owned()), backend),
            None => (None, backend),
        };
        Self::new(
            name,
            BackendRef {
                plugin,
                name: backend.to_owned(),
            },
        )
    }

    /// Values expire so long after their creation. They may be served stale for as long again, unless
    /// [`RegionConfig::max_stale`] says otherwise.
    #[must_use]
    pub fn expiration_time(mut self, time: Duration) -> Self {
        self.expiration_time = Some(time);
        self
    }

    /// How long past its expiry a value may be served while a new one is created.
    #[must_use]
    pub fn max_stale(mut self, limit: MaxStale) -> Self {
        self.max_stale = Some(limit);
        self
    }

    /// One of the backend's arguments.
    #[must_use]
    pub fn argument(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.arguments.insert(name.into(), value.into());
        self
    }

    /// Put before every key, after mangling.
    #[must_use]
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.key_prefix = prefix.into();
        self
    }

    /// Another region may use the same keys of the same storage, if it says so too: they share one instance of the
    /// backend, and with it their creations.
    #[must_use]
    pub fn shares_keys(mut self) -> Self {
        self.shares_keys = true;
        self
    }

    /// Adds a key mangler, without arguments.
    #[must_use]
    pub fn key_mangler(mut self, name: impl Into<String>) -> Self {
        let mangler = ManglerConfig {
            name: name.into(),
            arguments: Value::Object(Map::new()),
        };
        match &mut self.key_mangler {
            KeyManglers::Named(manglers) => manglers.push(mangler),
            KeyManglers::Backend | KeyManglers::Off => {
                self.key_mangler = KeyManglers::Named(vec![mangler]);
            }
        }
        self
    }

    /// Adds a proxy, without arguments, inside of those that were added before: the first is the outermost.
    #[must_use]
    pub fn proxy(self, name: impl Into<String>) -> Self {
        self.proxy_with(name, Map::new())
    }

    /// Adds a proxy with arguments, as [`RegionConfig::proxy`] does without.
    #[must_use]
    pub fn proxy_with(
        mut self,
        name: impl Into<String>,
        arguments: impl IntoIterator<Item = (String, Value)>,
    ) -> Self {
        self.proxies.push(ProxyConfig {
            name: name.into(),
            arguments: arguments.into_iter().collect(),
        });
        self
    }

    /// Whether the backend must answer a ping before the region is configured. Default: it need not.
    #[must_use]
    pub fn require_healthy(mut self, must: bool) -> Self {
        self.require_healthy = Some(must);
        self
    }

    /// What happens when the backend fails.
    #[must_use]
    pub fn on_backend_error(mut self, what: OnBackendError) -> Self {
        self.on_backend_error = what;
        self
    }

    /// How long one caller waits for another's creation. Without it, for as long as that takes; but within a creator,
    /// where other processes see what the backend stores, for [`lock_timeout`](Self::lock_timeout): two processes whose
    /// creators wait for each other's keys would never end. The same is true of two regions of one process which use one
    /// storage through instances of their own, with other arguments or in other hosts.
    #[must_use]
    pub fn lock_wait(mut self, limit: Duration) -> Self {
        self.lock_wait = Some(limit);
        self
    }

    /// Who knows of its invalidations. Without, every process does where others see what the backend stores.
    #[must_use]
    pub fn invalidation(mut self, scope: InvalidationScope) -> Self {
        self.invalidation = Some(scope);
        self
    }

    /// How often the record of shared invalidations is read, and so how late those of other processes are seen. At
    /// least every millisecond.
    #[must_use]
    pub fn invalidation_interval(mut self, interval: Duration) -> Self {
        self.invalidation_interval = interval;
        self
    }

    /// How values become bytes, where the backend holds bytes. For one of the program's own see
    /// [`Region::set_serializer`](crate::Region::set_serializer).
    #[must_use]
    pub fn serializer(mut self, serializer: SerializerKind) -> Self {
        self.serializer = serializer;
        self
    }

    /// Whether a created value is stored over what Python pickled. If not, which is the default, pickles stay, a warning
    /// tells once of the region that they are there, and the value is created on each call. [`Region::set`](crate::Region::set) replaces whatever is there.
    #[must_use]
    pub fn replace_foreign(mut self, replace: bool) -> Self {
        self.replace_foreign = replace;
        self
    }

    /// Values stored with another version are misses.
    #[must_use]
    pub fn value_version(mut self, version: u32) -> Self {
        self.value_version = version;
        self
    }

    /// How long past its expiry a value may be served if a creation fails, and how long it is not tried again then.
    #[must_use]
    pub fn stale_if_error(mut self, limit: Duration, retry_after: Duration) -> Self {
        self.stale_if_error = limit;
        self.retry_after = retry_after;
        self
    }

    /// Background creators, those given to [`Entry::background`](crate::Entry::background) and those of functions cached
    /// with the option `background`, are run in the background: nobody waits for them while there is a value to serve.
    /// Plain creators stay on their caller's thread. There are 8 threads for them in a host, and room for 1024 that wait;
    /// beyond that the old value stays, and is counted.
    #[must_use]
    pub fn background_refresh(mut self) -> Self {
        self.background_refresh = true;
        self
    }

    /// As [`background_refresh`](Self::background_refresh), and ahead of the expiry, when that share of the expiration
    /// time, from 0 to 1, has passed.
    #[must_use]
    pub fn early_refresh(mut self, share: f64) -> Self {
        self.early_refresh = Some(share);
        self
    }

    /// Expiration times are shorter by up to that share, from 0 to 1, another for each value, so that what was created
    /// together does not expire together. Each process draws its own: of a value that several read, the earliest counts.
    #[must_use]
    pub fn jitter(mut self, share: f64) -> Self {
        self.jitter = share;
        self
    }

    /// The lease of a backend's mutex, for how long a creator that died keeps its key: the next begins a quarter of a second
    /// after that at the latest. It is renewed while one lives, until the value is stored.
    #[must_use]
    pub fn lock_timeout(mut self, lease: Duration) -> Self {
        self.lock_timeout = lease;
        self
    }

    /// How long a call of the backend may take before it counts as one that hangs; default: 2 s.
    ///
    /// Then the breaker opens: nobody else waits for the backend, until it answers a ping, and calls are what
    /// [`on_backend_error`](Self::on_backend_error) says. The log and [`RegionStatus`](crate::RegionStatus) tell which
    /// backend or proxy hangs, in which method, and how many calls are stuck in it. Who is inside stays inside: nothing can
    /// call back a thread that is in a plugin; [`call_timeout`](Self::call_timeout) spares callers that. Opening
    /// (`open_timeout`), closing and waiting for a mutex are not counted. Where the backend knows
    /// [how long its calls may take](dogpile_plugin_api::Backend::longest_call), it is never less than that and a second.
    ///
    /// It is seen up to half a second late, and only if the process itself was running. A call that is merely slow, such as
    /// a `clear` of many keys, is taken for one that hangs as well; then the breaker closes at the first ping, after a tenth
    /// of a second. At least 10 ms. Of regions that [share](Self::shares_keys) a backend, the shortest counts.
    #[must_use]
    pub fn hang_after(mut self, time: Duration) -> Self {
        self.hang_after = Some(time);
        self
    }

    /// A call of the backend may take for ever, without consequences. See [`hang_after`](Self::hang_after).
    #[must_use]
    pub fn hang_never(mut self) -> Self {
        self.hang_after = None;
        self
    }

    /// How long a caller waits for a call of the backend, with all proxies around it; without it, for as long as that takes.
    ///
    /// Calls are made by threads of the instance then, at most 32 at a time, which own key and value, so that the caller
    /// can leave: a read costs two switches of threads more. A call that takes longer, or that gets no thread in that
    /// time, is an [error](dogpile_plugin_api::ErrorKind::Timeout) for its caller, as any other failure is, and counts
    /// for the breaker. What was not begun is never made. A write that was begun may land later, at any time: after one
    /// that took too long (`set`, `delete`, `clear`, their likes, and the release of a mutex) the instance is retired, as
    /// after a panic, and what a backend like `memory` holds is lost with it. Pings, `open` and waits for a mutex have no
    /// such limit. Of regions that [share](Self::shares_keys) a backend, the shortest counts.
    #[must_use]
    pub fn call_timeout(mut self, time: Duration) -> Self {
        self.call_timeout = Some(time);
        self
    }

    /// How long a value that was created while the backend fails is held in the process.
    #[must_use]
    pub fn bypass_hold(mut self, time: Duration) -> Self {
        self.bypass_hold = time;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn the_order_of_setters_does_not_matter() {
        let region = || RegionConfig::on("users", "memory");
        let strict = MaxStale::For(Duration::ZERO);
        let one = region().max_stale(strict).expiration_time(MINUTE);
        let other = region().expiration_time(MINUTE).max_stale(strict);
        assert_eq!(one.resolved_max_stale(), strict);
        assert_eq!(one, other);
    }

    #[test]
    fn values_are_served_stale_as_long_as_they_were_fresh_unless_it_is_said() {
        let region = RegionConfig::on("users", "memory");
        assert_eq!(region.resolved_max_stale(), MaxStale::Forever);
        let timed = region.expiration_time(MINUTE);
        assert_eq!(timed.resolved_max_stale(), MaxStale::For(MINUTE));
        // The same thing, said.
        assert_eq!(timed.clone().max_stale(MaxStale::For(MINUTE)), timed);
        assert_ne!(timed.clone().max_stale(MaxStale::Forever), timed);
    }
}
