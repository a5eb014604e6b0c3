//! A disk that fails.

use std::io;
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::Mutex;
use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use crate::file::Medium;

/// What may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Open,
    Write,
    Sync,
    Grow,
    Read,
}

#[derive(Debug)]
struct Plan {
    kind: Kind,
    /// How many of them are done before one fails.
    left: usize,
    /// Whether all fail from then on.
    stays: bool,
    failed: usize,
    healed: bool,
    error: io::ErrorKind,
}

/// A disk of which the n-th call of a kind fails.
#[derive(Clone, Debug)]
pub(super) struct Failing(Arc<Mutex<Plan>>);

impl Failing {
    pub(super) fn at(kind: Kind, number: usize, stays: bool, error: io::ErrorKind) -> Self {
        Self(Arc::new(Mutex::new(Plan {
            kind,
            left: number,
            stays,
            failed: 0,
            healed: false,
            error,
        })))
    }

    pub(super) fn failed(&self) -> usize {
        self.0.lock().failed
    }

    pub(super) fn heal(&self) {
        self.0.lock().healed = true;
    }

    pub(super) fn break_again(&self) {
        self.0.lock().healed = false;
    }

    fn may(&self, kind: Kind) -> io::Result<()> {
        let mut plan = self.0.lock();
        if plan.kind != kind || plan.healed {
            return Ok(());
        }
        if plan.left > 0 {
            plan.left -= 1;
            return Ok(());
        }
        if plan.failed > 0 && !plan.stays {
            return Ok(());
        }
        plan.failed += 1;
        Err(io::Error::from(plan.error))
    }
}

impl Medium for Failing {
    fn around(&self, file: FileBackend) -> io::Result<Box<dyn StorageBackend>> {
        self.may(Kind::Open)?;
        Ok(Box::new(Around {
            file,
            disk: self.clone(),
        }))
    }
}

#[derive(Debug)]
struct Around {
    file: FileBackend,
    disk: Failing,
}

impl StorageBackend for Around {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.may(Kind::Read)?;
        self.file.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.disk.may(Kind::Grow)?;
        self.file.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        // What a test cannot see anyway.
        self.disk.may(Kind::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if let Err(error) = self.disk.may(Kind::Write) {
            // A write that fails may have been done in part: in whole blocks.
            let blocks = data.len() / 4096 / 2;
            self.file.write(offset, &data[..blocks * 4096])?;
            return Err(error);
        }
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
