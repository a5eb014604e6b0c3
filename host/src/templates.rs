//! What a host is to the adapters of template engines.

use std::num::NonZeroU64;
use std::sync::Arc;

use dogpile_plugin_api::{
    Decision, Error as PluginError, TemplateCacheInstance, TemplateChange, TemplateEntry,
    TemplateEvent, TemplateRequest,
};

use crate::blame::told;
use crate::inner::Inner;
use crate::region::Region;
use crate::{Error, ErrorKind, Result};

/// The template cache of a host, and the regions that it names; from [`Host::templates`](crate::Host::templates).
///
/// It is for the adapters of template engines, which `dogpile-templates` has; templates themselves are no matter of the
/// host's. Which plugin it is may change with each reload, or be none: then nothing of templates is cached. A clone is
/// cheap, and keeps the host alive.
#[derive(Clone)]
pub struct Templates {
    host: Arc<Inner>,
}

impl Templates {
    pub(crate) fn new(host: Arc<Inner>) -> Self {
        Self { host }
    }

    /// What `read` makes of the decision about a request; `None` if the host has no template cache. The decision borrows
    /// from the template cache, which is in use until `read` ends.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Plugin`] if the template cache fails, or is being reopened after a panic.
    pub fn decide<T>(
        &self,
        request: &TemplateRequest<'_>,
        read: impl FnOnce(Decision<'_>) -> T,
    ) -> Result<Option<T>> {
        self.call("decide", |cache| cache.decide(request).map(read))
    }

    /// The number of the template cache that is in force, which no other of this process has, if it [ignores keys]: for as
    /// long as it is in force, what it decided after this was asked holds for other keys too. Neither blocks nor locks.
    ///
    /// [ignores keys]: dogpile_plugin_api::TemplateCache::ignores_keys
    pub fn decider(&self) -> Option<NonZeroU64> {
        self.host.engine.registry.decider()
    }

    /// What `read` makes of where the text of a request is, or would be; `None` if the host has no template cache.
    ///
    /// # Errors
    ///
    /// As [`Templates::decide`].
    pub fn key_for<T>(
        &self,
        request: &TemplateRequest<'_>,
        read: impl FnOnce(TemplateEntry<'_>) -> T,
    ) -> Result<Option<T>> {
        self.call("key_for", |cache| cache.key_for(request).map(read))
    }

    /// Tells of an edited template.
    ///
    /// # Errors
    ///
    /// As [`Templates::decide`].
    pub fn template_changed(&self, change: &TemplateChange<'_>) -> Result<()> {
        self.call("template_changed", |cache| cache.template_changed(change))
            .map(drop)
    }

    /// Whether [`Templates::observe`] tells anybody.
    pub fn observes(&self) -> bool {
        self.host.engine.registry.observes()
    }

    /// Tells what came of a request, if the template cache wants to know.
    ///
    /// # Errors
    ///
    /// As [`Templates::decide`].
    pub fn observe(&self, request: &TemplateRequest<'_>, event: &TemplateEvent<'_>) -> Result<()> {
        let observe = |cache: &TemplateCacheInstance| {
            if cache.observes() {
                cache.observe(request, event)
            } else {
                Ok(())
            }
        };
        self.call("observe", observe).map(drop)
    }

    /// As [`Host::region`](crate::Host::region).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn region(&self, name: &str) -> Result<Region> {
        self.host.region(name)
    }

    /// One call, on the template cache that is in force when it begins.
    fn call<T>(
        &self,
        method: &'static str,
        call: impl FnOnce(&TemplateCacheInstance) -> Result<T, PluginError>,
    ) -> Result<Option<T>> {
        let snapshot = self.host.engine.registry.load();
        let Some(templates) = &snapshot.templates else {
            return Ok(None);
        };
        let answer = templates.cache.call(method, call).map_err(|error| {
            let title = templates.cache.title();
            let message = format!("{title}: {}", told(&error, "use another template cache"));
            Error::with_source(ErrorKind::Plugin, message, error)
        });
        answer.map(Some)
    }
}
