//! Waiting for what another process has.
//!
//! The kernel wakes who waits for a lock, but such a call ends neither at a time nor when it is not wanted any more. So
//! a thread makes it, one for each lock that somebody wants, with an opening of the file of its own, and callers wait
//! for the thread. Who has the lock then is the process: the first caller that asks claims it.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use dogpile_plugin_api::{Result, tracing};
use parking_lot::MutexGuard;

use super::creation_locks::{CreationLocks, is_in_place};
use super::kernel::Kernel;
use super::table::{By, Grant, Table};
use crate::file::open_or_make;

/// Threads that wait at once, in an instance. Beyond them callers look for themselves.
const MOST: usize = 64;

/// How often they look, about.
const LOOK: Duration = Duration::from_millis(20);

/// Longer than anybody waits, and no more than a moment can be away.
const FOREVER: Duration = Duration::from_hours(24 * 365);

/// How long a lock that a thread got for a caller waits to be claimed.
const CLAIM: Duration = Duration::from_millis(50);

pub(super) fn wait(locks: &Arc<CreationLocks>, offset: u64, timeout: Duration) -> Result<()> {
    let now = Instant::now();
    let end = now.checked_add(timeout).unwrap_or(now + FOREVER);
    let kernel = locks.scope.kernel(offset);
    let mut table = locks.table_in_place()?;
    let waiters = table.waiters.entry(offset).or_default();
    waiters.number += 1;
    let news = Arc::clone(&waiters.news);
    table.awaited.entry(kernel).or_default().by += 1;
    let ended = loop {
        if table.closed || Instant::now() >= end {
            break Ok(());
        }
        let look = if table.holders.contains_key(&offset) {
            end
        } else {
            if table.grants.contains_key(&kernel) {
                break Ok(());
            }
            match start(locks, &mut table, kernel) {
                Ok(true) => end,
                Ok(false) => break Ok(()),
                Err(_) => end.min(Instant::now() + jittered(offset)),
            }
        };
        let _timed_out = news.wait_until(&mut table, look);
    };
    if let Some(waiters) = table.waiters.get_mut(&offset) {
        waiters.number -= 1;
        if waiters.number == 0 {
            table.waiters.remove(&offset);
        }
    }
    if let Some(awaited) = table.awaited.get_mut(&kernel) {
        awaited.by -= 1;
        if awaited.by == 0 && !awaited.thread {
            table.awaited.remove(&kernel);
        }
    }
    ended
}

/// Why no thread waits.
struct NoThread;

/// Has a thread wait for the lock. False if that is free already.
fn start(
    locks: &Arc<CreationLocks>,
    table: &mut MutexGuard<'_, Table>,
    kernel: Kernel,
) -> std::result::Result<bool, NoThread> {
    if table
        .awaited
        .get(&kernel)
        .is_some_and(|awaited| awaited.thread)
    {
        return Ok(true);
    }
    if kernel
        .is_locked_elsewhere(&table.file, &locks.path)
        .is_ok_and(|locked| !locked)
    {
        return Ok(false);
    }
    if table.threads >= MOST {
        return Err(NoThread);
    }
    table.tokens += 1;
    let number = table.tokens;
    let own = Arc::clone(locks);
    let spawned = thread::Builder::new()
        .name("dogpile-dbm-wait".to_owned())
        .spawn(move || get(&own, kernel, number));
    if let Err(error) = spawned {
        tracing::warn!(%error, "no thread to wait for another process on: this one looks now and then");
        return Err(NoThread);
    }
    table.threads += 1;
    table.awaited.entry(kernel).or_default().thread = true;
    Ok(true)
}

/// The thread's: gets the lock, and has it until it is claimed or unwanted.
fn get(locks: &CreationLocks, kernel: Kernel, number: u64) {
    let got = open_or_make(&locks.path).map(|file| {
        let locked = kernel.lock(&file);
        locked.map(|()| file)
    });
    let mut table = locks.table.lock();
    // Of a lock file that was removed meanwhile it is worth nothing.
    let is_in_place = locks.follow(&mut table).is_ok()
        && matches!(&got, Ok(Ok(file)) if is_in_place(file, &locks.path).unwrap_or(false));
    let wanted = table.awaited.get_mut(&kernel).is_some_and(|awaited| {
        awaited.thread = false;
        awaited.by > 0
    });
    if !wanted {
        table.awaited.remove(&kernel);
    }
    match got {
        Ok(Ok(file)) if wanted && is_in_place && !table.closed => {
            let grant = Grant {
                by: By::Thread(number, file),
                keys: 0,
            };
            table.grants.insert(kernel, grant);
            table.tell(None);
            wait_for_claim(locks, &mut table, kernel, number);
        }
        // Unlocked, not just closed: a child of this process may have the same opening.
        Ok(Ok(file)) => {
            if let Err(error) = kernel.unlock(&file) {
                tracing::warn!(%error, "a lock that nobody wants could not be given back");
            }
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "the lock of another process cannot be waited for");
        }
        Err(error) => {
            tracing::warn!(%error, "the lock of another process cannot be waited for");
        }
    }
    table.threads -= 1;
    table.tell(None);
}

fn wait_for_claim(
    locks: &CreationLocks,
    table: &mut MutexGuard<'_, Table>,
    kernel: Kernel,
    number: u64,
) {
    let end = Instant::now() + CLAIM;
    let is_mine = |table: &Table| {
        table.grants.get(&kernel).is_some_and(|grant| {
            grant.keys == 0 && matches!(grant.by, By::Thread(by, _) if by == number)
        })
    };
    while is_mine(table) && !table.closed && !locks.claims.wait_until(table, end).timed_out() {}
    if is_mine(table)
        && let Err(error) = table.give_back(kernel)
    {
        tracing::warn!(%error, "a lock that nobody claimed could not be given back");
    }
}

/// About as long as callers look apart, and not the same for all keys.
fn jittered(offset: u64) -> Duration {
    let [part, ..] = offset.to_le_bytes();
    LOOK / 2 + LOOK.mul_f64(f64::from(part) / 255.0)
}
