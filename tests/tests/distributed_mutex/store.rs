//! The process that keeps values and mutexes, whose leases pass by its own clock.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dogpile_tests::process::end_with_input;

use crate::processes::part;
use crate::protocol::{Connection, Gate, Outcome, Reply, Request};

#[derive(Default)]
struct Store {
    state: Mutex<State>,
    freed: Condvar,
    opened: Condvar,
}

#[derive(Clone, Copy)]
struct Lease {
    token: u64,
    until: Instant,
    /// The key was deleted under it.
    deleted: bool,
}

#[derive(Default)]
struct State {
    values: HashMap<String, Vec<u8>>,
    leases: HashMap<String, Lease>,
    tokens: u64,
    gates: HashMap<String, Gate>,
    late: HashMap<String, Vec<Duration>>,
    counts: BTreeMap<String, u64>,
}

impl State {
    /// Who has the key's mutex at this moment, and until when.
    fn holder(&self, key: &str) -> Option<Lease> {
        let held = self.leases.get(key).copied();
        held.filter(|lease| lease.until > Instant::now())
    }

    fn has(&self, key: &str, token: u64) -> Option<Lease> {
        self.holder(key).filter(|lease| lease.token == token)
    }

    /// Gives the mutex away if nobody has it.
    fn grant(&mut self, key: String, length: Duration) -> Option<u64> {
        let now = Instant::now();
        if let Some(last) = self.leases.get(&key) {
            let late = now.checked_duration_since(last.until)?;
            self.late.entry(key.clone()).or_default().push(late);
        }
        self.tokens += 1;
        let lease = Lease {
            token: self.tokens,
            until: now + length,
            deleted: false,
        };
        self.leases.insert(key, lease);
        Some(lease.token)
    }

    fn set_guarded(&mut self, key: String, token: u64, value: Vec<u8>) -> Outcome {
        let Some(lease) = self.has(&key, token) else {
            self.count(format!("Refused {key}"));
            return Outcome::LeaseLost;
        };
        if lease.deleted {
            self.count(format!("Deleted {key}"));
            return Outcome::Deleted;
        }
        self.values.insert(key, value);
        Outcome::Stored
    }

    fn count(&mut self, what: String) {
        *self.counts.entry(what).or_default() += 1;
    }
}

impl Store {
    fn answer(&self, request: Request) -> Reply {
        let mut state = self.state.lock().unwrap();
        let name = request.name();
        state.count(name.clone());
        while state.gates.get(&name) == Some(&Gate::Shut) {
            state = self.opened.wait(state).unwrap();
        }
        if state.gates.get(&name) == Some(&Gate::Fails) {
            return Reply::Failed;
        }
        match request {
            Request::Get(key) => Reply::Value(state.values.get(&key).cloned()),
            Request::Set(key, value) => {
                state.values.insert(key, value);
                Reply::Done
            }
            Request::Delete(key) => {
                if let Some(lease) = state.leases.get_mut(&key) {
                    lease.deleted = true;
                }
                state.values.remove(&key);
                Reply::Done
            }
            Request::Clear => {
                for lease in state.leases.values_mut() {
                    lease.deleted = true;
                }
                state.values.clear();
                Reply::Done
            }
            Request::TryAcquire(key, lease) => Reply::Token(state.grant(key, lease)),
            Request::Wait(key, timeout) => {
                drop(state);
                self.wait(&key, timeout);
                Reply::Done
            }
            Request::Renew(key, token, length) => {
                let held = state.has(&key, token);
                if let Some(mut lease) = held {
                    lease.until = Instant::now() + length;
                    state.leases.insert(key, lease);
                }
                Reply::Flag(held.is_some())
            }
            Request::Release(key, token) => {
                if state.has(&key, token).is_some() {
                    state.leases.remove(&key);
                    self.freed.notify_all();
                }
                Reply::Done
            }
            Request::IsLocked(key) => Reply::Flag(state.holder(&key).is_some()),
            Request::SetGuarded(key, token, value) => {
                Reply::Outcome(state.set_guarded(key, token, value))
            }
            Request::Gate(name, gate) => {
                state.gates.insert(name, gate);
                self.opened.notify_all();
                Reply::Done
            }
            Request::Counts => Reply::Counts(state.counts.clone()),
            Request::Late(key) => Reply::Times(state.late.get(&key).cloned().unwrap_or_default()),
        }
    }

    fn wait(&self, key: &str, timeout: Duration) {
        let patience = Instant::now() + timeout;
        let mut state = self.state.lock().unwrap();
        while let Some(lease) = state.holder(key) {
            let left = patience
                .min(lease.until)
                .saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.freed.wait_timeout(state, left).unwrap().0;
        }
    }

    fn serve(&self, mut connection: Connection) {
        // Who is killed in the middle of a line has no more to say.
        while let Ok(Some(request)) = connection.receive() {
            if connection.send(&self.answer(request)).is_err() {
                return;
            }
        }
    }
}

#[test]
fn the_store() {
    let Some(socket) = part("store") else {
        return;
    };
    let listener = UnixListener::bind(Path::new(&socket)).unwrap();
    let store = Arc::new(Store::default());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (store, stream) = (Arc::clone(&store), stream.unwrap());
            thread::spawn(move || store.serve(Connection::new(stream)));
        }
    });
    end_with_input(|line| panic!("the store is told nothing, such as {line}"));
}
