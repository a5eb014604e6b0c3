//! The process that keeps values and mutexes, whose leases pass by its own clock.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::processes::{end_with_input, part, tell};
use crate::protocol::{Connection, Reply, Request};

#[derive(Default)]
struct Store {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    values: HashMap<String, Vec<u8>>,
    leases: HashMap<String, (u64, Instant)>,
    tokens: u64,
    counts: BTreeMap<String, u64>,
}

impl State {
    /// Who has the key's mutex at this moment, and until when.
    fn holder(&self, key: &str) -> Option<(u64, Instant)> {
        let held = self.leases.get(key).copied();
        held.filter(|(_, until)| *until > Instant::now())
    }

    fn has(&self, key: &str, token: u64) -> bool {
        self.holder(key).is_some_and(|(holder, _)| holder == token)
    }

    fn count(&mut self, what: String) {
        *self.counts.entry(what).or_default() += 1;
    }
}

impl Store {
    fn answer(&self, request: Request) -> Reply {
        let mut state = self.state.lock().unwrap();
        state.count(request.name());
        match request {
            Request::Get(key) => Reply::Value(state.values.get(&key).cloned()),
            Request::Set(key, value) => {
                state.values.insert(key, value);
                Reply::Done
            }
            Request::Delete(key) => {
                state.values.remove(&key);
                Reply::Done
            }
            Request::TryAcquire(key, lease) => {
                if state.holder(&key).is_some() {
                    return Reply::Token(None);
                }
                state.tokens += 1;
                let token = state.tokens;
                state.leases.insert(key, (token, Instant::now() + lease));
                Reply::Token(Some(token))
            }
            Request::Wait(key, timeout) => {
                drop(state);
                self.wait(&key, timeout);
                Reply::Done
            }
            Request::Renew(key, token, lease) => {
                let has = state.has(&key, token);
                if has {
                    state.leases.insert(key, (token, Instant::now() + lease));
                }
                Reply::Flag(has)
            }
            Request::Release(key, token) => {
                if state.has(&key, token) {
                    state.leases.remove(&key);
                    self.freed.notify_all();
                }
                Reply::Done
            }
            Request::IsLocked(key) => Reply::Flag(state.holder(&key).is_some()),
            Request::SetGuarded(key, token, value) => {
                let has = state.has(&key, token);
                if has {
                    state.values.insert(key, value);
                } else {
                    state.count(format!("Refused {key}"));
                }
                Reply::Flag(has)
            }
            Request::Counts => Reply::Counts(state.counts.clone()),
        }
    }

    fn wait(&self, key: &str, timeout: Duration) {
        let patience = Instant::now() + timeout;
        let mut state = self.state.lock().unwrap();
        while let Some((_, passes)) = state.holder(key) {
            let left = patience
                .min(passes)
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
    tell("ready");
    end_with_input(|line| panic!("the store is told nothing, such as {line}"));
}
