//! Functions that return a `Result` or an `Option`.

use std::fmt;
use std::future::ready;

use dogpile::{Cached, ErrorKind, Source, cached};
use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;

use crate::counter::Counter;
use crate::region_support::{SECOND, TICK};

/// An error as they are: no more than `Clone`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Refused(u32);

type Answer<T> = Result<T, Refused>;

impl Counter {
    #[cached(region = &self.users)]
    fn odd(&self, number: u32) -> Result<u32, Refused> {
        let run = self.next();
        if number % 2 == 1 {
            Ok(run)
        } else {
            Err(Refused(run))
        }
    }

    #[cached(region = &self.users, clone)]
    fn odd_by_alias(&self, number: u32) -> Answer<u32> {
        self.odd_original(number)
    }

    #[cached(region = &self.users, cache_err = "10s")]
    fn slowly_odd(&self, number: u32) -> Result<u32, Refused> {
        self.odd_original(number)
    }

    /// Its first run fails.
    #[cached(region = &self.users, cache_err = "10s", clone)]
    fn flaky(&self) -> Result<u32, u32> {
        let run = self.next();
        if run > 1 { Ok(run) } else { Err(run) }
    }

    #[cached(region = &self.users, cache_err = "10s", clone)]
    async fn flaky_task(&self) -> Result<u32, u32> {
        ready(self.flaky_original()).await
    }

    #[cached(region = &self.users, skip_none)]
    fn some(&self, number: u32) -> Option<u32> {
        let run = self.next();
        (number > 0).then_some(run)
    }

    #[cached(region = &self.users)]
    fn some_or_none(&self, number: u32) -> Option<u32> {
        self.some_original(number)
    }

    #[cached(region = &self.users, skip_none, should_cache = |run| run.is_none_or(|run| run > 2))]
    fn late(&self, number: u32) -> Option<u32> {
        self.some_original(number)
    }

    #[cached(region = &self.users, skip_none)]
    fn found(&self, number: u32) -> Result<Option<u32>, fmt::Error> {
        if number > 9 {
            Err(fmt::Error)
        } else {
            Ok(self.some_original(number))
        }
    }
}

#[test]
fn a_value_is_cached_and_an_error_is_not() {
    let (counter, _) = Counter::new();
    let value: Result<Cached<u32>, Refused> = counter.odd(1);
    assert_eq!(*value.unwrap(), 1);
    assert_eq!(counter.odd(1).unwrap().source(), Source::Fresh);
    assert_eq!(counter.odd(2), Err(Refused(2)));
    assert_eq!(counter.odd(2), Err(Refused(3)));
    assert_eq!(counter.odd_get(2).unwrap(), None);
    let value: Answer<u32> = counter.odd_by_alias(1);
    assert_eq!(value, Ok(4));
    assert_eq!(counter.odd_by_alias(1), Ok(4));
}

#[test]
fn the_question_mark_works_as_with_the_original() {
    fn sum(counter: &Counter) -> Result<u32, Refused> {
        Ok(*counter.odd(1)? + *counter.odd(3)?)
    }
    assert_eq!(sum(&Counter::new().0), Ok(3));
}

#[test]
fn a_refresh_that_fails_leaves_what_is_stored() {
    let (counter, _) = Counter::new();
    counter.odd_set(7, 2).unwrap();
    assert_eq!(counter.odd_refresh(2), Err(Refused(1)));
    assert_eq!(*counter.odd(2).unwrap(), 7);
    assert_eq!(*counter.odd_refresh(1).unwrap(), 2);
    assert_eq!(*counter.odd(1).unwrap(), 2);
}

#[test]
fn an_error_is_cached_for_its_own_time_if_asked() {
    let (counter, hand) = Counter::new();
    assert_eq!(counter.slowly_odd(2), Err(Refused(1)));
    assert_eq!(counter.slowly_odd(2), Err(Refused(1)));
    assert_eq!(counter.slowly_odd(4), Err(Refused(2)));
    hand.advance(10 * SECOND);
    assert_eq!(counter.slowly_odd(2), Err(Refused(1)));
    hand.advance(TICK);
    assert_eq!(counter.slowly_odd(2), Err(Refused(3)));
    assert_eq!(counter.slowly_odd_get(2).unwrap(), None);
}

