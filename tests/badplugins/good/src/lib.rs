//! A plugin with nothing wrong: each `get` of any key counts.

use std::sync::atomic::{AtomicU64, Ordering};

use dogpile_plugin_api::{
    Backend, HostContext, Key, NoArguments, Result, Value, export_plugin, tracing,
};

/// How far each `get` counts.
const STEP: u64 = if cfg!(feature = "changed") { 100 } else { 1 };

struct Counter {
    count: AtomicU64,
    host: HostContext,
}

impl Backend for Counter {
    type Arguments = NoArguments;

    fn open(_: NoArguments, host: &HostContext) -> Result<Self> {
        tracing::info!(step = STEP, "a counter is opened");
        Ok(Self {
            count: AtomicU64::new(0),
            host: *host,
        })
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        let count = self.count.fetch_add(STEP, Ordering::Relaxed) + STEP;
        tracing::debug!(key = key.as_str(), count, "counted");
        Ok(Some(Value::from(count.to_string().into_bytes())))
    }

    fn set(&self, key: &Key, _: &Value) -> Result<()> {
        assert_eq!(
            self.host.key(key.as_str()).as_key().hash(),
            key.hash(),
            "the host's hash is not its own"
        );
        Ok(())
    }

    fn delete(&self, _: &Key) -> Result<()> {
        self.count.store(0, Ordering::Relaxed);
        Ok(())
    }
}

export_plugin! { backends: { "counter" => Counter } }
