//! The mutex among threads and instances. Leases here are longer than any case.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::fixture::{Case, Ended, Fixture, Stop, check, joined, not_supported};
use super::threads::all;
use crate::{BackendInstance, ErrorKind, Guarded, Lease, Mutex, OwnedKey, Result};

pub(super) const CASES: &[Case] = &[
    ("a_free_mutex_is_taken_and_given_back", taken),
    ("a_held_mutex_is_not_taken_again", held),
    ("each_key_has_a_mutex_of_its_own", keys),
    ("one_at_a_time_is_inside", exclusion),
    ("a_waiter_gets_in_after_the_release", waiter),
    ("a_wait_ends_at_its_timeout", timeout),
    ("another_thread_may_release", other_thread),
    ("the_release_of_a_stranger_does_nothing", stranger),
    ("the_release_of_an_old_lease_does_nothing", old_lease),
    ("a_mutex_and_the_value_of_its_key_do_not_mix", beside_values),
    ("instances_of_a_shared_storage_share_mutexes", instances),
    ("a_guarded_store_is_done_while_the_lease_is_held", guarded),
    (
        "a_guarded_store_is_refused_once_another_deleted_the_key",
        deleted,
    ),
    (
        "a_deletion_concerns_no_lease_but_the_one_held_then",
        deleted_before,
    ),
    (
        "each_of_many_guarded_stores_comes_to_what_it_would_alone",
        many_guarded,
    ),
];

const LONG: Duration = Duration::from_mins(1);
/// A mutex need not be fair: a turn may come after those of all others, which take long on a busy machine.
const TURN: Duration = LONG;
/// Longer than a thread takes to fall asleep, if all is well: if not, nothing is found wrong.
const ASLEEP: Duration = Duration::from_millis(50);
/// How long anything may take that must happen soon.
const SOON: Duration = Duration::from_secs(10);

/// Takes a mutex that nobody holds.
pub(super) fn take(mutex: &dyn Mutex, lease: Duration) -> std::result::Result<Lease, Stop> {
    match mutex.try_acquire(lease)? {
        Some(lease) => Ok(lease),
        None => Err(Stop::Failed(String::from(
            "a mutex that nobody holds was not taken",
        ))),
    }
}

/// Takes a mutex that is or will be free; `None` after `limit`.
pub(super) fn take_within(
    mutex: &dyn Mutex,
    lease: Duration,
    limit: Duration,
) -> Result<Option<Lease>> {
    take_in_steps(mutex, lease, limit, limit)
}

