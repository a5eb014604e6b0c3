//! Replaced instances whose calls do not end are told.

use std::thread;

use crate::probe::Log;
use crate::support::{Site, until, whole};

#[test]
fn calls_that_hold_a_replaced_instance_are_counted_until_it_is_closed() {
    let log = Log::named("drained");
    let region = |tag: &str| {
        format!(
            "[regions.a]\nbackend = \"probe\"\narguments = {{ log = \"drained\", tag = \"{tag}\" }}\n"
        )
    };
    let site = Site::empty();
    let save = |tag: &str| {
        let host = "[host]\ndrain_timeout = \"30ms\"";
        site.replace("dogpile.toml", whole(&region(tag)).replace("[host]", host));
    };
    save("1");
    let host = site.open_unwatched();
    let a = host.region("a").unwrap();
    log.hold("get", "1");
    log.hold("close", "1");
    thread::scope(|scope| {
        let calls = [0, 1, 2].map(|_| scope.spawn(|| a.get::<i32>("k")));
        log.until_held(3);
        save("2");
        host.reload().unwrap();
        let draining = || host.status().draining;
        until("it is stuck", || draining()[0].state == "stuck");
        let told = draining();
        assert_eq!((told.len(), told[0].calls), (1, 3));
        assert!(told[0].since.ends_with('Z'));
        assert_eq!(told[0].instance, "backend `probe` of plugin `dogpile`");
        // Those that hold a snapshot in which it was replaced already do not count.
        log.hold("get", "2");
        let later = scope.spawn(|| a.get::<i32>("k"));
        log.until_held(4);
        save("3");
        host.reload().unwrap();
        until("both are told", || {
            draining().iter().map(|one| one.calls).eq([3, 1])
        });
        log.let_go_of("get");
        for call in calls {
            call.join().unwrap().unwrap();
        }
        later.join().unwrap().unwrap();
        until("one is closed", || draining().len() == 1);
        until("the other is being closed", || {
            draining()[0].state == "closing"
        });
        assert_eq!(draining()[0].calls, 0);
        log.let_go();
    });
    until("all are closed", || host.status().draining.is_empty());
    assert_eq!(log.closes(), [1, 1, 0]);
}
