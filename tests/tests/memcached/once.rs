//! Programs of both languages want one key at once which is nowhere any more: one of them creates it.

use std::thread;
use std::time::{Duration, Instant};

use dogpile_tests::process::{Process, created_for};
use serde_json::json;

use crate::peer::{
    BMEMCACHED, More, PYLIBMC, PYLIBMC_BINARY, PYLIBMC_KETAMA, PYMEMCACHE, PYTHON_MEMCACHED, Peers,
    Shared,
};
use crate::support::until;

/// So many rounds, or all of them in a soak.
fn rounds(usually: u32, in_a_soak: u32) -> u32 {
    if std::env::var_os("DOGPILE_TEST_FULL").is_some() {
        in_a_soak
    } else {
        usually
    }
}

/// Two programs in Rust, and so many in Python.
struct Programs {
    pythons: Vec<Process>,
    rusts: [Process; 2],
    created: (u32, u32),
}

impl Programs {
    fn start(shared: &Shared, pythons: usize, more: More<'_>) -> Self {
        Self {
            pythons: (0..pythons).map(|_| shared.python(more)).collect(),
            rusts: [shared.process(more), shared.process(more)],
            created: (0, 0),
        }
    }

    /// All want the key, which is this once somebody created it. Gives how many did.
    fn call(&mut self, round: u32) -> u32 {
        let to_rust = format!("call 2 {round} key");
        // By turns one language is told first.
        if round.is_multiple_of(2) {
            self.rusts.iter_mut().for_each(|rust| rust.tell(&to_rust));
        }
        for python in &mut self.pythons {
            python.tell(&format!("call 1 key {round}"));
        }
        if !round.is_multiple_of(2) {
            self.rusts.iter_mut().for_each(|rust| rust.tell(&to_rust));
        }
        let by_python = created_for(&mut self.pythons, round);
        let by_rust = created_for(&mut self.rusts, round);
        self.created.0 += by_python;
        self.created.1 += by_rust;
        by_python + by_rust
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        println!("{} by Python, {} by Rust", self.created.0, self.created.1);
    }
}

fn one_creation_per_deletion(shared: &Shared, pythons: usize) {
    let mut raws = shared.raws();
    let mut programs = Programs::start(shared, pythons, &[]);
    for round in 1..=rounds(20, 100) {
        for raw in &mut raws {
            raw.delete("key");
        }
        assert_eq!(programs.call(round), 1, "{round}");
    }
}

/// How long servers are told to keep a value, by both languages.
const KEPT: Duration = Duration::from_secs(4);

/// They count in whole seconds of their own, and may drop it a second earlier.
const SURELY_KEPT: Duration = Duration::from_secs(3);

fn one_creation_per_expiry(peers: Peers, pythons: usize) {
    let name = peers.python.0;
    let shared = Shared::by(peers);
    let mut raws = shared.raws();
    let kept = [("memcached_expire_time", json!(KEPT.as_secs()))];
    let mut programs = Programs::start(&shared, pythons, &kept);
    programs.pythons[0].ask("set key 0", "done");
    let (mut expiries, mut round) = (0, 0);
    while expiries < rounds(3, 30) {
        // Nobody is asked before it is gone for all: who comes later sees it neither.
        until("all servers have dropped it", || {
            raws.iter_mut().all(|raw| raw.get("key").is_none())
        });
        round += 1;
        let began = Instant::now();
        let created = programs.call(round);
        // Python pauses for longer each time that it sees a lock. Who looks after the next expiry creates again, rightly.
        if began.elapsed() < SURELY_KEPT {
            assert_eq!(created, 1, "{name}: {round}");
            expiries += 1;
        }
        assert!(round <= 2 * expiries + 10, "{name}: rounds are too slow");
    }
}

#[test]
fn every_value_that_its_servers_drop_is_created_once() {
    thread::scope(|scope| {
        for (peers, pythons) in [
            (PYTHON_MEMCACHED, 2),
            (PYLIBMC, 2),
            // Two of them may both take a lock that is on several servers.
            (BMEMCACHED, 1),
        ] {
            scope.spawn(move || one_creation_per_expiry(peers, pythons));
        }
    });
}

#[test]
fn what_is_deleted_beside_python_memcached_is_created_once() {
    one_creation_per_deletion(&Shared::by(PYTHON_MEMCACHED), 2);
}

#[test]
fn what_is_deleted_beside_pymemcache_is_created_once() {
    one_creation_per_deletion(&Shared::by(PYMEMCACHE), 2);
}

#[test]
fn what_is_deleted_beside_pylibmc_is_created_once() {
    one_creation_per_deletion(&Shared::by(PYLIBMC), 2);
}

#[test]
fn what_is_deleted_beside_ketama_of_pylibmc_is_created_once() {
    one_creation_per_deletion(&Shared::by(PYLIBMC_KETAMA), 2);
}

#[test]
fn what_is_deleted_beside_pylibmc_in_the_binary_protocol_is_created_once() {
    one_creation_per_deletion(&Shared::by(PYLIBMC_BINARY), 2);
}

#[test]
fn what_is_deleted_beside_bmemcached_is_created_once() {
    one_creation_per_deletion(&Shared::on(1, BMEMCACHED), 2);
}

#[test]
fn what_is_deleted_beside_one_bmemcached_on_three_servers_is_created_once() {
    // Two of them may both take a lock that is on several servers.
    one_creation_per_deletion(&Shared::by(BMEMCACHED), 1);
}