/// The same, with no wait longer than a step.
fn take_in_steps(
    mutex: &dyn Mutex,
    lease: Duration,
    limit: Duration,
    step: Duration,
) -> Result<Option<Lease>> {
    let end = Instant::now() + limit;
    loop {
        if let Some(lease) = mutex.try_acquire(lease)? {
            return Ok(Some(lease));
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        mutex.wait(left.min(step))?;
    }
}

fn not_taken(mutex: &dyn Mutex, why: &str) -> Ended {
    check(
        mutex.try_acquire(LONG)?.is_none(),
        format_args!("a held mutex was taken: {why}"),
    )
}

fn taken(on: &Fixture) -> Ended {
    let mutex = on.mutex(&on.key("a"))?;
    check(!mutex.is_locked()?, "a new mutex is locked")?;
    for _ in 0..3 {
        let lease = take(&*mutex, LONG)?;
        check(mutex.is_locked()?, "a held mutex is not locked")?;
        mutex.release(lease)?;
        check(!mutex.is_locked()?, "a released mutex is locked")?;
    }
    Ok(())
}

fn held(on: &Fixture) -> Ended {
    let key = on.key("a");
    let (mutex, other) = (on.mutex(&key)?, on.mutex(&key)?);
    let lease = take(&*mutex, LONG)?;
    not_taken(&*mutex, "by the one that holds it")?;
    not_taken(&*other, "by another of the same key")?;
    check(
        other.is_locked()?,
        "a held mutex is not locked for another of its key",
    )?;
    mutex.release(lease)?;
    let lease = take(&*other, LONG)?;
    not_taken(&*mutex, "by one that held it before")?;
    Ok(other.release(lease)?)
}

fn keys(on: &Fixture) -> Ended {
    let (one, two) = (on.mutex(&on.key("one"))?, on.mutex(&on.key("two"))?);
    let first = take(&*one, LONG)?;
    check(!two.is_locked()?, "a mutex is locked because another is")?;
    let second = take(&*two, LONG)?;
    one.release(first)?;
    check(two.is_locked()?, "a mutex was released because another was")?;
    Ok(two.release(second)?)
}

fn exclusion(on: &Fixture) -> Ended {
    const THREADS: u32 = 4;
    const TURNS: u32 = 8;
    // Whether waits end early is another case's matter.
    const STEP: Duration = Duration::from_secs(1);
    let key = on.key("a");
    drop(on.mutex(&key)?);
    let (inside, turns) = (AtomicU32::new(0), AtomicU32::new(0));
    let turn = |mutex: &dyn Mutex| -> Ended {
        let Some(lease) = take_in_steps(mutex, LONG * 3, TURN, STEP)? else {
            return check(false, format_args!("no turn within {TURN:?}"));
        };
        let others = inside.fetch_add(1, Ordering::SeqCst);
        // Each may cost a time slice of every busy program on the machine.
        for _ in 0..10 {
            thread::yield_now();
        }
        inside.fetch_sub(1, Ordering::SeqCst);
        turns.fetch_add(1, Ordering::SeqCst);
        mutex.release(lease)?;
        check(
            others == 0,
            format_args!("{} were inside at once", others + 1),
        )
    };
    all(THREADS, |_| {
        let mutex = on.mutex(&key)?;
        (0..TURNS).try_for_each(|_| turn(&*mutex))
    })?;
    let turns = turns.into_inner();
    check(
        turns == THREADS * TURNS,
        format_args!("{turns} turns of {}", THREADS * TURNS),
    )
}

fn waiter(on: &Fixture) -> Ended {
    // Once more for the case that the waiter was not asleep yet.
    (0..3).try_for_each(|turn| one_waiter(on, on.key(&format!("{turn}"))))
}

fn one_waiter(on: &Fixture, key: OwnedKey) -> Ended {
    let mutex = on.mutex(&key)?;
    let lease = take(&*mutex, LONG)?;
    let (ready, at_work) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        let waiter = scope.spawn(move || {
            let mutex = on.mutex(&key)?;
            let early = mutex.try_acquire(LONG)?.is_some();
            // The holder may be gone already if this thread failed.
            let _ = ready.send(());
            check(!early, "a held mutex was taken")?;
            let since = Instant::now();
            let limit = SOON + SOON / 4;
            let Some(lease) = take_within(&*mutex, LONG, limit)? else {
                return check(
                    false,
                    format_args!("a waiter did not get in within {limit:?} of the release"),
                );
            };
            let after = since.elapsed();
            mutex.release(lease)?;
            check(
                after < SOON,
                format_args!(
                    "a waiter got in {after:?} after the release: `wait` does not end before its timeout"
                ),
            )
        });
        // An error here is the waiter's early end, which it tells below.
        let _ = at_work.recv();
        thread::sleep(ASLEEP);
        let released = mutex.release(lease);
        joined(waiter.join()).and(released.map_err(Stop::from))
    })
}

fn timeout(on: &Fixture) -> Ended {
    let key = on.key("a");
    let (mutex, other) = (on.mutex(&key)?, on.mutex(&key)?);
    let lease = take(&*mutex, LONG)?;
    let mut shortest = SOON;
    // A thread that is kept from running is late, which proves nothing: not every time.
    for _ in 0..10 {
        let start = Instant::now();
        other.wait(Duration::from_millis(20))?;
        shortest = shortest.min(start.elapsed());
    }
    mutex.release(lease)?;
    check(
        shortest < Duration::from_millis(120),
        format_args!("waits of at most 20 ms took {shortest:?} and more"),
    )
}

