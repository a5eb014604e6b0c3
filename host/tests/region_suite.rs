//! What dogpile.cache's `RegionTest` shows, of each kind of region on which it runs those tests: a plain one, one behind
//! a proxy, and one with an invalidation strategy of the program's own. Each holds objects in one round and bytes in the
//! next.

#![forbid(unsafe_code)]

mod region_support;

use std::cell::RefCell;
use std::error::Error as StdError;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use dogpile::{
    Cached, Clock, ErrorKind, Expiration, Host, Invalidation, InvalidationStrategy, ManualClock,
    Region, RegionConfig, Source, Verdict,
};

use region_support::{Board, SECOND, START, after, builder};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Plain,
    BehindAProxy,
    WithAStrategy,
}

/// Keeps the times of the last invalidation of each kind, and judges by the end of creations.
struct Latest {
    clock: Clock,
    hard: Mutex<Option<u64>>,
    soft: Mutex<Option<u64>>,
}

impl InvalidationStrategy for Latest {
    fn invalidate(&self, how: Invalidation) -> Result<(), Box<dyn StdError + Send + Sync>> {
        let now = self.clock.exact();
        let (set, forgotten) = match how {
            Invalidation::Hard => (&self.hard, &self.soft),
            Invalidation::Soft => (&self.soft, &self.hard),
        };
        *set.lock().unwrap() = Some(now);
        *forgotten.lock().unwrap() = None;
        Ok(())
    }

    fn outdates(&self, created: SystemTime, _: SystemTime) -> Option<Verdict> {
        let before = |line: &Mutex<Option<u64>>| {
            let line = *line.lock().unwrap();
            let line = line.map(|line| SystemTime::UNIX_EPOCH + Duration::from_nanos(line));
            line.filter(|line| created < *line)
        };
        if before(&self.hard).is_some() {
            return Some(Verdict::Hard);
        }
        before(&self.soft).map(|since| Verdict::Soft { since })
    }
}

struct Case {
    title: String,
    host: Host,
    users: Region,
    hand: ManualClock,
    board: Arc<Board>,
    config: RegionConfig,
}

/// Runs a test on each kind of region; none of them has the keys of another.
fn each(name: &str, configure: impl Fn(RegionConfig) -> RegionConfig, test: impl Fn(&Case)) {
    for kind in [Kind::Plain, Kind::BehindAProxy, Kind::WithAStrategy] {
        for bytes in [false, true] {
            let title = format!("{name}, {kind:?}, bytes: {bytes}");
            let board = Board::new(&title);
            let storage = if bytes {
                board.bytes()
            } else {
                board.objects()
            };
            let config = configure(storage.argument("alone", true));
            let config = match kind {
                Kind::BehindAProxy => board.around(config, "outer"),
                Kind::Plain | Kind::WithAStrategy => config,
            };
            let (clock, hand) = Clock::manual(START * 1_000_000_000);
            let (builder, _) = builder();
            let builder = builder.clock(clock.clone()).region(config.clone());
            let host = builder.build().unwrap();
            let users = host.region("users").unwrap();
            if kind == Kind::WithAStrategy {
                users.set_invalidation_strategy(Latest {
                    clock,
                    hard: Mutex::default(),
                    soft: Mutex::default(),
                });
            }
            let opened: &[&str] = match kind {
                Kind::BehindAProxy => &["open", "outer.open"],
                Kind::Plain | Kind::WithAStrategy => &["open"],
            };
            assert_eq!(board.calls(), opened, "{title}");
            test(&Case {
                title,
                host,
                users,
                hand,
                board,
                config,
            });
        }
    }
}

fn as_it_is(config: RegionConfig) -> RegionConfig {
    config
}

/// Values that expire after so many seconds.
fn seconds(count: u32) -> impl Fn(RegionConfig) -> RegionConfig {
    move |config| config.expiration_time(count * SECOND)
}

fn values(cached: Vec<Option<Cached<i32>>>) -> Vec<Option<i32>> {
    let values = cached.into_iter();
    values.map(|value| value.map(|value| *value)).collect()
}

/// A creator of several keys, which gives them numbers from `first` on in the order in which it is asked for them.
fn numbered<'k>(first: i32) -> impl Fn(&[&'k str]) -> Vec<(&'k str, i32)> {
    move |missing| missing.iter().copied().zip(first..).collect()
}

impl Case {
    fn get(&self, key: &str) -> Option<i32> {
        self.users.get(key).unwrap().map(|value| *value)
    }

