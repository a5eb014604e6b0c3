//! The host that functions with a region's name use.

#![forbid(unsafe_code)]

mod region_support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dogpile::{ErrorKind, Host, RegionConfig, cached};

use region_support::{builder, logs};

static RUNS: AtomicU32 = AtomicU32::new(0);

#[cached(region = "users", clone)]
fn count(_id: u32) -> u32 {
    RUNS.fetch_add(1, Ordering::SeqCst) + 1
}

#[cached(region = "nowhere", clone)]
fn nowhere() -> u32 {
    RUNS.fetch_add(1, Ordering::SeqCst) + 1
}

/// The process has one installed host: its tests come one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    RUNS.store(0, Ordering::SeqCst);
    guard
}

fn host() -> Host {
    let users = RegionConfig::on("users", "memory");
    builder().0.region(users).build().unwrap()
}

#[test]
fn a_function_is_cached_from_the_installation_of_a_host_until_the_hosts_end() {
    let _alone = alone();
    assert_eq!((count(1), count(1)), (1, 2));
    let first = host();
    first.install().unwrap();
    assert_eq!((count(1), count(1)), (3, 3));
    first.install().unwrap();
    assert_eq!(count(1), 3);
    let users = first.region("users").unwrap();
    assert_eq!(
        users.get::<u32>("installed::count(1)").unwrap().as_deref(),
        Some(&3)
    );
    drop((first, users));
    assert_eq!((count(1), count(1)), (4, 5));
    let second = host();
    second.install().unwrap();
    assert_eq!((count(1), count(1)), (6, 6));
}

#[test]
fn a_second_host_is_refused_while_the_first_is_installed() {
    let _alone = alone();
    let (first, second) = (host(), host());
    first.install().unwrap();
    let error = second.install().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HostAlreadyInstalled);
    assert_eq!(
        error.to_string(),
        "another host is installed in this process; drop it first, or give cached functions of this host a region by \
         an expression: `#[cached(region = &users)]`"
    );
    drop(second);
    assert_eq!((count(1), count(1)), (1, 1));
    drop(first);
    let third = host();
    third.install().unwrap();
    assert_eq!((count(1), count(1)), (2, 2));
}

#[test]
fn what_addresses_the_cache_itself_says_what_is_missing() {
    let _alone = alone();
    let error = count::get(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HostNotInstalled);
    assert_eq!(
        error.to_string(),
        "no host is installed, of which region `users` could be: call `Host::install` first"
    );
    assert_eq!(
        count::set(1, 1).unwrap_err().kind(),
        ErrorKind::HostNotInstalled
    );
    assert_eq!(
        count::invalidate(1).unwrap_err().kind(),
        ErrorKind::HostNotInstalled
    );
    assert_eq!(
        count::key(1).unwrap_err().kind(),
        ErrorKind::HostNotInstalled
    );
    assert_eq!((count::refresh(1), count::original(1)), (1, 2));

    let host = host();
    host.install().unwrap();
    assert_eq!(nowhere::get().unwrap_err().kind(), ErrorKind::NoSuchRegion);
    assert_eq!((nowhere(), nowhere()), (3, 4));
    host.configure(RegionConfig::on("nowhere", "memory"))
        .unwrap();
    assert_eq!((nowhere(), nowhere()), (5, 5));
}

#[cached(region = "users", clone)]
fn warned(id: u32) -> u32 {
    id
}

#[test]
fn a_function_that_runs_without_the_cache_says_so_once() {
    let _alone = alone();
    let _watching = host();
    let lines = logs::of(|| {
        assert_eq!((warned(1), warned(2), warned::refresh(3)), (1, 2, 3));
    });
    let warnings = lines.into_iter().filter(|line| line.level == "WARN");
    let said: Vec<String> = warnings.map(|line| line.message).collect();
    assert_eq!(
        said,
        [
            "installed::warned runs without the cache: no host is installed, of which region `users` could be: call \
          `Host::install` first; more of this is logged at debug level"
        ]
    );
}
