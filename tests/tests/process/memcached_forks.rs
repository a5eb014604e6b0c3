//! A child that goes on with the backend `memcached` of its parent.

use dogpile_plugin_api::testing::{TestHost, host};
use dogpile_plugin_api::{Backend, Guarded, Metadata, Mutex, Value};
use dogpile_plugin_memcached::Memcached;
use dogpile_tests::memcached_server::MemcachedServer;
use serde_json::json;

use crate::c_library::in_a_child;
use crate::children::{LONG, Step, alone, ended};

const CALLS: u32 = 300;

fn mutex(on: &Memcached, host: &TestHost) -> Box<dyn Mutex> {
    on.mutex(&host.key("key").as_key()).unwrap()
}

/// Stores and reads values that nobody else has.
fn use_it(on: &Memcached, host: &TestHost, whose: &str) {
    for number in 0..CALLS {
        let key = host.key(format!("{whose}{number}"));
        let bytes = format!("value of {whose} {number}");
        let value = Value::copied(&Metadata::default(), key.as_key(), bytes.as_bytes());
        on.set(&key.as_key(), &value).unwrap();
        let found = on.get(&key.as_key()).unwrap().unwrap();
        assert_eq!(found.as_bytes().unwrap(), bytes.as_bytes());
    }
}

#[test]
fn a_child_has_connections_of_its_own_and_none_of_the_leases_of_its_parent() {
    alone(
        "memcached_forks::a_child_has_connections_of_its_own_and_none_of_the_leases_of_its_parent",
        both_use_it,
    );
}

fn both_use_it() {
    let server = MemcachedServer::start(&[]);
    let host = host();
    let arguments = serde_json::from_value(json!({ "url": server.url() })).unwrap();
    let on = Memcached::open(arguments, &host.context()).unwrap();
    let key = host.key("key");
    let value = Value::copied(&Metadata::default(), key.as_key(), b"value");
    let mut lease = mutex(&on, &host).try_acquire(LONG).unwrap().unwrap();
    let (forked, waits) = (Step::new(), Step::new());
    let child = in_a_child(|| {
        forked.done();
        use_it(&on, &host, "child");
        let mutex = mutex(&on, &host);
        mutex.release(lease).unwrap();
        assert!(!mutex.renew(&mut lease.clone()).unwrap());
        let stored = on.set_guarded(&key.as_key(), &value, &lease).unwrap();
        assert_eq!(stored, Guarded::LeaseLost);
        assert!(mutex.try_acquire(LONG).unwrap().is_none());
        waits.done();
        while mutex.try_acquire(LONG).unwrap().is_none() {
            mutex.wait(LONG).unwrap();
        }
        on.close().unwrap();
    });
    forked.wait();
    use_it(&on, &host, "parent");
    waits.wait();
    let mutex = mutex(&on, &host);
    assert!(mutex.renew(&mut lease).unwrap());
    assert_eq!(
        on.set_guarded(&key.as_key(), &value, &lease).unwrap(),
        Guarded::Stored
    );
    mutex.release(lease).unwrap();
    assert_eq!(ended(child), Some(0));
    // What the child closed was its own.
    use_it(&on, &host, "parent");
    assert!(mutex.is_locked().unwrap());
}