    fn get_all(&self, keys: &[&str]) -> Vec<Option<i32>> {
        values(self.users.get_multi(keys).unwrap())
    }

    fn get_within(&self, key: &str, time: impl Into<Expiration>) -> Option<i32> {
        let entry = self.users.entry(key).expiration_time(time);
        entry.get().unwrap().map(|value| *value)
    }

    fn create(&self, key: &str, value: i32) -> i32 {
        *self.users.get_or_create(key, || value).unwrap()
    }

    fn create_all(&self, keys: &[&str], first: i32) -> Vec<Option<i32>> {
        values(
            self.users
                .get_or_create_multi(keys, numbered(first))
                .unwrap(),
        )
    }

    /// What is stored under a key, outdated or not: in a region like this one that knows of no invalidation.
    fn stored(&self, key: &str) -> i32 {
        let (builder, _) = builder();
        let host = builder.region(self.config.clone()).build().unwrap();
        let users = host.region("users").unwrap();
        *users.get(key).unwrap().expect("something is stored")
    }

    /// Later than all that was created until now.
    fn invalidate(&self, how: Invalidation) {
        self.hand.advance(SECOND / 10);
        self.users.invalidate(how).unwrap();
    }
}

#[test]
fn a_region_has_its_name_and_one_configuration() {
    each("configured", as_it_is, |case| {
        assert_eq!(case.users.name(), "users");
        assert!(case.users.is_configured());
        assert_eq!(case.users.actual_backend().unwrap(), "spy");
        let again = case.host.configure(case.config.clone()).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::RegionAlreadyConfigured);
        assert!(case.users.is_configured());
        assert_eq!(case.create("1", 1), 1);
        let other = RegionConfig::on("later", "unknown");
        let unknown = case.host.configure(other).unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::PluginNotFound);
        let later = case.host.declare("later");
        assert!(!later.is_configured(), "{}", case.title);
        let unset = later.get::<i32>("1").unwrap_err();
        assert_eq!(unset.kind(), ErrorKind::RegionNotConfigured);
    });
}

#[test]
fn what_is_set_is_found_until_it_is_deleted() {
    each("set", as_it_is, |case| {
        case.users.set("1", 1).unwrap();
        assert_eq!(case.get("1"), Some(1));
        case.users.set("1", 2).unwrap();
        assert_eq!(case.get("1"), Some(2));
        assert_eq!(case.create("1", 3), 2);
        case.users.delete("1").unwrap();
        case.users.delete("1").unwrap();
        assert_eq!(case.get("1"), None, "{}", case.title);
    });
}

#[test]
fn what_was_never_stored_is_not_there_however_it_is_asked_for() {
    each("nothing", as_it_is, |case| {
        assert_eq!(case.get("1"), None);
        assert_eq!(case.get_within("1", 10 * SECOND), None);
        assert_eq!(case.get_within("1", Expiration::Never), None);
        assert_eq!(case.users.get_value_metadata("1").unwrap(), None);
        case.invalidate(Invalidation::Hard);
        assert_eq!(case.get("1"), None);
        assert_eq!(case.get_all(&["1", "2"]), [None, None]);
        assert!(!case.users.key_is_locked("1").unwrap(), "{}", case.title);
    });
}

#[test]
fn what_is_missing_is_created_alone_or_with_others() {
    each("creator", as_it_is, |case| {
        assert_eq!(case.create("1", 7), 7);
        assert_eq!(case.get("1"), Some(7));
        // The creator is asked in the order of the keys' bytes, the caller is answered in its own.
        let made = case.create_all(&["k3", "k2", "k5", "1"], 1);
        assert_eq!(made, [2, 1, 3, 7].map(Some), "{}", case.title);
        assert_eq!(case.get_all(&["k2", "k3", "k5"]), [1, 2, 3].map(Some));
    });
}

#[test]
fn an_expired_value_is_only_there_for_who_takes_an_older_one() {
    each("expired", seconds(1), |case| {
        assert_eq!(case.create("1", 1), 1);
        assert_eq!(case.get("1"), Some(1));
        case.hand.advance(2 * SECOND);
        assert_eq!(case.get("1"), None);
        assert_eq!(case.get_within("1", Expiration::Never), Some(1));
        assert_eq!(case.get_within("1", 5 * SECOND), Some(1));
        assert_eq!(case.get("1"), None);
        let never = case.users.entry("1").expiration_time(Expiration::Never);
        assert_eq!(*never.get_or_create(|| 9).unwrap(), 1);
        assert_eq!(case.create("1", 2), 2, "{}", case.title);
        assert_eq!(case.get("1"), Some(2));
    });
}

