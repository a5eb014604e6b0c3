use std::error::Error as StdError;
use std::time::Instant;

use dogpile::{Cached, Entry, Region, Templates};
use dogpile_plugin_api::{Decision, TemplateEntry, TemplateEvent, TemplateOutcome};

use super::{Part, Rendered, ViewCacheError, trace};

/// Where a part is stored.
pub(super) struct Place<'a> {
    region: &'a Region,
    entry: TemplateEntry,
    /// It is rendered, whatever is there.
    pub(super) anew: bool,
}

impl Place<'_> {
    /// The call that gets or makes it.
    pub(super) fn call(&self, part: &Part<'_>) -> Entry<'_> {
        let entry = &self.entry;
        let tags = entry.tags.iter().cloned().chain(part.own_tags());
        let call = self.region.entry(&*entry.key).bypass().tags(tags);
        match entry.expiration_time {
            Some(time) => call.expiration_time(time),
            None => call,
        }
    }
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
        let began = self.begin();
        let place = self.place();
        let mut render = Some(render);
        let mut create = || match render.take() {
            Some(render) => render(),
            None => unreachable!("a creator is called once"),
        };
        let made = place.as_ref().map_err(|why| *why).and_then(|place| {
            let call = place.call(&self);
            self.made(if place.anew {
                call.try_refresh(&mut create)
            } else {
                call.try_get_or_create(&mut create)
            })
        });
        let made = made.unwrap_or_else(|outcome| Ok(Rendered::uncached(create()?, outcome)));
        self.end(began, place.ok().as_ref(), made)
    }

    /// Where it is stored, or what comes of it without the cache: then it was told why.
    pub(super) fn place(&self) -> Result<Place<'_>, TemplateOutcome> {
        if !self.cached || !self.cache.is_enabled() {
            return Err(TemplateOutcome::Bypassed);
        }
        if let Some(why) = &self.fault {
            return Err(self.fails(why));
        }
        let Some(host) = self.cache.host() else {
            return Err(self.fails(&ViewCacheError::NoTemplateCache.to_string()));
        };
        let (entry, anew) = match self.with_request(|request| host.decide(request)) {
            Ok(Some(Decision::Cache(entry))) => (entry, false),
            Ok(Some(Decision::Refresh(entry))) => (entry, true),
            Ok(Some(_)) => return Err(TemplateOutcome::Bypassed),
            Ok(None) if let Some(region) = self.default_region => {
                let entry = self.with_request(|request| TemplateEntry::asked(request, region));
                (entry, false)
            }
            Ok(None) => {
                // Not of this part alone: it is said once.
                let why = ViewCacheError::NoTemplateCache;
                self.cache.warn(&format_args!(
                    "templates are rendered without the cache: {why}"
                ));
                return Err(TemplateOutcome::Bypassed);
            }
            Err(error) => return Err(self.fails(&error.to_string())),
        };
        match self.cache.region(host, &entry.region) {
            Ok(region) => Ok(Place {
                region,
                entry,
                anew,
            }),
            Err(error) => Err(self.fails(&error.to_string())),
        }
    }

    /// What a call has made. If the cache failed the creator has not run: a call that bypasses the cache's failures ends
    /// with no other error after that.
    pub(super) fn made<E: StdError + Clone + Send + Sync + 'static>(
        &self,
        made: dogpile::Result<Cached<String>>,
    ) -> Result<Result<Rendered, E>, TemplateOutcome> {
        match made {
            Ok(text) => Ok(Ok(Rendered::cached(text))),
            Err(error) => match error.creator::<E>() {
                Some(own) => Ok(Err(own.clone())),
                None => Err(self.fails(&error.to_string())),
            },
        }
    }

    fn fails(&self, why: &str) -> TemplateOutcome {
        self.cache
            .warn(&format_args!("{self} is rendered without the cache: {why}"));
        TemplateOutcome::Failed
    }

    fn observer(&self) -> Option<&Templates> {
        self.cache.host().filter(|host| host.observes())
    }

    /// When it began, if somebody wants to know.
    pub(super) fn begin(&self) -> Option<Instant> {
        self.observer().map(|_| Instant::now())
    }

    /// Tells whoever wants to know.
    pub(super) fn end<E>(
        &self,
        began: Option<Instant>,
        place: Option<&Place<'_>>,
        made: Result<Rendered, E>,
    ) -> Result<Rendered, E> {
        if let Ok(rendered) = &made {
            trace::record(self.named(), rendered.outcome());
        }
        if let (Some(began), Ok(rendered), Some(host)) = (began, &made, self.observer()) {
            let entry = place.map(|place| &place.entry);
            let (region, key) = entry.map_or(("", ""), |entry| (&*entry.region, &*entry.key));
            let event = TemplateEvent::new(rendered.outcome(), region, key, began.elapsed());
            if let Err(error) = self.with_request(|request| host.observe(request, &event)) {
                self.cache.warn(&format_args!("{self}: {error}"));
            }
        }
        made
    }
}
