//! Invalidation in the program's own way.

use std::error::Error as StdError;
use std::time::SystemTime;

use super::Invalidation;

/// How a value is outdated, as an [`InvalidationStrategy`] judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as if it were gone.
    Hard,
    /// It is as if it had expired, and is served while a new one is created.
    Soft {
        /// When it was outdated: `max_stale` and `stale_if_error` are counted from then if the value never expires. Time
        /// before its creation started does not count. While the answer grows with the clock, these times do not end.
        since: SystemTime,
    },
}

/// Decides which values of a region are outdated, in place of the times that the host keeps;
/// [`Region::set_invalidation_strategy`](crate::Region::set_invalidation_strategy) sets it.
///
/// It decides what [`Region::invalidate`](crate::Region::invalidate) does and what that outdates. Tags are not its
/// matter: values that [`Region::invalidate_tags`](crate::Region::invalidate_tags) outdates are outdated whatever it
/// says. Nor are invalidations by other processes, if the region shares them: configure it as local where the strategy
/// is to be alone.
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use std::time::SystemTime;
///
/// use dogpile::{Host, Invalidation, InvalidationStrategy, RegionConfig, Verdict};
///
/// /// Nothing that was created before the price list is valid, until that is lifted.
/// struct PriceList { from: SystemTime, lifted: AtomicBool }
///
/// impl InvalidationStrategy for PriceList {
///     fn invalidate(&self, _: Invalidation) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
///         self.lifted.store(false, Ordering::Release);
///         Ok(())
///     }
///
///     fn outdates(&self, _: SystemTime, started: SystemTime) -> Option<Verdict> {
///         let outdated = !self.lifted.load(Ordering::Acquire) && started < self.from;
///         outdated.then_some(Verdict::Hard)
///     }
/// }
///
/// # let host = Host::builder()
/// #     .plugin(dogpile_plugin_memory::plugin())
/// #     .region(RegionConfig::on("prices", "memory"))
/// #     .build()?;
/// let prices = host.region("prices")?;
/// let from = SystemTime::now() + std::time::Duration::from_secs(60);
/// prices.set_invalidation_strategy(PriceList { from, lifted: AtomicBool::new(true) });
/// prices.set("apple", 3)?;
/// assert!(prices.get::<i32>("apple")?.is_some());
/// prices.invalidate(Invalidation::Hard)?;
/// assert!(prices.get::<i32>("apple")?.is_none());
/// # Ok::<(), dogpile::Error>(())
/// ```
pub trait InvalidationStrategy: Send + Sync + 'static {
    /// Outdates the values whose creation has started. Called on the caller's thread, which waits for it.
    ///
    /// # Errors
    ///
    /// Are given to the caller of [`Region::invalidate`](crate::Region::invalidate).
    fn invalidate(&self, how: Invalidation) -> Result<(), Box<dyn StdError + Send + Sync>>;

    /// How a value is outdated whose creation started and ended at these times; `None`: it is not. Called for every
    /// value that is read, on the reader's thread, under no lock; it should not block.
    fn outdates(&self, created: SystemTime, started: SystemTime) -> Option<Verdict>;
}
