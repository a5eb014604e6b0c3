//! The mutex in time: these cases wait for leases to pass.

use std::time::{Duration, Instant};

use super::fixture::{Case, Ended, Fixture, Stop, check, not_supported, skipped};
use super::mutex::{another_process, guarded_store, take, take_within};
use crate::{Guarded, Lease, Mutex};

pub(super) const CASES: &[Case] = &[
    (
        "a_dead_holder_is_followed_when_its_lease_has_passed",
        passes,
    ),
    ("a_renewed_lease_lasts_its_full_length_again", renewed),
    ("a_lost_lease_cannot_be_renewed", lost),
    ("a_lost_lease_releases_nobody_else", lost_release),
    ("a_lost_lease_stores_nothing", lost_store),
    (
        "a_deletion_is_remembered_for_as_long_as_its_lease_is_renewed",
        remembered,
    ),
];

/// The shortest that every storage can keep.
const LEASE: Duration = Duration::from_secs(1);
/// How far a storage's clock may be off, and how late a storage may be.
const SLACK: Duration = Duration::from_millis(50);
const LATE: Duration = Duration::from_secs(10);

/// Ends the case unless leases of this storage pass by themselves.
fn passing(lease: Lease) -> Ended {
    if lease.expires == 0 {
        return not_supported(
            "leases do not pass by themselves: the storage notices a dead holder",
        );
    }
    Ok(())
}

/// Takes the mutex over when the lease that was taken at `since` has passed.
fn follower(mutex: &dyn Mutex, since: Instant) -> Result<Lease, Stop> {
    let Some(lease) = take_within(mutex, LEASE * 30, LEASE + LATE)? else {
        return Err(Stop::Failed(format!(
            "a lease of {LEASE:?} had not passed after {:?}",
            since.elapsed()
        )));
    };
    let after = since.elapsed();
    check(
        after + SLACK >= LEASE,
        format_args!("a lease of {LEASE:?} had passed after {after:?}"),
    )?;
    Ok(lease)
}

fn passes(on: &Fixture) -> Ended {
    let key = on.key("a");
    let (dead, next) = (on.mutex(&key)?, on.mutex(&key)?);
    let since = Instant::now();
    let lease = take(&*dead, LEASE)?;
    passing(lease)?;
    let lease = follower(&*next, since)?;
    check(next.is_locked()?, "a mutex taken over is not locked")?;
    next.release(lease)?;
    check(!next.is_locked()?, "a released mutex is locked")
}

fn renewed(on: &Fixture) -> Ended {
    let key = on.key("a");
    let (holder, next) = (on.mutex(&key)?, on.mutex(&key)?);
    // A thread that is kept from running for a whole lease loses it, which proves nothing: another try.
    for _ in 0..5 {
        let taken = Instant::now();
        let mut lease = take(&*holder, LEASE)?;
        passing(lease)?;
        while taken.elapsed() < LEASE / 2 {
            check(
                next.try_acquire(LEASE)?.is_none() || taken.elapsed() + SLACK >= LEASE,
                "a held mutex was taken",
            )?;
            next.wait(LEASE / 4)?;
        }
        let since = Instant::now();
        let before = lease.expires;
        if holder.renew(&mut lease)? {
            check(
                lease.expires > before,
                "a renewed lease does not pass later than before",
            )?;
            let lease = follower(&*next, since)?;
            return Ok(next.release(lease)?);
        }
        check(
            taken.elapsed() >= LEASE,
            "a lease that is still held was not renewed",
        )?;
    }
    skipped("this machine is too slow to renew a lease in time")
}

fn lost(on: &Fixture) -> Ended {
    let key = on.key("a");
    let (dead, next) = (on.mutex(&key)?, on.mutex(&key)?);
    let since = Instant::now();
    let mut old = take(&*dead, LEASE)?;
    passing(old)?;
    let lease = follower(&*next, since)?;
    check(!dead.renew(&mut old)?, "a lost lease was renewed")?;
    check(
        next.is_locked()?,
        "renewing a lost lease released the mutex",
    )?;
    Ok(next.release(lease)?)
}

fn lost_release(on: &Fixture) -> Ended {
    let key = on.key("a");
    let (dead, next) = (on.mutex(&key)?, on.mutex(&key)?);
    let since = Instant::now();
    let old = take(&*dead, LEASE)?;
    passing(old)?;
    let lease = follower(&*next, since)?;
    // Whether it is an error is the backend's choice; what it does is not.
    let _ = dead.release(old);
    check(
        next.is_locked()?,
        "the release of a lost lease released its follower",
    )?;
    Ok(next.release(lease)?)
}

fn lost_store(on: &Fixture) -> Ended {
    let key = on.key("a");
    let (dead, next) = (on.mutex(&key)?, on.mutex(&key)?);
    let since = Instant::now();
    let old = take(&*dead, LEASE)?;
    passing(old)?;
    let lease = follower(&*next, since)?;
    guarded_store(
        on,
        &key,
        &old,
        Guarded::LeaseLost,
        "another has the mutex (the default of `set_guarded` does not look)",
    )?;
    guarded_store(on, &key, &lease, Guarded::Stored, "the lease is held")?;
    Ok(next.release(lease)?)
}

fn remembered(on: &Fixture) -> Ended {
    let key = on.key("a");
    let mutex = on.mutex(&key)?;
    // A thread that is kept from running for a whole lease loses it, which proves nothing: another try.
    for _ in 0..5 {
        let mut lease = take(&*mutex, LEASE)?;
        passing(lease)?;
        let other = another_process(on, lease)?;
        other.delete(&key.as_key())?;
        let deleted = Instant::now();
        let mut held = true;
        while held && deleted.elapsed() < LEASE + SLACK * 4 {
            mutex.wait(LEASE / 4)?;
            held = mutex.renew(&mut lease)?;
        }
        other.close()?;
        if held {
            guarded_store(
                on,
                &key,
                &lease,
                Guarded::Deleted,
                "deleted, and the lease renewed since",
            )?;
            return Ok(mutex.release(lease)?);
        }
    }
    skipped("this machine is too slow to renew a lease in time")
}
