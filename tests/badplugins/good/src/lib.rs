//! A plugin with nothing wrong: each `get` of any key counts.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use dogpile_plugin_api::{
    Backend, BackendStats, HostContext, Key, NoArguments, Result, Value, export_plugin, tracing,
};

/// How far each `get` counts.
const STEP: u64 = if cfg!(feature = "changed") { 100 } else { 1 };

/// Whose number is how many entries it says it holds. Other digits here, in a copy of the file, are other code.
static MARK: [u8; 20] = *b"dogpile mark 0000000";

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

    fn stats(&self) -> Result<BackendStats> {
        let digits = black_box(&MARK).iter().filter(|byte| byte.is_ascii_digit());
        let number = digits.fold(0, |number, digit| 10 * number + u64::from(digit - b'0'));
        let mut stats = BackendStats::default();
        stats.entries = Some(number);
        Ok(stats)
    }
}

export_plugin! { backends: { "counter" => Counter } }
