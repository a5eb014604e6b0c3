//! What is counted over a whole test.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// So often, if `DOGPILE_TEST_FULL` is set; a tenth of that otherwise.
pub(crate) fn full(full: u64) -> u64 {
    match std::env::var_os("DOGPILE_TEST_FULL") {
        Some(_) => full,
        None => full / 10,
    }
}

/// The reloads of all hosts of the process, by what they log.
pub(crate) struct Reloads(Arc<[AtomicU64; 2]>);

impl Reloads {
    /// Counts from now on. The process must be the test's own.
    pub(crate) fn of_this_process() -> Self {
        let counts = Arc::<[AtomicU64; 2]>::default();
        tracing::subscriber::set_global_default(Listener(Arc::clone(&counts))).unwrap();
        Self(counts)
    }

    pub(crate) fn applied(&self) -> u64 {
        self.0[0].load(Ordering::Relaxed)
    }

    pub(crate) fn refused(&self) -> u64 {
        self.0[1].load(Ordering::Relaxed)
    }
}

struct Listener(Arc<[AtomicU64; 2]>);

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "dogpile.reload"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut outcome = Outcome::default();
        event.record(&mut outcome);
        match outcome.0.as_str() {
            "applied" => self.0[0].fetch_add(1, Ordering::Relaxed),
            "refused" => self.0[1].fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What a record says came of a reload.
#[derive(Default)]
struct Outcome(String);

impl Visit for Outcome {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "outcome" {
            self.0 = format!("{value:?}");
        }
    }
}