#[test]
fn expired_values_of_several_keys_are_only_there_for_who_takes_older_ones() {
    each("expired, several", seconds(1), |case| {
        let keys = ["k3", "k2"];
        assert_eq!(case.create_all(&["k3", "k2", "k5"], 1), [2, 1, 3].map(Some));
        case.hand.advance(2 * SECOND);
        assert_eq!(case.get("k2"), None);
        assert_eq!(case.get_all(&keys), [None, None]);
        assert_eq!(case.get_within("k2", Expiration::Never), Some(1));
        let never = || case.users.entries(&keys).expiration_time(Expiration::Never);
        let create = |_: &[&'static str]| -> Vec<(&str, i32)> { unreachable!("all are there") };
        let got = never().get_or_create(create).unwrap();
        assert_eq!(values(got), [2, 1].map(Some), "{}", case.title);
        assert_eq!(values(never().get().unwrap()), [2, 1].map(Some));
        assert_eq!(case.create_all(&keys, 4), [5, 4].map(Some));
        assert_eq!(case.get("k2"), Some(4));
        // Who makes values that never expire makes them for itself alone, and only those that are not there.
        case.hand.advance(2 * SECOND);
        let asked = RefCell::new(Vec::new());
        let entries = case.users.entries(&["k2", "k9"]);
        let made = entries
            .expiration_time(Expiration::Never)
            .get_or_create(|missing| {
                asked.borrow_mut().extend(missing.to_vec());
                numbered(6)(missing)
            });
        assert_eq!(values(made.unwrap()), [4, 6].map(Some));
        assert_eq!(*asked.borrow(), ["k9"]);
        case.hand.advance(2 * SECOND);
        assert_eq!(case.get_all(&["k2", "k9"]), [None, None]);
    });
}

#[test]
fn a_calls_expiration_time_is_not_that_of_later_calls() {
    each("override", seconds(5), |case| {
        let short = |value: i32| {
            let entry = case.users.entry("1").expiration_time(SECOND);
            *entry.get_or_create(|| value).unwrap()
        };
        assert_eq!(short(1), 1);
        case.hand.advance(2 * SECOND);
        assert_eq!(case.get("1"), Some(1));
        assert_eq!(short(2), 2, "{}", case.title);
        assert_eq!(case.get("1"), Some(2));
    });
}

#[test]
fn an_invalidation_outdates_a_key_each_time() {
    for how in [Invalidation::Hard, Invalidation::Soft] {
        each(&format!("{how:?}"), seconds(60), |case| {
            assert_eq!(case.create("1", 1), 1);
            for round in 2..5 {
                case.invalidate(how);
                assert_eq!(case.get("1"), None, "{}", case.title);
                assert_eq!(case.create("1", round), round, "{}", case.title);
                assert_eq!(case.create("1", 9), round, "{}", case.title);
                assert_eq!(case.get("1"), Some(round));
            }
        });
    }
}

#[test]
fn an_invalidation_outdates_several_keys_at_once_and_each_time() {
    for how in [Invalidation::Hard, Invalidation::Soft] {
        each(&format!("{how:?}, several"), seconds(60), |case| {
            let keys = ["k1", "k2"];
            assert_eq!(case.create_all(&keys, 1), [1, 2].map(Some));
            for first in [3, 5] {
                case.invalidate(how);
                assert_eq!(case.get_all(&keys), [None, None], "{}", case.title);
                let new = [first, first + 1].map(Some);
                assert_eq!(case.create_all(&keys, first), new, "{}", case.title);
                assert_eq!(case.create_all(&keys, 9), new, "{}", case.title);
            }
        });
    }
}

/// What a second caller gets while the value is created anew tells hard from soft.
#[test]
fn only_what_is_invalidated_softly_is_served_meanwhile() {
    for how in [Invalidation::Hard, Invalidation::Soft] {
        each(&format!("{how:?}, meanwhile"), seconds(60), |case| {
            case.users.set("1", 1).unwrap();
            case.invalidate(how);
            let made = case.users.get_or_create("1", || {
                let own = case.users.get_or_create("1", || -> i32 { unreachable!() });
                match how {
                    Invalidation::Soft => {
                        let own = own.unwrap();
                        assert_eq!((*own, own.source()), (1, Source::Stale));
                    }
                    // There is nothing to serve, and its own end cannot be waited for.
                    Invalidation::Hard => assert_eq!(own.unwrap_err().kind(), ErrorKind::Circle),
                }
                2
            });
            assert_eq!(*made.unwrap(), 2, "{}", case.title);
        });
    }
}

#[test]
fn without_an_expiration_time_nothing_is_invalidated_softly() {
    each("endless", as_it_is, |case| {
        let refused = || {
            let error = case.users.invalidate(Invalidation::Soft).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NoExpirationTime, "{}", case.title);
            let text = error.to_string();
            assert!(text.contains("`expiration_time`"), "{text}");
        };
        // Before the first call for a key and after it, with one and with several.
        refused();
        assert_eq!(case.create("1", 1), 1);
        assert_eq!(case.create_all(&["k1", "k2"], 1), [1, 2].map(Some));
        refused();
        assert_eq!(case.create("1", 9), 1);
        assert_eq!(case.create_all(&["k1", "k2"], 9), [1, 2].map(Some));
    });
}

