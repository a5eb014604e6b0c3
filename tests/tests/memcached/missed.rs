//! What a server missed while it was away is made up for before it is asked for anything else.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use dogpile_plugin_api::OwnedKey;
use serde_json::json;

use crate::fake::Fake;
use crate::support::{get, key, open, until};

/// A server of the text protocol that has nothing.
#[derive(Default)]
struct Empty {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Deletions are waited for.
    is_back: bool,
    /// Deletions are answered.
    answers: bool,
    /// One has come that is not answered yet.
    is_asked: bool,
    /// What was answered: the deletions' keys, and nothing of reads.
    answered: Vec<Option<String>>,
}

impl Empty {
    fn serve(&self, stream: TcpStream, pause: Duration) {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        let mut deletions = 0;
        while matches!(stream.read_line(&mut line), Ok(1..)) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let opaque = words[2..].iter().find(|word| word.starts_with('O'));
            let is_delete = words[0] == "md";
            if is_delete {
                if !self.is_let_through() {
                    let _ended = stream.get_ref().shutdown(Shutdown::Both);
                    return;
                }
                if deletions % 500 == 0 {
                    thread::sleep(pause);
                }
                deletions += 1;
            }
            let deleted = is_delete.then(|| words[1].to_owned());
            self.state.lock().unwrap().answered.push(deleted);
            let came = if is_delete { "HD" } else { "EN" };
            let answer = format!("{came} {}\r\n", opaque.unwrap());
            if stream.get_mut().write_all(answer.as_bytes()).is_err() {
                return;
            }
            line.clear();
        }
    }

    /// Waits until deletions are answered; false if they are not even waited for.
    fn is_let_through(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        if !state.is_back {
            return false;
        }
        state.is_asked = true;
        let waited = self.changed.wait_while(state, |state| !state.answers);
        drop(waited.unwrap());
        true
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }
}

#[test]
fn nobody_reads_from_a_server_that_is_back_before_its_keys_are_deleted() {
    let empty = Arc::new(Empty::default());
    let served = Arc::clone(&empty);
    let fake = Fake::start(move |stream| served.serve(stream, Duration::ZERO));
    let on = open(
        "memcached_ketama",
        &json!({
            "url": fake.url(), "distributed_lock": false, "dead_retry": "10ms",
            // Another caller is let through after that, if the first has not come back.
            "socket_timeout": "1s", "socket_connect_timeout": "50ms",
        }),
    );
    assert!(on.delete(&key("key").as_key()).is_err());
    empty.change(|state| state.is_back = true);
    thread::scope(|scope| {
        scope.spawn(|| until("it is made up for", || get(&on, "other").is_ok()));
        until("it is asked to delete", || {
            empty.state.lock().unwrap().is_asked
        });
        until("another caller is let through", || match get(&on, "key") {
            Ok(_) => true,
            Err(error) => !error.message().contains("is left alone"),
        });
        let answered = empty.state.lock().unwrap().answered.clone();
        // So that the other thread ends too, whatever is found.
        empty.change(|state| state.answers = true);
        assert_eq!(answered, []);
    });
    assert_eq!(get(&on, "key").unwrap(), None);
    let state = empty.state.lock().unwrap();
    assert_eq!(state.answered[0].as_deref(), Some("key"));
}

#[test]
fn more_than_can_be_made_up_for_in_one_call_is_made_up_for_in_several() {
    let empty = Arc::new(Empty::default());
    let served = Arc::clone(&empty);
    let fake = Fake::start(move |stream| served.serve(stream, Duration::from_millis(40)));
    let on = open(
        "memcached_ketama",
        &json!({
            "url": fake.url(), "distributed_lock": false, "dead_retry": "1ms", "socket_timeout": "250ms",
        }),
    );
    // That would take half a second.
    let keys: Vec<_> = (0..6000).map(|number| key(&format!("k{number}"))).collect();
    let lent: Vec<_> = keys.iter().map(OwnedKey::as_key).collect();
    assert!(on.delete_multi(&lent).is_err());
    empty.change(|state| (state.is_back, state.answers) = (true, true));
    until("it is made up for", || get(&on, "other").is_ok());
    let state = empty.state.lock().unwrap();
    let deleted: HashSet<_> = state.answered.iter().flatten().collect();
    assert_eq!(deleted.len(), keys.len());
}
