//! The backend's mutex of a key, around a creation.

use std::sync::Arc;

use dogpile_lock::{Acquired, Held, Turn};
use dogpile_plugin_api::{Key, Value};

use super::Region;
use super::call::Call;
use super::mangle::BackendKey;
use super::way::Way;
use crate::Result;
use crate::instance::{Failure, Instance, KeyMutex};
use crate::registry::Configured;

/// The turn of a key in a region.
pub(super) type KeyTurn = Turn<Value, Failure, Held<KeyMutex>>;

/// What a key's mutex answered, and the mutex itself if another process has it.
type Asked = (Acquired<Held<KeyMutex>>, Option<Arc<KeyMutex>>);

impl Region {
    /// Asks for the mutex of a key, without waiting. One that cannot be reached is not needed, unless the region or the
    /// call wants an error.
    pub(super) async fn acquire(
        &self,
        way: Way,
        region: &Configured,
        key: &BackendKey<'_>,
        call: &Call<'_>,
    ) -> Result<Asked> {
        let lease = region.config.lock_timeout;
        let ask = move |instance: &Arc<Instance>, key: &Key<'_>| {
            let Some(mutex) = instance.mutex(key)? else {
                return Ok((Acquired::Unneeded, None));
            };
            Ok(match instance.remote.try_acquire(&mutex, lease)? {
                Some(held) => (Acquired::Held(held), None),
                None => (Acquired::Elsewhere, Some(mutex)),
            })
        };
        let asked = self.call_with_key(way, &region.instance, key, ask).await;
        asked.or_else(|error| {
            self.backend_failed(region, call, "mutex", error)?;
            Ok((Acquired::Unneeded, None))
        })
    }

    /// Waits in the caller's place for a mutex that another process has. Without its region the key is free: who asks
    /// next is told.
    pub(super) fn watch(&self, mutex: Arc<KeyMutex>, turn: KeyTurn) {
        if let Ok(region) = self.current() {
            let lease = region.config.lock_timeout;
            region.instance.remote.watch(mutex, lease, turn);
        }
    }

    /// Gives mutexes back.
    pub(super) async fn release(&self, way: Way, leases: Vec<Held<KeyMutex>>) {
        let Ok(region) = self.current() else {
            return;
        };
        let release = move || {
            let released = leases.into_iter().map(Held::release);
            released.filter_map(Result::err).collect::<Vec<_>>()
        };
        let failed = self.call_instance(way, &region.instance, release).await;
        for error in failed {
            tracing::warn!(
                target: "dogpile.cache", region = self.name(), %error,
                "a key's mutex was not released: it is free when its lease has passed"
            );
        }
    }
}
