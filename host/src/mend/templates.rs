use std::sync::Arc;
use std::time::Duration;

use super::{Job, Patient};
use crate::blame;
use crate::registry::Snapshot;
use crate::reload::retire;
use crate::template_cache::TemplateCache;

impl Patient for TemplateCache {
    fn title(&self) -> String {
        self.title()
    }

    fn is_used(self: &Arc<Self>, snapshot: &Snapshot) -> bool {
        snapshot.asks(self)
    }

    fn next_pause(&self) -> Duration {
        self.next_pause()
    }

    fn mended(&self) {
        self.mended();
    }

    fn attempt(self: &Arc<Self>, job: &Job<Self>) -> bool {
        let Some(engine) = job.engine.upgrade() else {
            return true;
        };
        let timeout = engine.registry.load().timeouts.open;
        // Without the change lock, so that a reload need not wait for a plugin.
        let successor = match self.reopen(timeout) {
            Ok(successor) => successor,
            Err(error) => {
                blame::not_reopened(&self.title(), &error);
                return false;
            }
        };
        let _change = engine.change.lock();
        let mut next = Snapshot::clone(&engine.registry.load());
        // Otherwise a reload came first.
        if next.asks(self)
            && let Some(templates) = &mut next.templates
        {
            templates.cache = successor;
            let old = engine.registry.amend(next);
            retire(&engine, old);
            tracing::info!(target: "dogpile.cache", "{} was reopened", self.title());
        }
        true
    }
}
