//! A value that is read at every call and seldom replaced.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use try_lock::{Locked, TryLock};

use crate::stripes;

/// How often it looks whether a stripe is unpinned: twice as long each time, up to this.
const SLOWEST_LOOK: Duration = Duration::from_millis(50);

/// A value, and a copy of its pointer in each stripe.
///
/// A thread that [pins](Published::pin) its stripe's copy pays for one atomic swap; a load of the `ArcSwap` has two. It
/// is then the only one to write what belongs to the stripe. No copy outlives its replacement, but for those that are
/// pinned.
pub(crate) struct Published<T> {
    current: ArcSwap<T>,
    /// Of `current`, or of the value before it.
    generation: AtomicU64,
    stripes: Arc<[Stripe<T>]>,
}

#[repr(align(128))]
struct Stripe<T>(TryLock<Copied<T>>);

struct Copied<T> {
    generation: u64,
    value: Arc<T>,
}

impl<T: Send + Sync + 'static> Published<T> {
    pub(crate) fn new(first: T) -> Self {
        let first = Arc::new(first);
        let copied = || Copied {
            generation: 0,
            value: Arc::clone(&first),
        };
        Self {
            stripes: (0..*stripes::COUNT)
                .map(|_| Stripe(TryLock::new(copied())))
                .collect(),
            generation: AtomicU64::new(0),
            current: ArcSwap::new(first),
        }
    }

    /// The current value, for a short time.
    #[inline]
    pub(crate) fn load(&self) -> Guard<Arc<T>> {
        self.current.load()
    }

    /// The current value, for longer.
    pub(crate) fn load_full(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// The current value and this thread's stripe, for a short time. `None` while another thread has the stripe, or
    /// this one has it already: then `load` does it.
    #[inline]
    pub(crate) fn pin(&self) -> Option<Pin<'_, T>> {
        let stripe = stripes::own(self.stripes.len());
        let mut copied = self.stripes[stripe].0.try_lock()?;
        let generation = self.generation.load(Ordering::Acquire);
        if copied.generation != generation {
            self.renew(&mut copied, generation);
        }
        Some(Pin { copied, stripe })
    }

    /// A value newer than `generation` is renewed once more at the next pin.
    #[cold]
    fn renew(&self, copied: &mut Copied<T>, generation: u64) {
        *copied = Copied {
            generation,
            value: self.load_full(),
        };
    }

    /// Gives the old value. All who read after this see the new one. The caller calls it from one thread at a time.
    pub(crate) fn replace(&self, next: T) -> Arc<T> {
        let next = Arc::new(next);
        let old = self.current.swap(Arc::clone(&next));
        let generation = self.generation.fetch_add(1, Ordering::AcqRel) + 1;
        let mut pinned: Vec<usize> = (0..self.stripes.len()).collect();
        pinned.retain(|number| !renew(&self.stripes[*number], generation, &next));
        if !pinned.is_empty() {
            self.renew_when_unpinned(pinned, generation, &next);
        }
        old
    }

    /// A thread that never pins again would keep the old value: somebody has to wait for its stripe.
    fn renew_when_unpinned(&self, mut pinned: Vec<usize>, generation: u64, next: &Arc<T>) {
        let (stripes, next) = (Arc::downgrade(&self.stripes), Arc::downgrade(next));
        let wait = move || {
            let mut look = Duration::from_micros(100);
            loop {
                // If it was replaced and is gone, somebody waits with its successor.
                let Some((stripes, next)) = stripes.upgrade().zip(next.upgrade()) else {
                    return;
                };
                pinned.retain(|number| !renew(&stripes[*number], generation, &next));
                if pinned.is_empty() {
                    return;
                }
                drop((stripes, next));
                thread::sleep(look);
                look = (look * 2).min(SLOWEST_LOOK);
            }
        };
        let spawned = thread::Builder::new()
            .name("dogpile-renew".to_owned())
            .spawn(wait);
        if let Err(error) = spawned {
            tracing::error!(
                target: "dogpile.reload", %error,
                "no thread to wait for calls that are under way: what was replaced may stay open until the next ones"
            );
        }
    }
}

/// Puts `next` in the place of a copy of an older generation; false if it is pinned. The old value goes after the lock.
fn renew<T>(stripe: &Stripe<T>, generation: u64, next: &Arc<T>) -> bool {
    let Some(mut copied) = stripe.0.try_lock() else {
        return false;
    };
    if copied.generation < generation {
        copied.generation = generation;
        let old = std::mem::replace(&mut copied.value, Arc::clone(next));
        drop(copied);
        drop(old);
    }
    true
}

/// A value that stays what it is, and a stripe that is this thread's alone, until it is dropped. Of code that is not
/// the host's own, only a backend's runs meanwhile.
pub(crate) struct Pin<'a, T> {
    copied: Locked<'a, Copied<T>>,
    stripe: usize,
}

impl<T> Pin<'_, T> {
    /// The stripe's number, below [`stripes::COUNT`].
    #[inline]
    pub(crate) fn stripe(&self) -> usize {
        self.stripe
    }

    /// Gives the stripe up and goes on with the value.
    pub(crate) fn release(self) -> Arc<T> {
        Arc::clone(&self.copied.value)
    }
}

impl<T> Deref for Pin<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.copied.value
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn a_pin_keeps_its_value_and_the_next_one_has_the_new() {
        let published = Published::new(1);
        let pin = published.pin().unwrap();
        let old = published.replace(2);
        assert_eq!((*pin, *old, **published.load()), (1, 1, 2));
        drop(pin);
        // Whoever waits for the stripe may have it for a moment.
        let pin = std::iter::repeat_with(|| published.pin()).flatten().next();
        assert_eq!(pin.as_deref(), Some(&2));
    }

    #[test]
    fn a_stripe_is_pinned_once() {
        let published = Published::new(1);
        let pin = published.pin();
        assert!(published.pin().is_none());
        drop(pin);
        assert!(published.pin().is_some());
    }

    #[test]
    fn an_idle_thread_keeps_nothing_old() {
        let published = Published::new(1);
        let (pinned, replaced) = (Barrier::new(2), Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                drop(published.pin());
                pinned.wait();
                replaced.wait();
            });
            pinned.wait();
            let old = Arc::downgrade(&published.replace(2));
            assert_eq!(old.strong_count(), 0);
            replaced.wait();
        });
    }

    #[test]
    fn what_was_pinned_as_it_was_replaced_goes_when_it_is_unpinned() {
        let published = Published::new(1);
        let pin = published.pin().unwrap();
        let first = Arc::downgrade(&published.replace(2));
        let second = Arc::downgrade(&published.replace(3));
        assert_eq!((first.strong_count(), second.strong_count()), (1, 0));
        drop(pin);
        while first.strong_count() + second.strong_count() > 0 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn threads_see_a_replacement_from_the_moment_it_returns() {
        let (published, replaced) = (Published::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while replaced.load(Ordering::SeqCst) < 1000 {
                        let at_least = replaced.load(Ordering::SeqCst);
                        if let Some(pin) = published.pin() {
                            assert!(*pin >= at_least);
                        }
                    }
                });
            }
            for next in 1..=1000 {
                published.replace(next);
                replaced.store(next, Ordering::SeqCst);
            }
        });
    }
}
