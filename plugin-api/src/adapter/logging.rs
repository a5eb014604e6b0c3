//! Leads a plugin's logs and panics to the host: each `.so` has a `tracing` dispatcher, a logger of the crate `log` and a
//! panic hook of its own.
//!
//! A record comes with its level, target, message and fields. The spans that it is in are not told: they would have to
//! be those of the host's subscriber.

use std::fmt::{self, Write as _};
use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::abi::RawHost;
use crate::value::image;

/// Does nothing in a plugin that is linked into the host's image, which shares the host's own.
pub(super) fn lead_to(host: &RawHost) {
    if std::ptr::eq(host.image, image()) {
        return;
    }
    let host = *host;
    // A second start of the same image finds the first one's dispatcher, which leads to the same process.
    if tracing::subscriber::set_global_default(ToHost {
        host,
        spans: AtomicU64::new(1),
    })
    .is_ok()
    {
        // Once in an image, which is never unloaded. A plugin that has set one of its own keeps it.
        if log::set_logger(Box::leak(Box::new(LogToHost(host)))).is_ok() {
            log::set_max_level(log::LevelFilter::Trace);
        }
        panic::set_hook(Box::new(move |panic| {
            (host.table.log())(
                1,
                host.plugin,
                "panic".into(),
                panic.to_string().as_str().into(),
            );
        }));
    }
}

/// The plugin's dispatcher: hands every event to the host.
struct ToHost {
    host: RawHost,
    spans: AtomicU64,
}

impl Subscriber for ToHost {
    /// Asked anew for each record, since the host's own interest may change.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        (self.host.table.log_enabled())(number(*metadata.level()), self.host.plugin)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        let message = text.message + &text.fields;
        (self.host.table.log())(
            number(*metadata.level()),
            self.host.plugin,
            metadata.target().into(),
            message.as_str().into(),
        );
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What the libraries in a plugin say by the crate `log`.
struct LogToHost(RawHost);

impl log::Log for LogToHost {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        (self.0.table.log_enabled())(log_number(metadata.level()), self.0.plugin)
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let message = record.args().to_string();
            (self.0.table.log())(
                log_number(record.level()),
                self.0.plugin,
                record.target().into(),
                message.as_str().into(),
            );
        }
    }

    fn flush(&self) {}
}

fn log_number(level: log::Level) -> u8 {
    match level {
        log::Level::Error => 1,
        log::Level::Warn => 2,
        log::Level::Info => 3,
        log::Level::Debug => 4,
        log::Level::Trace => 5,
    }
}

fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

/// An event's message, and its other fields as ` name=value`.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }
}
