//! Many threads of many processes, and one creation for each key at each expiry.

use std::time::Duration;

use dogpile_tests::process::{Process, created};
use dogpile_tests::worker::set_time;

use crate::processes::StoreProcess;

const LEASE: Duration = Duration::from_secs(30);

/// How many expiries there are: fewer than `full`, unless `DOGPILE_TEST_FULL` is set.
fn expiries(full: u64) -> u64 {
    match std::env::var_os("DOGPILE_TEST_FULL") {
        Some(_) => full,
        None => full / 10,
    }
}

/// Moves every process's clock, and has all threads of all processes call at once. Gives how many values were created.
fn round(workers: &mut [Process], seconds: u64, value: u64, keys: &str) -> u32 {
    set_time(&mut *workers, seconds);
    for worker in &mut *workers {
        worker.tell(&format!("call 8 {value} {keys}"));
    }
    created(workers)
}

fn workers(store: &StoreProcess, number: usize) -> Vec<Process> {
    (0..number).map(|_| store.worker(LEASE)).collect()
}

#[test]
fn eight_threads_of_eight_processes_create_once_at_each_expiry() {
    let store = StoreProcess::start();
    let mut workers = workers(&store, 8);
    let mut seconds = 0;
    for expiry in 0..expiries(500) {
        // By turns a value that may be served meanwhile, and none.
        seconds += if expiry % 2 == 0 { 61 } else { 121 };
        assert_eq!(round(&mut workers, seconds, expiry, "key"), 1, "{expiry}");
        assert_eq!(store.stored("key"), Some(expiry.to_string()));
    }
}

#[test]
fn several_keys_in_several_processes_are_created_once_each_and_nobody_waits_for_ever() {
    let store = StoreProcess::start();
    let mut workers = workers(&store, 3);
    let mut seconds = 0;
    for expiry in 0..expiries(200) {
        seconds += if expiry % 2 == 0 { 61 } else { 121 };
        assert_eq!(
            round(&mut workers, seconds, expiry, "d b a c"),
            4,
            "{expiry}"
        );
        for key in ["a", "b", "c", "d"] {
            assert_eq!(store.stored(key), Some(expiry.to_string()));
        }
    }
}
