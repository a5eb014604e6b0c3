//! A creation that is under way while its region changes.

use std::sync::mpsc;
use std::thread;

use dogpile::{Region, Source};

use crate::probe::Log;
use crate::support::{Site, until};

fn probe(log: &str, tag: &str, more: &str) -> String {
    format!(
        "[regions.a]\nbackend = \"probe\"\narguments = {{ log = \"{log}\", tag = \"{tag}\" }}\n{more}"
    )
}

fn misses(region: &Region) -> u64 {
    region.stats().misses.values().sum()
}

#[test]
fn a_creation_under_way_goes_to_those_who_wait_and_is_not_stored_in_the_new_instance() {
    let log = Log::named("under way");
    let site = Site::new(&probe("under way", "old", ""));
    let host = site.open_unwatched();
    let region = host.region("a").unwrap();
    let (began, start) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let creates = scope.spawn(|| {
            let create = move || {
                began.send(()).unwrap();
                gate.recv().unwrap();
                1
            };
            region.get_or_create("k", create).unwrap()
        });
        start.recv().unwrap();
        let waits: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| region.get_or_create("k", || 2).unwrap()))
            .collect();
        until("they have found nothing", || misses(&region) == 5);

        site.save(&probe("under way", "new", ""));
        host.reload().unwrap();
        // A creation holds no instance open.
        until("the old one is closed", || log.closes() == [1, 0]);
        let later: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| region.get_or_create("k", || 3).unwrap()))
            .collect();
        for call in later {
            assert_eq!(*call.join().unwrap(), 3);
        }
        go.send(()).unwrap();
        assert_eq!(*creates.join().unwrap(), 1);
        for call in waits {
            let value = call.join().unwrap();
            assert_eq!((*value, value.source()), (1, Source::Waited));
        }
    });
    assert_eq!(region.stats().creations, 2);
    assert_eq!(region.get::<i32>("k").unwrap().as_deref(), Some(&3));
    assert_eq!(log.seen(0).sets, Vec::<String>::new());
    assert_eq!(log.seen(1).sets, ["k"]);
    assert_eq!(log.faults(), Vec::<String>::new());
}

#[test]
fn what_a_call_of_several_keys_has_made_it_does_not_make_again_when_its_region_changes() {
    let log = Log::named("several");
    let site = Site::new(&probe("several", "old", ""));
    let host = site.open_unwatched();
    let region = host.region("a").unwrap();
    let (began, start) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let mut asked = Vec::new();
    thread::scope(|scope| {
        let region = &region;
        let falls = scope.spawn(move || {
            region.get_or_create("b", || -> i32 {
                began.send(()).unwrap();
                gate.recv().unwrap();
                panic!("the creator falls over")
            })
        });
        start.recv().unwrap();
        let got = region.get_or_create_multi(&["a", "b"], |missing| {
            asked.push(missing.to_vec());
            if asked.len() == 1 {
                site.save(&probe("several", "new", ""));
                host.reload().unwrap();
                go.send(()).unwrap();
            }
            missing.iter().map(|key| (*key, 1)).collect::<Vec<_>>()
        });
        let got = got.unwrap();
        assert!(got.iter().all(|value| value.as_deref() == Some(&1)));
        assert!(falls.join().is_err());
    });
    assert_eq!(asked, [["a"], ["b"]]);
    assert_eq!((region.stats().creations, misses(&region)), (2, 3));
    // What was made for an instance that is gone is stored nowhere.
    until("the old one is closed", || log.closes() == [1, 0]);
    assert_eq!(log.seen(0).sets, Vec::<String>::new());
    assert_eq!(log.seen(1).sets, ["b"]);
}

#[test]
fn a_creation_under_way_is_stored_where_the_instance_stays() {
    let log = Log::named("stays");
    let site = Site::new(&probe("stays", "", "expiration_time = 100\n"));
    let host = site.open_unwatched();
    let region = host.region("a").unwrap();
    let created = region.get_or_create("k", || {
        site.save(&probe("stays", "", "expiration_time = 200\n"));
        host.reload().unwrap();
        // Its flight goes on too: nobody else begins.
        assert!(region.key_is_locked("k").unwrap());
        1
    });
    assert_eq!(*created.unwrap(), 1);
    assert_eq!(region.get::<i32>("k").unwrap().as_deref(), Some(&1));
    assert_eq!(log.seen(0).sets, ["k"]);
}

#[test]
fn a_creator_may_reload_its_own_region() {
    let log = Log::named("own region");
    let site = Site::new(&probe("own region", "old", ""));
    let host = site.open_unwatched();
    let region = host.region("a").unwrap();
    let created = region.get_or_create("k", || {
        site.save(&probe("own region", "new", ""));
        host.reload().unwrap().generation
    });
    assert_eq!(*created.unwrap(), host.status().generation);
    assert!(region.get::<u64>("k").unwrap().is_none());
    until("the old one is closed", || log.closes() == [1, 0]);
}

#[test]
fn a_creation_under_way_is_not_stored_under_a_key_that_the_region_has_no_more() {
    // Two regions of one storage exchange their prefixes: what the one creates would be found by the other.
    let pair = |a: &str, b: &str| {
        let region = |name: &str, prefix: &str| {
            format!(
                "[regions.{name}]\nbackend = \"probe\"\narguments = {{ log = \"exchange\", shared = true }}\n\
                 shares_keys = true\nkey_prefix = \"{prefix}\"\n"
            )
        };
        [region("a", a), region("b", b)].concat()
    };
    let site = Site::new(&pair("1:", "2:"));
    let host = site.open_unwatched();
    let (a, b) = (host.region("a").unwrap(), host.region("b").unwrap());
    let created = a.get_or_create("k", || {
        site.save(&pair("2:", "1:"));
        host.reload().unwrap();
        "of a".to_owned()
    });
    assert_eq!(*created.unwrap(), "of a");
    assert_eq!(b.get::<String>("k").unwrap().as_deref(), None::<&String>);
    assert_eq!(*b.get_or_create("k", || "of b".to_owned()).unwrap(), "of b");
}
