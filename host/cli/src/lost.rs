//! What the backend `dbm` tells of a file whose entries are lost.

use std::fmt::{self, Write as _};

use dogpile_plugin_dbm::LOST;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::set_global_default;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

/// The target of the records of plugins that are not linked in, which have their own target as `module`.
const OF_PLUGINS: &str = "dogpile::plugin";

/// Has it called with each from now on, whichever region it is of. It must not block: who tells has the file locked.
pub(crate) fn tell_to(call: impl Fn(String) + Send + Sync + 'static) {
    let all = tracing_subscriber::registry().with(LevelFilter::WARN);
    // A process has one.
    let _second = set_global_default(all.with(Lost(call)));
}

struct Lost<F>(F);

impl<S: Subscriber, F: Fn(String) + 'static> Layer<S> for Lost<F> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut told = Told::default();
        event.record(&mut told);
        let target = match event.metadata().target() {
            OF_PLUGINS => &told.module,
            target => target,
        };
        if target == LOST {
            // What a reader of damaged files says can have several.
            (self.0)(told.message.replace('\n', " "));
        }
    }
}

#[derive(Default)]
struct Told {
    message: String,
    module: String,
}

impl Visit for Told {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "module" {
            value.clone_into(&mut self.module);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a string does not fail.
            let _written = write!(self.message, "{value:?}");
        }
    }
}
