use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use parking_lot::Condvar;

use super::kernel::Kernel;

/// Who holds and who waits, in this process.
pub(super) struct Table {
    /// The process that opened the file: a child has the same open file, and must not use it.
    pub(super) process: u32,
    /// By which this process holds what was free when it was asked for.
    pub(super) file: Arc<File>,
    /// The holder of each key that this instance created for, by offset.
    pub(super) holders: HashMap<u64, Token>,
    /// What this process has of the kernel.
    pub(super) grants: HashMap<Kernel, Grant>,
    /// Who waits for a key, by offset.
    pub(super) waiters: HashMap<u64, Waiters>,
    /// What a thread waits for.
    pub(super) awaited: HashMap<Kernel, Awaited>,
    /// Threads that wait, or have what nobody has claimed yet.
    pub(super) threads: usize,
    pub(super) closed: bool,
    pub(super) tokens: u64,
}

/// Tells a holder from every other of this instance.
pub(super) type Token = [u8; 16];

/// A lock of the kernel's that this process has.
pub(super) struct Grant {
    pub(super) by: By,
    /// For how many keys. 0: a thread got it, and it waits to be claimed.
    pub(super) keys: usize,
}

/// The opening of the file that has it.
pub(super) enum By {
    /// The instance's, at that time.
    Main(Arc<File>),
    /// That of the thread of this number, which waited for it.
    Thread(u64, File),
}

#[derive(Default)]
pub(super) struct Waiters {
    pub(super) news: Arc<Condvar>,
    pub(super) number: usize,
}

#[derive(Default)]
pub(super) struct Awaited {
    /// How many callers want it: the thread gives it back at once when there are none.
    pub(super) by: usize,
    /// Whether a thread is on its way, blocked in the kernel.
    pub(super) thread: bool,
}

impl Table {
    pub(super) fn new(file: File) -> Self {
        Self {
            process: std::process::id(),
            file: Arc::new(file),
            holders: HashMap::new(),
            grants: HashMap::new(),
            waiters: HashMap::new(),
            awaited: HashMap::new(),
            threads: 0,
            closed: false,
            tokens: 0,
        }
    }

    /// Wakes who waits for the key at that offset, or for any key.
    pub(super) fn tell(&self, offset: Option<u64>) {
        match offset {
            Some(offset) => {
                if let Some(waiters) = self.waiters.get(&offset) {
                    waiters.news.notify_all();
                }
            }
            None => {
                for waiters in self.waiters.values() {
                    waiters.news.notify_all();
                }
            }
        }
    }

    /// What a thread got and nobody claimed, if the kernel's lock is that.
    pub(super) fn is_unclaimed(&self, kernel: Kernel) -> bool {
        self.grants
            .get(&kernel)
            .is_some_and(|grant| grant.keys == 0)
    }

    /// Gives back what a thread got and nobody claimed.
    pub(super) fn drop_unclaimed(&mut self, kernel: Kernel) -> std::io::Result<bool> {
        if !self.is_unclaimed(kernel) {
            return Ok(false);
        }
        self.give_back(kernel)?;
        Ok(true)
    }

    /// Gives a lock back to the kernel.
    pub(super) fn give_back(&mut self, kernel: Kernel) -> std::io::Result<()> {
        match self.grants.remove(&kernel).map(|grant| grant.by) {
            None => Ok(()),
            Some(By::Main(file)) => kernel.unlock(&file),
            // Unlocked, not just closed: a child of this process may have the same opening.
            Some(By::Thread(_, file)) => kernel.unlock(&file),
        }
    }
}