#[test]
fn what_is_set_invalidated_or_refreshed_takes_the_cached_error_away() {
    let (counter, _) = Counter::new();
    assert_eq!(counter.slowly_odd(2), Err(Refused(1)));
    counter.slowly_odd_set(7, 2).unwrap();
    assert_eq!(*counter.slowly_odd(2).unwrap(), 7);
    counter.slowly_odd_invalidate(2).unwrap();
    assert_eq!(counter.slowly_odd(2), Err(Refused(2)));
    counter.slowly_odd_invalidate(2).unwrap();
    assert_eq!(counter.slowly_odd(2), Err(Refused(3)));
    assert_eq!(counter.slowly_odd_refresh(2), Err(Refused(4)));
    assert_eq!(counter.slowly_odd(2), Err(Refused(4)));
    assert_eq!(*counter.slowly_odd_refresh(1).unwrap(), 5);
    counter.slowly_odd_invalidate(1).unwrap();
    assert_eq!(*counter.slowly_odd(1).unwrap(), 6);
}

#[test]
fn a_refresh_that_succeeds_leaves_no_cached_error_behind() {
    let (counter, _) = Counter::new();
    assert_eq!((counter.flaky(), counter.flaky()), (Err(1), Err(1)));
    assert_eq!(counter.flaky_refresh(), Ok(2));
    counter.users.delete(counter.flaky_key().unwrap()).unwrap();
    assert_eq!(counter.flaky(), Ok(3));

    let (counter, _) = Counter::new();
    Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            assert_eq!(
                (counter.flaky_task().await, counter.flaky_task().await),
                (Err(1), Err(1))
            );
            assert_eq!(counter.flaky_task_refresh().await, Ok(2));
            counter
                .users
                .delete(counter.flaky_task_key().unwrap())
                .unwrap();
            assert_eq!(counter.flaky_task().await, Ok(3));
        });
}

#[test]
fn none_is_a_value_unless_it_is_skipped() {
    let (counter, _) = Counter::new();
    assert_eq!(
        (*counter.some_or_none(0), *counter.some_or_none(0)),
        (None, None)
    );
    assert_eq!(counter.runs(), 1);
    assert_eq!((*counter.some(0), *counter.some(0)), (None, None));
    assert_eq!(counter.runs(), 3);
    assert_eq!((*counter.some(1), *counter.some(1)), (Some(4), Some(4)));
    assert_eq!(*counter.some_refresh(0), None);
    assert_eq!(counter.some_get(0).unwrap(), None);
}

#[test]
fn both_conditions_hold_for_what_is_stored() {
    let (counter, _) = Counter::new();
    assert_eq!((*counter.late(1), *counter.late(1)), (Some(1), Some(2)));
    assert_eq!((*counter.late(0), *counter.late(0)), (None, None));
    assert_eq!((*counter.late(1), *counter.late(1)), (Some(5), Some(5)));
}

#[test]
fn a_result_of_an_option_is_both() {
    let (counter, _) = Counter::new();
    assert_eq!(counter.found(10), Err(fmt::Error));
    assert_eq!(counter.found(0).unwrap().as_ref(), &None);
    assert_eq!(counter.found(0).unwrap().as_ref(), &None);
    assert_eq!(counter.found(1).unwrap().as_ref(), &Some(3));
    assert_eq!(counter.found(1).unwrap().as_ref(), &Some(3));
}

#[test]
fn the_error_of_another_creator_of_that_key_is_not_the_functions() {
    let (counter, _) = Counter::new();
    let key = counter.odd_key(1).unwrap();
    let error = counter
        .users
        .try_get_or_create(key, || Err::<u32, _>("no"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Creator);
    assert_eq!(*counter.odd(1).unwrap(), 1);
}