fn other_thread(on: &Fixture) -> Ended {
    let mutex = on.mutex(&on.key("a"))?;
    let lease = take(&*mutex, LONG)?;
    let release = || Ok(mutex.release(lease)?);
    thread::scope(|scope| joined(scope.spawn(release).join()))?;
    check(
        !mutex.is_locked()?,
        "a mutex stayed locked though another thread released it",
    )?;
    let lease = take(&*mutex, LONG)?;
    Ok(mutex.release(lease)?)
}

fn stranger(on: &Fixture) -> Ended {
    let mutex = on.mutex(&on.key("a"))?;
    let lease = take(&*mutex, LONG)?;
    let mut forged = lease;
    forged.token = forged.token.map(|byte| !byte);
    forged.tag = !forged.tag;
    // Whether it is an error is the backend's choice; what it does is not.
    let _ = mutex.release(forged);
    check(mutex.is_locked()?, "a stranger released the mutex")?;
    not_taken(&*mutex, "after a stranger's release")?;
    let renewed = mutex.renew(&mut forged).unwrap_or(false);
    check(!renewed, "a stranger renewed the lease")?;
    Ok(mutex.release(lease)?)
}

fn old_lease(on: &Fixture) -> Ended {
    let mutex = on.mutex(&on.key("a"))?;
    let old = take(&*mutex, LONG)?;
    mutex.release(old)?;
    let lease = take(&*mutex, LONG)?;
    check(
        lease.token != old.token || lease.tag != old.tag,
        "two leases have the same token",
    )?;
    let _ = mutex.release(old);
    check(mutex.is_locked()?, "an old lease released the mutex")?;
    Ok(mutex.release(lease)?)
}

fn beside_values(on: &Fixture) -> Ended {
    let key = on.key("a");
    let mutex = on.mutex(&key)?;
    let lease = take(&*mutex, LONG)?;
    on.absent(&key)?;
    on.set(&key, b"value")?;
    on.expect(&key, b"value")?;
    on.backend.delete(&key.as_key())?;
    check(
        mutex.is_locked()?,
        "deleting the value released the mutex of its key",
    )?;
    on.set(&key, b"value")?;
    mutex.release(lease)?;
    on.expect(&key, b"value")
}

fn instances(on: &Fixture) -> Ended {
    let properties = on.backend.properties();
    let key = on.key("a");
    let mutex = on.mutex(&key)?;
    if !properties.shared || properties.exclusive {
        return not_supported("what it stores is seen by this instance only");
    }
    let other_instance = on.another(None)?;
    let Some(other) = other_instance.mutex(&key.as_key())? else {
        return check(false, "another instance has no mutex");
    };
    let lease = take(&*mutex, LONG)?;
    check(
        other.is_locked()?,
        "a held mutex is not locked for another instance",
    )?;
    not_taken(&*other, "by another instance")?;
    mutex.release(lease)?;
    let lease = take(&*other, LONG)?;
    not_taken(&*mutex, "though another instance holds it")?;
    other.release(lease)?;
    drop(other);
    Ok(other_instance.close()?)
}

fn guarded(on: &Fixture) -> Ended {
    let key = on.key("a");
    let mutex = on.mutex(&key)?;
    let lease = take(&*mutex, LONG)?;
    let value = on.value(&key, b"value");
    let outcome = on.backend.set_guarded(&key.as_key(), &value, &lease)?;
    check(
        outcome == Guarded::Stored,
        "a guarded store was not done though the lease is held",
    )?;
    on.expect(&key, b"value")?;
    Ok(mutex.release(lease)?)
}

/// How a key is deleted.
type Delete = fn(&BackendInstance, &OwnedKey) -> Result<()>;

const DELETIONS: [(&str, Delete); 3] = [
    ("delete", |backend, key| backend.delete(&key.as_key())),
    ("delete_multi", |backend, key| {
        backend.delete_multi(&[key.as_key()])
    }),
    ("clear", |backend, _| backend.clear()),
];

