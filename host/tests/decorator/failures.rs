//! A cache that fails lets the function run.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dogpile::{
    ErrorKind, FunctionCall, Host, OnBackendError, Region, RegionConfig, Source, cached,
};

use crate::counter::Counter;
use crate::region_support::{Board, Fault, SECOND, builder, region};

impl Counter {
    #[cached(region = &self.users, expiration_time = "1m")]
    fn count(&self, _id: u32) -> u32 {
        self.next()
    }

    #[cached(region = &self.users, cache_err = "1m")]
    fn try_count(&self, id: u32) -> Result<u32, String> {
        let run = self.next();
        if id > 0 {
            Ok(run)
        } else {
            Err(format!("run {run}"))
        }
    }

    /// JSON has no such keys.
    #[cached(region = &self.users)]
    fn by_pair(&self) -> BTreeMap<(u8, u8), u32> {
        BTreeMap::from([((1, 2), self.next())])
    }

    #[cached(region = &self.users)]
    fn itself(&self, depth: &AtomicBool) -> u32 {
        if depth.swap(true, Ordering::SeqCst) {
            return self.next();
        }
        *self.itself(depth) + 10
    }
}

#[test]
fn a_backend_that_fails_is_passed_by_whatever_its_region_says() {
    let failing = Board::new("decorated");
    let config = failing.objects().on_backend_error(OnBackendError::Fail);
    let (counter, hand) = Counter::on(region(config));
    for method in ["get", "get_fresh", "set", "delete"] {
        failing.fault(method, Some(Fault::Fail));
    }
    // What is created meanwhile is held in the process for a second.
    assert_eq!((*counter.count(1), *counter.count(1)), (1, 1));
    hand.advance(2 * SECOND);
    assert_eq!(*counter.count(1), 2);
    assert_eq!(*counter.count_refresh(1), 3);
    assert_eq!(*counter.try_count(1).unwrap(), 4);
    assert_eq!(counter.try_count(0).unwrap_err(), "run 5");
    assert_eq!(*counter.try_count_refresh(1).unwrap(), 6);

    let kinds = [
        counter.count_get(1).unwrap_err(),
        counter.count_set(1, 1).unwrap_err(),
        counter.count_invalidate(1).unwrap_err(),
    ];
    assert_eq!(kinds.map(|error| error.kind()), [ErrorKind::Backend; 3]);
    for method in ["get", "get_fresh", "set", "delete"] {
        failing.fault(method, None);
    }
    assert_eq!((*counter.count(1), *counter.count(1)), (7, 7));
}

#[test]
fn a_value_that_cannot_be_stored_goes_to_its_caller() {
    let config = RegionConfig::on("users", "memory").argument("storage", "bytes");
    let (counter, _) = Counter::on(region(config));
    for run in 1..=2 {
        assert_eq!(counter.by_pair()[&(1, 2)], run);
    }
    assert_eq!(counter.by_pair_refresh()[&(1, 2)], 3);
    let error = counter
        .by_pair_set(BTreeMap::from([((1, 2), 3)]))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Serializer);
}

#[test]
fn a_region_that_is_not_configured_yet_does_not_cache() {
    let (builder, hand) = builder();
    let host = builder.build().unwrap();
    let (counter, _) = Counter::on((host.declare("later"), hand));
    assert_eq!((*counter.count(1), *counter.count(1)), (1, 2));
    assert_eq!(*counter.count_refresh(1), 3);
    assert_eq!(*counter.try_count(1).unwrap(), 4);
    assert_eq!(
        counter.count_get(1).unwrap_err().kind(),
        ErrorKind::RegionNotConfigured
    );
    host.configure(RegionConfig::on("later", "memory")).unwrap();
    assert_eq!((*counter.count(1), *counter.count(1)), (5, 5));
}

#[test]
fn a_key_that_cannot_be_made_is_no_obstacle() {
    let (counter, _) = Counter::new();
    let refuse = |_: &FunctionCall<'_>| {
        let host = Host::builder().build()?;
        host.region("nowhere").map(|_| String::new())
    };
    counter.users.set_function_key_generator(refuse);
    assert_eq!((*counter.count(1), *counter.count(1)), (1, 2));
    assert_eq!(counter.count(1).source(), Source::Created);
    assert_eq!(
        counter.count_key(1).unwrap_err().kind(),
        ErrorKind::NoSuchRegion
    );
}

#[test]
fn a_function_that_calls_itself_for_its_own_value_runs() {
    let (counter, _) = Counter::new();
    counter
        .users
        .set_function_key_generator(|_: &FunctionCall<'_>| Ok("one".into()));
    assert_eq!(*counter.itself(&AtomicBool::new(false)), 11);
    assert_eq!(*counter.itself(&AtomicBool::new(false)), 11);
}

/// The time of each call.
#[cached(region = users, key = "the only", expiration_time = *time)]
fn timed(users: &Region, time: &Duration) -> u32 {
    assert!(!time.is_zero());
    u32::try_from(users.stats().creations).unwrap()
}

#[test]
fn an_expiration_time_can_depend_on_the_arguments() {
    let (counter, hand) = Counter::new();
    let (short, long) = (Duration::from_secs(1), Duration::from_secs(9));
    assert_eq!(*timed(&counter.users, &short), 0);
    hand.advance(Duration::from_secs(5));
    assert_eq!(*timed(&counter.users, &long), 0);
    assert_eq!(*timed(&counter.users, &short), 1);
}
