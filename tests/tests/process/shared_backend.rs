//! A child and its parent that go on with the same backend, whose storage is that of servers.

use dogpile_plugin_api::testing::{TestHost, host};
use dogpile_plugin_api::{Backend, Guarded, Metadata, Mutex, Value};
use serde_json::Value as Json;

use crate::c_library::in_a_child;
use crate::children::{LONG, Step, ended};

const CALLS: u32 = 300;

fn mutex(on: &impl Backend, host: &TestHost) -> Box<dyn Mutex> {
    on.mutex(&host.key("key").as_key()).unwrap().unwrap()
}

/// Stores and reads values that nobody else has.
fn use_it(on: &impl Backend, host: &TestHost, whose: &str) {
    for number in 0..CALLS {
        let key = host.key(format!("{whose}{number}"));
        let bytes = format!("value of {whose} {number}");
        let value = Value::copied(&Metadata::default(), key.as_key(), bytes.as_bytes());
        on.set(&key.as_key(), &value).unwrap();
        let found = on.get(&key.as_key()).unwrap().unwrap();
        assert_eq!(found.as_bytes().unwrap(), bytes.as_bytes());
    }
}

/// Each of them has connections of its own, and none of the other's leases.
pub(crate) fn both_use_it<B: Backend>(arguments: &Json) {
    let host = host();
    let arguments = serde_json::from_value(arguments.clone()).unwrap();
    let on = B::open(arguments, &host.context()).unwrap();
    let key = host.key("key");
    let value = Value::copied(&Metadata::default(), key.as_key(), b"value");
    let mut lease = mutex(&on, &host).try_acquire(LONG).unwrap().unwrap();
    // The parent has connections, and a thread that is told of locks.
    mutex(&on, &host).wait(LONG / 1000).unwrap();
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