/// Another instance, which stands for another process; ends the case where the host itself sees all deletions, or the
/// mutex has no leases to remember them by.
pub(super) fn another_process(
    on: &Fixture,
    lease: Lease,
) -> std::result::Result<BackendInstance, Stop> {
    let properties = on.backend.properties();
    if !properties.shared || properties.exclusive {
        return not_supported("what it stores is seen by this instance only");
    }
    if lease.expires == 0 {
        return not_supported(
            "leases do not pass by themselves: deletions by other processes need not be noticed",
        );
    }
    Ok(on.another(None)?)
}

pub(super) fn guarded_store(
    on: &Fixture,
    key: &OwnedKey,
    lease: &Lease,
    expected: Guarded,
    when: &str,
) -> Ended {
    let value = on.value(key, b"value");
    let outcome = on.backend.set_guarded(&key.as_key(), &value, lease)?;
    check(
        outcome == expected,
        format_args!("{when}: a guarded store ended as {outcome:?}, not {expected:?}"),
    )?;
    match expected {
        Guarded::Stored => on.expect(key, b"value"),
        _ => on.absent(key),
    }
}

fn deleted(on: &Fixture) -> Ended {
    for (how, delete) in DELETIONS {
        let key = on.key(how);
        let mutex = on.mutex(&key)?;
        let lease = take(&*mutex, LONG)?;
        let other = another_process(on, lease)?;
        match delete(&other, &key) {
            Err(error) if error.kind() == ErrorKind::Unsupported => continue,
            result => result?,
        }
        guarded_store(on, &key, &lease, Guarded::Deleted, how)?;
        // Asking does not change it.
        guarded_store(on, &key, &lease, Guarded::Deleted, how)?;
        check(
            mutex.is_locked()?,
            format_args!("{how}: the mutex is not locked any more"),
        )?;
        mutex.release(lease)?;
        other.close()?;
    }
    Ok(())
}

fn deleted_before(on: &Fixture) -> Ended {
    let (key, beside) = (on.key("a"), on.key("b"));
    let (mutex, other_mutex) = (on.mutex(&key)?, on.mutex(&beside)?);
    let lease = take(&*mutex, LONG)?;
    let other = another_process(on, lease)?;
    other.delete(&beside.as_key())?;
    guarded_store(on, &key, &lease, Guarded::Stored, "another key was deleted")?;
    other.delete(&key.as_key())?;
    mutex.release(lease)?;
    let next = take(&*mutex, LONG)?;
    guarded_store(
        on,
        &key,
        &next,
        Guarded::Stored,
        "deleted under the lease before",
    )?;
    mutex.release(next)?;
    let first = take(&*other_mutex, LONG)?;
    guarded_store(
        on,
        &beside,
        &first,
        Guarded::Stored,
        "deleted before the first lease",
    )?;
    other_mutex.release(first)?;
    Ok(other.close()?)
}

fn many_guarded(on: &Fixture) -> Ended {
    let keys = ["first", "given_back", "last"].map(|text| on.key(text));
    let mut held = Vec::new();
    for key in &keys {
        let mutex = on.mutex(key)?;
        let lease = take(&*mutex, LONG)?;
        held.push((mutex, lease));
    }
    let (mutex, lease) = held.remove(1);
    mutex.release(lease)?;
    let alone = on
        .backend
        .set_guarded(&keys[1].as_key(), &on.value(&keys[1], b"alone"), &lease)?;
    let leases = [held[0].1, lease, held[1].1];
    let entries: Vec<_> = keys
        .iter()
        .zip(leases)
        .map(|(key, lease)| (key.as_key(), on.value(key, b"with others"), lease))
        .collect();
    let outcomes = on.backend.set_guarded_multi(&entries)?;
    check(
        outcomes == [Guarded::Stored, alone, Guarded::Stored],
        format_args!(
            "{outcomes:?}, where the leases of the outer two are held, and the other alone was {alone:?}"
        ),
    )?;
    on.expect(&keys[0], b"with others")?;
    on.expect(&keys[2], b"with others")?;
    match alone {
        Guarded::Stored => on.expect(&keys[1], b"with others")?,
        _ => on.absent(&keys[1])?,
    }
    for (mutex, lease) in held {
        mutex.release(lease)?;
    }
    Ok(())
}
