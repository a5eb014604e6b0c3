//! The error of a creation that was begun before its key was deleted or outdated.

use std::thread;

use dogpile::{Invalidation, Region};

use crate::region_support::{held, until_waiting};
use crate::{WAYS, Way, parted, regions};

/// Whoever waits before `outdate` gets the error of the creation under way, whoever comes after creates.
fn errors_before_and_after(users: &Region, key: &str, way: Way, outdate: impl Fn()) {
    let fail = || Err("old trouble".to_owned());
    let got = parted(users, key, way, fail, outdate);
    for old in [got.first].into_iter().chain(got.before) {
        let error = old.unwrap_err();
        assert!(error.to_string().contains("old trouble"), "{error}");
    }
    for after in got.after {
        assert_eq!(after.unwrap().0, 2);
    }
    assert_eq!((users.stats().creations, users.stats().errors), (1, 3));
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
        let first = held(scope, |hold| {
            users.entry(key).tags(["tag"]).try_get_or_create(|| {
                hold.wait();
                Err::<i32, _>("old trouble")
            })
        });
        outdate();
        let after = scope.spawn(&after);
        until_waiting(key, 1);
        assert!(first.end().is_err());
        after.join().unwrap()
    })
}

#[test]
fn an_error_is_not_that_of_who_came_after_its_tag_was_invalidated() {
    for way in WAYS {
        for (users, _, key) in regions(&format!("error, tag {}", way as u8)) {
            let beside = |key: &str, tag| {
                let invalidate = || users.invalidate_tags([tag], Invalidation::Hard).unwrap();
                let after = || {
                    way.try_get_or_create(&users, key, || Ok(2))
                        .map(|(got, _)| got)
                };
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
