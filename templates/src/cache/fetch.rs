use std::error::Error as StdError;
use std::time::Instant;

use dogpile::Templates;
use dogpile_plugin_api::{Decision, TemplateEntry, TemplateEvent, TemplateOutcome};

use super::{Part, Rendered, ViewCacheError, trace};

/// What is done about a part.
enum Plan<'a> {
    /// It is rendered; with the reason, if that is a fault.
    Render(Option<String>),
    /// It is stored here; anew, whatever is there.
    Store {
        host: &'a Templates,
        entry: TemplateEntry,
        anew: bool,
    },
}

impl Part<'_> {
    /// The stored text, or what `render` makes, which is then stored: once for all who want it at a time, on the thread
    /// of one of them. While an expired text may be served, one caller renders and the others have the old one.
    ///
    /// Whatever fails in the cache, the caller gets what `render` makes, and the log tells why.
    ///
    /// # Errors
    ///
    /// Those of `render` alone; nothing is stored then. Who waited for it has the same error.
    pub fn get_or_create<E: StdError + Clone + Send + Sync + 'static>(
        self,
        render: impl FnOnce() -> Result<String, E>,
    ) -> Result<Rendered, E> {
        let began = self.observer().map(|_| Instant::now());
        let (entry, rendered) = match self.plan() {
            Plan::Render(None) => (None, uncached(render, TemplateOutcome::Bypassed)),
            Plan::Render(Some(why)) => {
                self.rendered_without(&why);
                (None, uncached(render, TemplateOutcome::Failed))
            }
            Plan::Store { host, entry, anew } => {
                let rendered = self.fetch((host, &entry), anew, render);
                (Some(entry), rendered)
            }
        };
        if let Ok(rendered) = &rendered {
            trace::record(self.named(), rendered.outcome());
            if let Some(began) = began {
                self.observe(entry.as_ref(), rendered.outcome(), began);
            }
        }
        rendered
    }

    fn plan(&self) -> Plan<'_> {
        if !self.cached || !self.cache.is_enabled() {
            return Plan::Render(None);
        }
        if let Some(why) = &self.fault {
            return Plan::Render(Some(why.clone()));
        }
        let Some(host) = self.cache.host() else {
            return Plan::Render(Some(ViewCacheError::NoTemplateCache.to_string()));
        };
        match self.with_request(|request| host.decide(request)) {
            Ok(Some(Decision::Cache(entry))) => Plan::Store {
                host,
                entry,
                anew: false,
            },
            Ok(Some(Decision::Refresh(entry))) => Plan::Store {
                host,
                entry,
                anew: true,
            },
            Ok(Some(_)) => Plan::Render(None),
            Ok(None) if let Some(region) = self.default_region => Plan::Store {
                host,
                entry: self.with_request(|request| TemplateEntry::asked(request, region)),
                anew: false,
            },
            Ok(None) => {
                // Not of this part alone: it is said once.
                let why = ViewCacheError::NoTemplateCache;
                self.cache.warn(&format_args!(
                    "templates are rendered without the cache: {why}"
                ));
                Plan::Render(None)
            }
            Err(error) => Plan::Render(Some(error.to_string())),
        }
    }

    fn fetch<E: StdError + Clone + Send + Sync + 'static>(
        &self,
        (host, entry): (&Templates, &TemplateEntry),
        anew: bool,
        render: impl FnOnce() -> Result<String, E>,
    ) -> Result<Rendered, E> {
        let region = match self.cache.region(host, &entry.region) {
            Ok(region) => region,
            Err(error) => {
                self.rendered_without(&error.to_string());
                return uncached(render, TemplateOutcome::Failed);
            }
        };
        let tags = entry.tags.iter().cloned().chain(self.own_tags());
        let mut call = region.entry(&*entry.key).bypass().tags(tags);
        if let Some(time) = entry.expiration_time {
            call = call.expiration_time(time);
        }
        let mut render = Some(render);
        let mut create = || match render.take() {
            Some(render) => render(),
            None => unreachable!("a creator is called once"),
        };
        let made = if anew {
            call.try_refresh(&mut create)
        } else {
            call.try_get_or_create(&mut create)
        };
        let error = match made {
            Ok(text) => return Ok(Rendered::cached(text)),
            Err(error) => error,
        };
        if let Some(own) = error.creator::<E>() {
            return Err(own.clone());
        }
        // It has not run: a call that bypasses the cache's failures ends with no other error after that.
        self.rendered_without(&error.to_string());
        uncached(create, TemplateOutcome::Failed)
    }

    fn rendered_without(&self, why: &str) {
        self.cache
            .warn(&format_args!("{self} is rendered without the cache: {why}"));
    }

    fn observer(&self) -> Option<&Templates> {
        self.cache.host().filter(|host| host.observes())
    }

    fn observe(&self, entry: Option<&TemplateEntry>, outcome: TemplateOutcome, began: Instant) {
        let Some(host) = self.observer() else {
            return;
        };
        let (region, key) = entry.map_or(("", ""), |entry| (&*entry.region, &*entry.key));
        let event = TemplateEvent::new(outcome, region, key, began.elapsed());
        if let Err(error) = self.with_request(|request| host.observe(request, &event)) {
            self.cache.warn(&format_args!("{self}: {error}"));
        }
    }
}

fn uncached<E>(
    render: impl FnOnce() -> Result<String, E>,
    outcome: TemplateOutcome,
) -> Result<Rendered, E> {
    Ok(Rendered::uncached(render()?, outcome))
}
