//! What callers want of a creation.

use super::Region;
use super::creating::Goal;
use super::entry::ShouldCache;
use crate::Result;

/// A value from a creator, unless there is one.
pub(super) struct Once<C, P> {
    creator: Option<C>,
    should_cache: P,
}

impl<C, P> Once<C, P> {
    pub(super) fn new(creator: C, should_cache: P) -> Self {
        Self {
            creator: Some(creator),
            should_cache,
        }
    }
}

impl<T, C, F, P> Goal<T> for Once<C, P>
where
    C: FnOnce() -> F,
    F: Future<Output = Result<T>>,
    P: ShouldCache<T>,
{
    fn create(&mut self) -> impl Future<Output = Result<T>> {
        let creator = self.creator.take();
        creator.expect("the lock creates at most once for a caller")()
    }

    fn should_cache(&self, value: &T) -> bool {
        self.should_cache.should_cache(value)
    }
}

/// A value from a creator that begins now or later, whatever there is.
pub(super) struct Anew<C, P> {
    once: Once<C, P>,
    since: u64,
}

impl<C, P> Anew<C, P> {
    pub(super) fn new(region: &Region, creator: C, should_cache: P) -> Self {
        Self {
            once: Once::new(creator, should_cache),
            since: region.slot().invalidations.mark(region.clock()),
        }
    }
}

impl<T, C, F, P> Goal<T> for Anew<C, P>
where
    C: FnOnce() -> F,
    F: Future<Output = Result<T>>,
    P: ShouldCache<T>,
{
    fn create(&mut self) -> impl Future<Output = Result<T>> {
        self.once.create()
    }

    fn should_cache(&self, value: &T) -> bool {
        self.once.should_cache(value)
    }

    fn since(&self) -> u64 {
        self.since
    }

    fn newer_than(&self) -> u64 {
        u64::MAX
    }
}
