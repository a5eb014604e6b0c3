//! How a caller reaches a backend: on its own thread, or by the host's pool.

use std::sync::Arc;
use std::time::Duration;

use dogpile_plugin_api::Key;
use futures_timer::Delay;

use super::Region;
use super::mangle::BackendKey;
use crate::instance::Instance;

/// Whether the caller's thread may block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It may: every call is made on it.
    Here,
    /// It may not: calls that can block are made on the pool.
    Pool,
}

/// Ends when that time has passed since it was first polled.
pub(super) async fn delay(wait: Duration) {
    Delay::new(wait).await;
}

impl Region {
    /// One call of the backend with one key.
    pub(super) async fn call_with_key<R: Send + 'static>(
        &self,
        way: Way,
        instance: &Arc<Instance>,
        key: &BackendKey<'_>,
        call: impl FnOnce(&Arc<Instance>, &Key<'_>) -> R + Send + 'static,
    ) -> R {
        if stays_here(way, instance) {
            return call(instance, &key.key());
        }
        let (instance, key) = (Arc::clone(instance), key.to_owned());
        let call = move || call(&instance, &key.key());
        self.engine.calls.run(call).await
    }

    /// One call of the backend with several keys.
    pub(super) async fn call_with_keys<R: Send + 'static>(
        &self,
        way: Way,
        instance: &Arc<Instance>,
        keys: &[&BackendKey<'_>],
        call: impl FnOnce(&Arc<Instance>, &[Key<'_>]) -> R + Send + 'static,
    ) -> R {
        if stays_here(way, instance) {
            let keys: Vec<_> = keys.iter().map(|key| key.key()).collect();
            return call(instance, &keys);
        }
        let instance = Arc::clone(instance);
        let keys: Vec<BackendKey<'static>> = keys.iter().map(|key| (*key).to_owned()).collect();
        let call = move || {
            let keys: Vec<_> = keys.iter().map(BackendKey::key).collect();
            call(&instance, &keys)
        };
        self.engine.calls.run(call).await
    }

    /// Anything that may block as the backend does.
    pub(super) async fn call_instance<R: Send + 'static>(
        &self,
        way: Way,
        instance: &Arc<Instance>,
        call: impl FnOnce() -> R + Send + 'static,
    ) -> R {
        if stays_here(way, instance) {
            return call();
        }
        self.engine.calls.run(call).await
    }
}

fn stays_here(way: Way, instance: &Instance) -> bool {
    way == Way::Here || !instance.may_block()
}
