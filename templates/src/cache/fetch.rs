use std::error::Error as StdError;
use std::time::Instant;

use dogpile::{Cached, Templates};
use dogpile_plugin_api::{TemplateEvent, TemplateOutcome};

use super::place::{Decided, Place};
use super::reused::Reused;
use super::{Part, Rendered, ViewCacheError, trace};

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
        let mut key = Reused::default();
        let place = self.place(&mut key);
        let mut render = Some(render);
        let mut create = || match render.take() {
            Some(render) => render(),
            None => unreachable!("a creator is called once"),
        };
        let made = place.as_ref().map_err(|why| *why).and_then(|place| {
            let tags = || place.tags(&self);
            let call = place.entry().bypass().tags_by(&tags);
            self.made(if place.anew {
                call.try_refresh(&mut create)
            } else {
                call.try_get_or_create(&mut create)
            })
        });
        let made = made.unwrap_or_else(|outcome| Ok(Rendered::uncached(create()?, outcome)));
        self.end(began, place.ok().as_ref(), made)
    }

    /// Where it is stored, or what comes of it without the cache: then it was told why. `key` takes the text of its key.
    pub(super) fn place<'p>(
        &'p self,
        key: &'p mut Reused<String>,
    ) -> Result<Place<'p>, TemplateOutcome> {
        if !self.cached || !self.cache.is_enabled() {
            return Err(TemplateOutcome::Bypassed);
        }
        if let Some(why) = &self.fault {
            return Err(self.fails(why));
        }
        let Some(host) = self.cache.host() else {
            return Err(self.fails(&ViewCacheError::NoTemplateCache.to_string()));
        };
        match self.decided(host, key) {
            Ok(Decided::At(place)) => Ok(place),
            Ok(Decided::Bypassed) => Err(TemplateOutcome::Bypassed),
            Ok(Decided::ByNobody) => {
                // Not of this part alone: it is said once.
                let why = ViewCacheError::NoTemplateCache;
                self.cache.warn(&format_args!(
                    "templates are rendered without the cache: {why}"
                ));
                Err(TemplateOutcome::Bypassed)
            }
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

    /// When it began, if somebody wants to know.
    pub(super) fn begin(&self) -> Option<Instant> {
        let observed = self.cache.host().is_some_and(Templates::observes);
        observed.then(Instant::now)
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
        if let Some(began) = began
            && let (Ok(rendered), Some(host)) = (&made, self.cache.host())
        {
            let (region, key) = place.map_or(("", ""), |place| (place.region.name(), &*place.key));
            let event = TemplateEvent::new(rendered.outcome(), region, key, began.elapsed());
            let own = self.own_key();
            if let Err(error) =
                self.with_request(&own, &self.tags, |request| host.observe(request, &event))
            {
                self.cache.warn(&format_args!("{self}: {error}"));
            }
        }
        made
    }
}
