//! What callers want of a creation.

use super::Region;
use super::creating::Goal;
use super::keep::{Keep, Rule};
use crate::Result;

/// A value from a creator, unless there is one.
pub(super) struct Once<C, R> {
    creator: Option<C>,
    rule: R,
}

impl<C, R> Once<C, R> {
    pub(super) fn new(creator: C, rule: R) -> Self {
        Self {
            creator: Some(creator),
            rule,
        }
    }
}

impl<T, C, F, R> Goal<T> for Once<C, R>
where
    C: FnOnce() -> F,
    F: Future<Output = Result<T>>,
    R: Rule<T>,
{
    fn create(&mut self) -> impl Future<Output = Result<T>> {
        let creator = self.creator.take();
        creator.expect("the lock creates at most once for a caller")()
    }

    fn keep(&self, value: &T) -> Keep {
        self.rule.keep(value)
    }
}

/// A value from a creator that begins now or later, whatever there is.
pub(super) struct Anew<C, R> {
    once: Once<C, R>,
    since: u64,
}

impl<C, R> Anew<C, R> {
    pub(super) fn new(region: &Region, creator: C, rule: R) -> Self {
        Self {
            once: Once::new(creator, rule),
            since: region.slot().invalidations.mark(region.clock()),
        }
    }
}

impl<T, C, F, R> Goal<T> for Anew<C, R>
where
    C: FnOnce() -> F,
    F: Future<Output = Result<T>>,
    R: Rule<T>,
{
    fn create(&mut self) -> impl Future<Output = Result<T>> {
        self.once.create()
    }

    fn keep(&self, value: &T) -> Keep {
        self.once.keep(value)
    }

    fn since(&self) -> u64 {
        self.since
    }

    fn newer_than(&self) -> u64 {
        u64::MAX
    }
}
