//! What happens between the steps of a guarded store, and replies that are lost.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use dogpile_plugin_api::{BackendInstance, Guarded, Metadata, Value};
use dogpile_tests::memcached_server::MemcachedServer;
use serde_json::json;

use crate::fake::Fake;
use crate::raw::Raw;
use crate::support::{get, key, open, servers, until};

const LONG: Duration = Duration::from_mins(1);

/// What to do once, when the command that begins so is about to be forwarded; what becomes of it.
type Event = Option<(&'static [u8], Box<dyn FnOnce() -> Then + Send>)>;

/// What becomes of a command.
#[derive(PartialEq, Eq)]
enum Then {
    Answered,
    /// The server does it, and nobody is told.
    Unanswered,
    /// The server hears nothing of it, and nobody is told.
    Lost,
}

/// Forwards to a server. Each command comes by itself, since its answer is waited for.
fn between(server: &MemcachedServer, event: Arc<Mutex<Event>>) -> Fake {
    let port = server.port();
    Fake::start(move |mut client: TcpStream| {
        let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut replies, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let copying = thread::spawn(move || {
            let _ended = std::io::copy(&mut replies, &mut back);
        });
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = client.read(&mut chunk) {
            let mut event = event.lock().unwrap();
            let begins = |start: &[u8]| chunk[..count].starts_with(start);
            let is_it = event.as_ref().is_some_and(|(start, _)| begins(start));
            let happens = if is_it { event.take() } else { None };
            drop(event);
            let then = happens.map_or(Then::Answered, |(_, happens)| happens());
            if then != Then::Answered {
                let _ended = client.shutdown(Shutdown::Both);
            }
            if then != Then::Lost {
                server.write_all(&chunk[..count]).unwrap();
            }
        }
        let _ended = server.shutdown(Shutdown::Write);
        copying.join().unwrap();
    })
}

/// What becomes of a guarded store when something happens just before it reaches the server, where nothing is stored yet,
/// and where something is.
fn stored_while(happens: fn(&BackendInstance, &mut Raw)) -> (Guarded, Option<Vec<u8>>) {
    let outcome = stored_over(None, happens);
    assert_eq!(stored_over(Some(b"old"), happens), outcome);
    outcome
}

fn stored_over(
    old: Option<&[u8]>,
    happens: fn(&BackendInstance, &mut Raw),
) -> (Guarded, Option<Vec<u8>>) {
    let server = MemcachedServer::start(&[]);
    let mut raw = Raw::to(&server);
    if let Some(old) = old {
        raw.set("key", 0, old);
    }
    let event = Arc::new(Mutex::new(None));
    let proxy = between(&server, Arc::clone(&event));
    let on = open("memcached", &json!({ "url": proxy.url() }));
    let other = open("memcached", &json!({ "url": server.url() }));
    let key = key("key");
    let mutex = on.mutex(&key.as_key()).unwrap().unwrap();
    let lease = mutex.try_acquire(LONG).unwrap().unwrap();
    *event.lock().unwrap() = Some((
        b"ms key ",
        Box::new(move || {
            happens(&other, &mut raw);
            Then::Answered
        }),
    ));
    let value = Value::copied(&Metadata::default(), key.as_key(), b"ours");
    let outcome = on.set_guarded(&key.as_key(), &value, &lease).unwrap();
    assert!(event.lock().unwrap().is_none(), "it did not happen");
    (outcome, get(&on, "key").unwrap())
}

#[test]
fn a_deletion_between_the_look_and_the_store_is_not_undone() {
    let (outcome, found) = stored_while(|other, _| {
        other.delete(&key("key").as_key()).unwrap();
    });
    assert_eq!((outcome, found), (Guarded::Deleted, None));
}

#[test]
fn a_lock_that_is_lost_between_the_look_and_the_store_stores_nothing() {
    let (outcome, found) = stored_while(|_, raw| {
        assert_eq!(raw.ask("delete _lockkey\r\n"), "DELETED");
    });
    assert_eq!((outcome, found), (Guarded::LeaseLost, None));
}

#[test]
fn what_the_next_holder_stored_between_the_look_and_the_store_stays() {
    let (outcome, found) = stored_while(|other, raw| {
        assert_eq!(raw.ask("delete _lockkey\r\n"), "DELETED");
        let key = key("key");
        let mutex = other.mutex(&key.as_key()).unwrap().unwrap();
        let lease = mutex.try_acquire(LONG).unwrap().unwrap();
        let value = Value::copied(&Metadata::default(), key.as_key(), b"theirs");
        let stored = other.set_guarded(&key.as_key(), &value, &lease).unwrap();
        assert_eq!(stored, Guarded::Stored);
    });
    assert_eq!(
        (outcome, found),
        (Guarded::LeaseLost, Some(b"theirs".into()))
    );
}

#[test]
fn what_others_store_without_the_lock_is_replaced() {
    let (outcome, found) = stored_while(|_, raw| raw.set("key", 0, b"theirs"));
    assert_eq!((outcome, found), (Guarded::Stored, Some(b"ours".into())));
}

#[test]
fn a_lock_that_was_taken_by_a_call_whose_reply_was_lost_is_given_up() {
    let server = MemcachedServer::start(&[]);
    let event: Arc<Mutex<Event>> = Arc::default();
    let proxy = between(&server, Arc::clone(&event));
    let on = open(
        "memcached",
        &json!({ "url": proxy.url(), "dead_retry": "10ms" }),
    );
    let mutex = on.mutex(&key("key").as_key()).unwrap().unwrap();
    *event.lock().unwrap() = Some((b"ms _lockkey ", Box::new(|| Then::Unanswered)));
    assert!(mutex.try_acquire(LONG).is_err());
    let mut raw = Raw::to(&server);
    until("the server did it", || raw.text("_lockkey").is_some());
    let lost = raw.text("_lockkey");
    until("it is asked again", || match mutex.try_acquire(LONG) {
        Ok(lease) => {
            mutex.release(lease.expect("nobody has it")).unwrap();
            true
        }
        Err(_) => false,
    });
    assert_ne!(raw.text("_lockkey"), lost);
}

#[test]
fn a_lock_whose_release_was_lost_is_given_up_before_it_is_taken_again() {
    let server = MemcachedServer::start(&[]);
    let event: Arc<Mutex<Event>> = Arc::default();
    let proxy = between(&server, Arc::clone(&event));
    let on = open(
        "memcached",
        &json!({ "url": proxy.url(), "dead_retry": "10ms" }),
    );
    let mutex = on.mutex(&key("key").as_key()).unwrap().unwrap();
    let lease = mutex.try_acquire(LONG).unwrap().unwrap();
    *event.lock().unwrap() = Some((b"md _lockkey C", Box::new(|| Then::Lost)));
    mutex.release(lease).unwrap_err();
    assert!(Raw::to(&server).text("_lockkey").is_some());
    until("it is asked again", || match mutex.try_acquire(LONG) {
        Ok(lease) => {
            mutex.release(lease.expect("nobody has it")).unwrap();
            true
        }
        Err(_) => false,
    });
}

#[test]
fn a_server_that_is_there_by_two_names_is_told() {
    let server = MemcachedServer::start(&[]);
    let alias = between(&server, Arc::default());
    let url = [server.url(), alias.url()];
    let on = open("memcached_binary", &json!({ "url": url }));
    let mutex = on.mutex(&key("key").as_key()).unwrap().unwrap();
    let error = mutex.try_acquire(LONG).unwrap_err();
    assert!(error.message().contains("another name"), "{error}");
    assert!(error.message().contains(&alias.url()), "{error}");
    assert_eq!(Raw::to(&server).text("_lockkey"), None);
}

#[test]
fn a_lock_that_one_server_took_without_a_word_is_still_its_holders() {
    const ADD: &[u8] = b"\x80\x02";
    let servers = servers(2, &[]);
    let event: Arc<Mutex<Event>> = Arc::default();
    let proxy = between(&servers[0], Arc::clone(&event));
    let url = [proxy.url(), servers[1].url()];
    let on = open("memcached_binary", &json!({ "url": url }));
    let mutex = on.mutex(&key("key").as_key()).unwrap().unwrap();
    *event.lock().unwrap() = Some((ADD, Box::new(|| Then::Unanswered)));
    // By the other server.
    let lease = mutex.try_acquire(LONG).unwrap().expect("nobody has it");
    assert!(event.lock().unwrap().is_none(), "it did not happen");
    assert!(mutex.try_acquire(LONG).unwrap().is_none(), "two have it");
    mutex.release(lease).unwrap();
    let next = mutex.try_acquire(LONG).unwrap();
    mutex.release(next.expect("nobody has it")).unwrap();
}

#[test]
fn what_was_to_be_removed_when_the_connection_was_lost_is_removed_later() {
    let server = MemcachedServer::start(&[]);
    let event: Arc<Mutex<Event>> = Arc::default();
    let proxy = between(&server, Arc::clone(&event));
    let on = open(
        "memcached",
        &json!({ "url": proxy.url(), "dead_retry": "10ms" }),
    );
    let other = open("memcached", &json!({ "url": server.url() }));
    let key = key("key");
    let mutex = on.mutex(&key.as_key()).unwrap().unwrap();
    let lease = mutex.try_acquire(LONG).unwrap().unwrap();
    let next = Arc::clone(&event);
    let deletes = move || {
        other.delete(&crate::support::key("key").as_key()).unwrap();
        *next.lock().unwrap() = Some((b"md key C", Box::new(|| Then::Lost)));
        Then::Answered
    };
    *event.lock().unwrap() = Some((b"ms key ", Box::new(deletes)));
    let value = Value::copied(&Metadata::default(), key.as_key(), b"ours");
    on.set_guarded(&key.as_key(), &value, &lease).unwrap_err();
    assert!(event.lock().unwrap().is_none(), "it did not happen");
    assert_eq!(Raw::to(&server).text("key").as_deref(), Some("ours"));
    until("the server is asked again", || match get(&on, "key") {
        Ok(found) => {
            assert_eq!(found, None);
            true
        }
        Err(_) => false,
    });
}
