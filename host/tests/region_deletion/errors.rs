//! The error of a creation that was begun before its key was deleted or outdated.

use std::sync::mpsc;
use std::thread;

use dogpile::{Invalidation, Region};

use crate::region_support::{let_others_run, until_waiting};
use crate::{WAYS, Way, regions};

impl Way {
    /// As `get_or_create`, with a creator that can fail.
    fn try_get_or_create(
        self,
        users: &Region,
        key: &str,
        create: impl Fn() -> Result<i32, String>,
    ) -> dogpile::Result<i32> {
        match self {
            Self::Blocking => users.try_get_or_create(key, create).map(|got| *got),
            Self::Task => {
                let create = || async {
                    let_others_run().await;
                    create()
                };
                let got = users.try_get_or_create_async(key, create);
                futures_executor::block_on(got).map(|got| *got)
            }
            Self::Several => {
                let got = users.try_get_or_create_multi(&[key], |missing| {
                    create().map(|value| [(missing[0], value)])
                });
                got.map(|mut got| *got.remove(0).unwrap())
            }
        }
    }
}

/// Whoever waits before `outdate` gets the error of the creation under way, whoever comes after creates.
fn errors_before_and_after(users: &Region, key: &str, way: Way, outdate: impl Fn() + Sync) {
    thread::scope(|scope| {
        let (creating, is_creating) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let first = scope.spawn(move || {
            way.try_get_or_create(users, key, || {
                creating.send(()).unwrap();
                // Whoever waits for this goes on if the test has failed.
                let _told = may_go_on.recv();
                Err("old trouble".to_owned())
            })
        });
        is_creating.recv().unwrap();
        let unwanted = || unreachable!("it is being created");
        let before = scope.spawn(move || way.try_get_or_create(users, key, unwanted));
        until_waiting(key, 1);
        outdate();
        let after = || way.try_get_or_create(users, key, || Ok(2));
        let after = [scope.spawn(after), scope.spawn(after)];
        until_waiting(key, 3);
        go_on.send(()).unwrap();
        for old in [first, before] {
            let error = old.join().unwrap().unwrap_err();
            assert!(error.to_string().contains("old trouble"), "{error}");
        }
        for after in after {
            assert_eq!(after.join().unwrap().unwrap(), 2);
        }
    });
    assert_eq!((users.stats().creations, users.stats().errors), (1, 2));
}

#[test]
fn an_error_is_not_that_of_who_came_after_a_deletion() {
    type Outdate = fn(&Region, &str);
    let ways: [(&str, Outdate); 3] = [
        ("delete", |users, key| users.delete(key).unwrap()),
        ("several", |users, key| users.delete_multi(&[key]).unwrap()),
        ("clear", |users, _| users.clear().unwrap()),
    ];
    for (name, outdate) in ways {
        for way in WAYS {
            for (users, _, key) in regions(&format!("error, {name} {}", way as u8)) {
                errors_before_and_after(&users, &key, way, || outdate(&users, &key));
            }
        }
    }
}

#[test]
fn an_error_is_not_that_of_who_came_after_a_hard_invalidation() {
    for way in WAYS {
        for (users, _, key) in regions(&format!("error, hard {}", way as u8)) {
            let outdate = || users.invalidate(Invalidation::Hard).unwrap();
            errors_before_and_after(&users, &key, way, outdate);
        }
    }
}

/// What `after` gives, which comes while a tagged creation is under way that fails, and after `outdate`.
fn beside_an_older_failure(
    users: &Region,
    key: &str,
    outdate: impl Fn(),
    after: impl Fn() -> dogpile::Result<i32> + Sync,
) -> dogpile::Result<i32> {
    thread::scope(|scope| {
        let (creating, is_creating) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let first = scope.spawn(move || {
            users.entry(key).tags(["tag"]).try_get_or_create(|| {
                creating.send(()).unwrap();
                // Whoever waits for this goes on if the test has failed.
                let _told = may_go_on.recv();
                Err::<i32, _>("old trouble")
            })
        });
        is_creating.recv().unwrap();
        outdate();
        let after = scope.spawn(&after);
        until_waiting(key, 1);
        go_on.send(()).unwrap();
        assert!(first.join().unwrap().is_err());
        after.join().unwrap()
    })
}

#[test]
fn an_error_is_not_that_of_who_came_after_its_tag_was_invalidated() {
    for way in WAYS {
        for (users, _, key) in regions(&format!("error, tag {}", way as u8)) {
            let beside = |key: &str, tag| {
                let invalidate = || users.invalidate_tags([tag], Invalidation::Hard).unwrap();
                let after = || way.try_get_or_create(&users, key, || Ok(2));
                beside_an_older_failure(&users, key, invalidate, after)
            };
            assert_eq!(beside(&key, "tag").unwrap(), 2);
            let error = beside(&format!("{key}, another tag"), "other").unwrap_err();
            assert!(error.to_string().contains("old trouble"), "{error}");
        }
    }
}

#[test]
fn an_error_is_not_that_of_a_refresh_which_came_after() {
    for (users, _, key) in regions("error, refresh") {
        let refresh = || users.refresh(&key, || 2).map(|got| *got);
        let got = beside_an_older_failure(&users, &key, || {}, refresh);
        assert_eq!(got.unwrap(), 2);
    }
}
