//! A mutex on both sides of the boundary.

use std::time::Duration;

use abi_stable::prefix_type::WithMetadata;
use abi_stable::staticref;
use abi_stable::std_types::ROption;

use super::barrier::done;
use super::failed_drop::FailedDrop;
use crate::abi::{MutexTable, MutexTableRef, RawMutex, RawValue};
use crate::{Lease, Mutex, Result};

/// The plugin's side; `state` is a `Box<Box<dyn Mutex>>`.
pub(super) struct MutexProvider;

impl MutexProvider {
    staticref!(const TABLE: WithMetadata<MutexTable> = WithMetadata::new(MutexTable {
        try_acquire: Self::try_acquire,
        wait: Self::wait,
        renew: Self::renew,
        release: Self::release,
        is_locked: Self::is_locked,
        destroy: Self::destroy,
    }));

    pub(super) fn give(mutex: Box<dyn Mutex>) -> RawMutex {
        RawMutex {
            state: Box::into_raw(Box::new(mutex)).cast_const().cast(),
            table: MutexTableRef(Self::TABLE.as_prefix()),
        }
    }

    /// # Safety
    ///
    /// `state` came from `give` and was not destroyed.
    unsafe fn mutex<'a>(state: *const ()) -> &'a dyn Mutex {
        // SAFETY: by this function's contract.
        unsafe { &**state.cast::<Box<dyn Mutex>>() }
    }

    unsafe extern "C" fn try_acquire(
        state: *const (),
        nanoseconds: u64,
        lease: &mut ROption<Lease>,
    ) -> RawValue {
        // SAFETY: the host calls with the state of a mutex that it was given.
        let mutex = unsafe { Self::mutex(state) };
        done("try_acquire", || {
            *lease = mutex.try_acquire(Duration::from_nanos(nanoseconds))?.into();
            Ok(())
        })
    }

    unsafe extern "C" fn wait(state: *const (), nanoseconds: u64) -> RawValue {
        // SAFETY: the host calls with the state of a mutex that it was given.
        let mutex = unsafe { Self::mutex(state) };
        done("wait", || mutex.wait(Duration::from_nanos(nanoseconds)))
    }

    unsafe extern "C" fn renew(state: *const (), lease: &mut Lease, held: &mut bool) -> RawValue {
        // SAFETY: the host calls with the state of a mutex that it was given.
        let mutex = unsafe { Self::mutex(state) };
        done("renew", || {
            *held = mutex.renew(lease)?;
            Ok(())
        })
    }

    unsafe extern "C" fn release(state: *const (), lease: &Lease) -> RawValue {
        // SAFETY: the host calls with the state of a mutex that it was given.
        let mutex = unsafe { Self::mutex(state) };
        done("release", || mutex.release(*lease))
    }

    unsafe extern "C" fn is_locked(state: *const (), locked: &mut bool) -> RawValue {
        // SAFETY: the host calls with the state of a mutex that it was given.
        let mutex = unsafe { Self::mutex(state) };
        done("is_locked", || {
            *locked = mutex.is_locked()?;
            Ok(())
        })
    }

    unsafe extern "C" fn destroy(state: *const ()) -> RawValue {
        done("drop of a mutex", || {
            // SAFETY: `give` made the box, and the host destroys it once.
            drop(unsafe { Box::from_raw(state.cast::<Box<dyn Mutex>>().cast_mut()) });
            Ok(())
        })
    }
}

/// The host's side: a plugin's mutex behind the trait again.
pub(super) struct MutexClient {
    raw: RawMutex,
    failed_drop: FailedDrop,
}

// SAFETY: what stands behind it is a `Box<dyn Mutex>`, which is `Send` and `Sync`.
unsafe impl Send for MutexClient {}
// SAFETY: as above.
unsafe impl Sync for MutexClient {}

impl MutexClient {
    /// # Safety
    ///
    /// `raw` was given by a backend and is used nowhere else.
    pub(super) unsafe fn new(raw: RawMutex, failed_drop: FailedDrop) -> Self {
        Self { raw, failed_drop }
    }
}

impl Mutex for MutexClient {
    fn try_acquire(&self, lease: Duration) -> Result<Option<Lease>> {
        let mut out = ROption::RNone;
        // SAFETY: the state is the plugin's own and not yet destroyed; so in all methods.
        unsafe {
            (self.raw.table.try_acquire())(self.raw.state, nanoseconds(lease), &mut out)
                .take_nothing("try_acquire")?;
        }
        Ok(out.into())
    }

    fn wait(&self, timeout: Duration) -> Result<()> {
        // SAFETY: as in `try_acquire`.
        unsafe {
            (self.raw.table.wait())(self.raw.state, nanoseconds(timeout)).take_nothing("wait")
        }
    }

    fn renew(&self, lease: &mut Lease) -> Result<bool> {
        let mut held = false;
        // SAFETY: as in `try_acquire`.
        unsafe {
            (self.raw.table.renew())(self.raw.state, lease, &mut held).take_nothing("renew")?;
        }
        Ok(held)
    }

    fn release(&self, lease: Lease) -> Result<()> {
        // SAFETY: as in `try_acquire`.
        unsafe { (self.raw.table.release())(self.raw.state, &lease).take_nothing("release") }
    }

    fn is_locked(&self) -> Result<bool> {
        let mut locked = false;
        // SAFETY: as in `try_acquire`.
        unsafe {
            (self.raw.table.is_locked())(self.raw.state, &mut locked).take_nothing("is_locked")?;
        }
        Ok(locked)
    }
}

impl Drop for MutexClient {
    fn drop(&mut self) {
        // SAFETY: as in `try_acquire`; nothing is called afterwards.
        let dropped = unsafe { (self.raw.table.destroy())(self.raw.state).take_nothing("destroy") };
        self.failed_drop.look("mutex", dropped);
    }
}

/// A duration as it crosses the boundary; more than 584 years are that many.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
