use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

/// Who waits in this process.
#[derive(Default)]
pub(crate) struct Waiters(Mutex<ByLock>);

/// By the names of the locks.
type ByLock = HashMap<Box<[u8]>, Vec<Arc<Waiter>>>;

#[derive(Default)]
struct Waiter {
    woken: Mutex<bool>,
    changed: Condvar,
}

/// A waiter, which is woken with its lock until this is dropped.
pub(crate) struct Registered<'w> {
    waiters: &'w Waiters,
    lock: &'w str,
    waiter: Arc<Waiter>,
}

impl Waiters {
    pub(crate) fn register<'w>(&'w self, lock: &'w str) -> Registered<'w> {
        let waiter = Arc::new(Waiter::default());
        let mut waiters = self.0.lock();
        let of_lock = waiters.entry(lock.as_bytes().into()).or_default();
        of_lock.push(Arc::clone(&waiter));
        drop(waiters);
        Registered {
            waiters: self,
            lock,
            waiter,
        }
    }

    /// Wakes those of that lock.
    pub(crate) fn wake(&self, lock: &[u8]) {
        for waiter in self.0.lock().get(lock).into_iter().flatten() {
            waiter.wake();
        }
    }

    pub(crate) fn wake_all(&self) {
        for waiter in self.0.lock().values().flatten() {
            waiter.wake();
        }
    }
}

impl Waiter {
    fn wake(&self) {
        *self.woken.lock() = true;
        self.changed.notify_all();
    }
}

impl Registered<'_> {
    /// Until it is woken, or was since it registered; or until then.
    pub(crate) fn wait(&self, deadline: Instant) {
        let Waiter { woken, changed } = &*self.waiter;
        let mut woken = woken.lock();
        while !*woken && !changed.wait_until(&mut woken, deadline).timed_out() {}
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        let mut waiters = self.waiters.0.lock();
        if let Some(of_lock) = waiters.get_mut(self.lock.as_bytes()) {
            of_lock.retain(|waiter| !Arc::ptr_eq(waiter, &self.waiter));
            if of_lock.is_empty() {
                waiters.remove(self.lock.as_bytes());
            }
        }
    }
}