#[test]
fn what_is_not_to_be_cached_leaves_what_is_stored() {
    each("left as it is", as_it_is, |case| {
        let odd = |value: &i32| value % 2 == 1;
        let keys = ["several"];
        for (value, stored) in [(1, 1), (2, 1), (3, 3)] {
            let one = case.users.entry("one").should_cache(odd);
            assert_eq!(*one.get_or_create(|| value).unwrap(), value);
            let several = case.users.entries(&keys).should_cache(odd);
            let several = several.get_or_create(|_| [("several", value)]).unwrap();
            assert_eq!(values(several), [Some(value)], "{}", case.title);
            for key in ["one", "several"] {
                assert_eq!(case.stored(key), stored, "{}: {key}", case.title);
            }
            case.invalidate(Invalidation::Hard);
        }
    });
}

#[test]
fn several_keys_are_set_read_and_deleted_together() {
    each("several", as_it_is, |case| {
        let pairs = [("key1", 1), ("key2", 2), ("key3", 3)];
        case.users.set_multi(pairs).unwrap();
        assert_eq!(pairs.map(|(key, _)| case.get(key)), [1, 2, 3].map(Some));
        let keys = ["key3", "key1000", "key1", "key2"];
        assert_eq!(case.get_all(&keys), [Some(3), None, Some(1), Some(2)]);
        case.users.delete_multi(&["key2", "key1000"]).unwrap();
        assert_eq!(case.get_all(&keys), [Some(3), None, Some(1), None]);
        assert_eq!(case.get("key2"), None, "{}", case.title);
        assert_eq!(case.get_all(&[]), []);
        assert_eq!(case.create_all(&[], 1), []);
        case.users.set_multi([("", 1); 0]).unwrap();
    });
}

#[test]
fn a_value_tells_when_it_was_cached_and_how_old_it_is() {
    each("metadata", seconds(4), |case| {
        assert_eq!(case.users.get_value_metadata("1").unwrap(), None);
        case.hand.advance(100 * SECOND);
        case.users.set("1", 1).unwrap();
        case.hand.advance(5 * SECOND);
        // It has expired, and is told of all the same.
        assert_eq!(case.get("1"), None);
        let metadata = case.users.get_value_metadata("1").unwrap().unwrap();
        assert_eq!(metadata.cached_time, after(100), "{}", case.title);
        assert_eq!(metadata.age, 5 * SECOND, "{}", case.title);
        let entry = case.users.entry("1").expiration_time(Expiration::Never);
        let value = entry.get::<i32>().unwrap().unwrap();
        assert_eq!((*value, value.cached_time()), (1, after(100)));
    });
}

#[test]
fn what_is_set_under_a_mangled_key_is_found_and_deleted_under_it() {
    let brackets = |config: RegionConfig| config.key_mangler("brackets");
    each("mangled", brackets, |case| {
        case.users.set("some key", 1).unwrap();
        assert!(case.board.stored("[some key]").is_some());
        assert!(case.board.stored("some key").is_none());
        assert_eq!(case.get("some key"), Some(1));
        assert_eq!(case.create("some key", 2), 1);
        assert_eq!(case.create_all(&["some key"], 2), [Some(1)]);
        case.users.delete("some key").unwrap();
        assert_eq!(case.get("some key"), None, "{}", case.title);
    });
}
