//! Clients that go on whatever becomes of the servers, and never see a wrong value.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dogpile_plugin_api::BackendInstance;

use crate::support::{get, key, set, until};

/// One that stores a number that rises, under a key of its own, and reads it.
pub(crate) struct Client {
    name: String,
    /// How often it stored and read what it had stored.
    rounds: AtomicU64,
}

impl Client {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            rounds: AtomicU64::new(0),
        }
    }

    /// Until all of them have made many more rounds.
    #[track_caller]
    pub(crate) fn go_on(clients: &[Self]) {
        let rounds = |client: &Self| client.rounds.load(Ordering::SeqCst);
        let before: Vec<u64> = clients.iter().map(rounds).collect();
        until("all clients store and read", || {
            let mut all = clients.iter().zip(&before);
            all.all(|(client, before)| rounds(client) >= before + 100)
        });
    }

    /// Until it ends.
    pub(crate) fn run(&self, backend: &BackendInstance, ends: &AtomicBool) {
        let mut number = 0_u64;
        while !ends.load(Ordering::SeqCst) {
            number += 1;
            let since = Instant::now();
            let stored = set(
                backend,
                &self.name,
                format!("{} {number}", self.name).as_bytes(),
            );
            let found = backend.get_fresh(&key(&self.name).as_key());
            // Two calls, each within its time.
            assert!(
                since.elapsed() < Duration::from_secs(4),
                "{:?}",
                since.elapsed()
            );
            let read = get(backend, &self.name);
            let fresh = found.map(|found| found.map(|value| value.as_bytes().unwrap().to_owned()));
            for found in [fresh.as_ref(), read.as_ref()] {
                if let Ok(Some(found)) = found {
                    self.check(found, number);
                }
            }
            if let (Ok(()), Ok(Some(found))) = (stored, fresh)
                && found.ends_with(format!(" {number}").as_bytes())
            {
                self.rounds.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// It is this client's, and nothing that was not stored yet.
    fn check(&self, found: &[u8], last: u64) {
        let found = std::str::from_utf8(found).unwrap();
        let number = found.strip_prefix(&*self.name).unwrap();
        let number: u64 = number.trim().parse().unwrap();
        assert!(number <= last, "{found}, {last}");
    }
}

/// The clients end, however the test does.
pub(crate) struct Ends<'e>(pub(crate) &'e AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
