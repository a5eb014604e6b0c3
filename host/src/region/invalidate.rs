//! Invalidations of a region.

use std::sync::Arc;

use dogpile_lock::Blocking;

use super::Region;
use super::way::Way;
use crate::events::InvalidatedEvent;
use crate::records;
use crate::registry::configured;
use crate::slot::{Count, Invalidation, InvalidationStrategy, Target};
use crate::{Error, ErrorKind, Result};

impl Region {
    /// Outdates every value of the region whose creation has started: nothing is removed. Hard: callers wait for new
    /// values. Soft: the next caller creates a new one, and others are served the old one meanwhile, for as long as the
    /// region's `max_stale` allows: counted from the value's expiry or, if it never expires by an expiration time of its
    /// own, from the invalidation.
    ///
    /// In this process it holds when the call returns, whatever it returns. Where the region's `invalidation` is
    /// `"shared"`, which it is by itself where other processes see what its backend stores, they see it within their
    /// `invalidation_interval`: the call writes a record to the backend, and blocks as that does. Two processes that
    /// invalidate at the same moment may see each other's an interval later. Values are compared with the clock of the
    /// machine which created them: by as much as that is ahead of this one's, values that were created just before may
    /// stay, and by as much as it is behind, values created just after may be outdated. Values that were created more than
    /// 60 seconds ahead of this machine's clock are outdated in any case. A process whose own clock is set back dates what
    /// it begins to create ahead until the clock has caught up, so that an invalidation by another process misses it.
    ///
    /// With a strategy of the program's own, that decides.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoExpirationTime`] of a soft one, if the region has no expiration time: nothing was done;
    /// [`ErrorKind::RegionNotConfigured`]; [`ErrorKind::Backend`] if the record could not be read or written, whatever
    /// `on_backend_error` says, since the other processes do not know then: the host goes on trying, each interval;
    /// [`ErrorKind::Strategy`], with the strategy's own error.
    pub fn invalidate(&self, how: Invalidation) -> Result<()> {
        Blocking::new().on(self.invalidate_on(Way::Here, how))
    }

    /// See [`Region::invalidate`]. In this process it holds before the future first waits; the record is written on a
    /// thread that may block.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn invalidate_async(&self, how: Invalidation) -> Result<()> {
        self.invalidate_on(Way::Pool, how).await
    }

    /// Outdates every value that has one of `tags` and whose creation has started, as [`Region::invalidate`] does with
    /// all. Nothing is searched: a value is compared when it is read. No tags: nothing is done.
    ///
    /// The last 4096 tags that were invalidated are told apart. Of older ones remains the time of the latest, and a
    /// value with any tags that started before that is outdated as well.
    ///
    /// # Errors
    ///
    /// Those of [`Region::invalidate`], but for the strategy's: tags are not its matter.
    pub fn invalidate_tags<T: AsRef<str>>(
        &self,
        tags: impl IntoIterator<Item = T>,
        how: Invalidation,
    ) -> Result<()> {
        Blocking::new().on(self.invalidate_tags_on(Way::Here, tags, how))
    }

    /// See [`Region::invalidate_tags`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn invalidate_tags_async<T: AsRef<str>>(
        &self,
        tags: impl IntoIterator<Item = T>,
        how: Invalidation,
    ) -> Result<()> {
        self.invalidate_tags_on(Way::Pool, tags, how).await
    }

    /// Lets `strategy` decide from now on what [`Region::invalidate`] does and which values are outdated by it, over
    /// all reloads, until another is set; the region's own does not come back. What was invalidated before stays so. A
    /// hit costs a call of it.
    pub fn set_invalidation_strategy(&self, strategy: impl InvalidationStrategy) {
        self.slot().invalidations.set_strategy(Arc::new(strategy));
    }

    async fn invalidate_on(&self, way: Way, how: Invalidation) -> Result<()> {
        self.refuse_endless_soft(how)?;
        let in_force = self.slot().invalidations.in_force();
        let Some(strategy) = in_force.strategy() else {
            return self.outdate_on(way, &[Target::Region], how).await;
        };
        strategy.invalidate(how).map_err(|error| {
            let message = format!(
                "region `{}`: its invalidation strategy failed: {error}",
                self.name()
            );
            Error::with_source(ErrorKind::Strategy, message, error)
        })?;
        tracing::debug!(target: "dogpile.cache", region = self.name(), ?how, "invalidated, by a strategy of its own");
        self.tell_invalidated(&[Target::Region], how);
        Ok(())
    }

    async fn invalidate_tags_on<T: AsRef<str>>(
        &self,
        way: Way,
        tags: impl IntoIterator<Item = T>,
        how: Invalidation,
    ) -> Result<()> {
        self.refuse_endless_soft(how)?;
        let tags: Vec<T> = tags.into_iter().collect();
        let targets: Vec<_> = tags.iter().map(|tag| Target::Tag(tag.as_ref())).collect();
        if targets.is_empty() {
            return Ok(());
        }
        self.outdate_on(way, &targets, how).await
    }

    async fn outdate_on(&self, way: Way, targets: &[Target<'_>], how: Invalidation) -> Result<()> {
        let region = self.current()?;
        let shared = region.shares_invalidations();
        self.slot()
            .invalidations
            .invalidate(self.clock(), targets, how, shared);
        tracing::debug!(target: "dogpile.cache", region = self.name(), ?targets, ?how, shared, "invalidated");
        self.tell_invalidated(targets, how);
        if !shared {
            return Ok(());
        }
        let instance = Arc::clone(&region.instance);
        let clock = self.engine.clock;
        let exchange = move || {
            let exchanged = records::exchange(&region, clock);
            (region, exchanged)
        };
        let (region, exchanged) = self.call_instance(way, &instance, exchange).await;
        exchanged.map_err(|error| {
            let error = self.backend_error(&region, "the record of invalidations", error);
            let message = format!(
                "{error}; what was invalidated is so in this process, and in others as soon as this one can write it"
            );
            self.ended(Error::with_source(ErrorKind::Backend, message, error))
        })
    }

    /// Counts it, and tells the program.
    fn tell_invalidated(&self, targets: &[Target<'_>], how: Invalidation) {
        self.slot().stats.count(match how {
            Invalidation::Hard => Count::HardInvalidation,
            Invalidation::Soft => Count::SoftInvalidation,
        });
        let tags = targets.iter().filter_map(|target| match target {
            Target::Tag(tag) => Some(*tag),
            Target::Region | Target::Tagged => None,
        });
        let tags: Vec<&str> = tags.collect();
        self.engine.events.invalidated(&InvalidatedEvent {
            region: self.name(),
            how,
            tags: &tags,
        });
    }

    /// Without an end, what is soft-invalidated and never created anew would be served for ever.
    fn refuse_endless_soft(&self, how: Invalidation) -> Result<()> {
        let snapshot = self.registry().load();
        let region = configured(&snapshot, self.slot())?;
        if how == Invalidation::Hard || region.config.expiration_time.is_some() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::NoExpirationTime,
            format!(
                "region `{}`: a soft invalidation needs an expiration time, and the region has none; set its \
                 `expiration_time`, or invalidate hard",
                self.name()
            ),
        ))
    }
}
