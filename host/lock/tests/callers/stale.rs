//! Stale values that stand in for a failed creation.

use crate::support::{HASH, Table, table};
use dogpile_lock::{
    Clock, Flights, LockError, ManyMade, MultiOperation, MultiRequest, Operation, OrLeftOut,
    Outcome, Reading, Request, Retry, Source, Storing, ToStore,
};
use std::cell::Cell;
use std::time::Duration;

const AFTER: Duration = Duration::from_secs(5);

/// Fails as often as it is called, and reads a stale value each time.
struct Failing<'a> {
    creations: &'a Cell<u32>,
    error: &'static str,
    reading: Reading<u64>,
}

impl Operation for Failing<'_> {
    type Value = u64;
    type Error = String;
    type Lease = ();

    async fn read_again(&mut self) -> Result<Reading<u64>, String> {
        Ok(self.reading)
    }

    async fn create(&mut self) -> Result<u64, String> {
        self.creations.set(self.creations.get() + 1);
        Err(self.error.to_owned())
    }

    async fn store(
        &mut self,
        _: &u64,
        _: Storing<u64, String>,
        _: Option<&()>,
    ) -> Result<(), String> {
        panic!("nothing was created")
    }

    fn is_excused(error: &String) -> bool {
        error != "a bug"
    }
}

impl MultiOperation for Failing<'_> {
    type Value = u64;
    type Error = String;
    type Lease = ();

    async fn read_again(&mut self, numbers: &[usize]) -> Vec<Result<Reading<u64>, String>> {
        numbers.iter().map(|_| Ok(self.reading)).collect()
    }

    async fn create(&mut self, numbers: &[usize]) -> ManyMade<u64, String> {
        let number = u32::try_from(numbers.len()).unwrap();
        self.creations.set(self.creations.get() + number);
        Err(self.error.to_owned())
    }

    async fn store(
        &mut self,
        values: Vec<ToStore<'_, u64, String, ()>>,
    ) -> Vec<Result<(), String>> {
        panic!("nothing was created, but {values:?}")
    }

    fn is_excused(error: &String) -> bool {
        error != "a bug"
    }
}

const STALE: Reading<u64> = Reading::Stale {
    value: 1,
    meanwhile: false,
    on_error: true,
};

const SERVED: Outcome<u64> = Outcome {
    value: 1,
    source: Source::Stale,
};

/// A world in which creating fails.
struct Down {
    flights: Table,
    clock: Clock,
    creations: Cell<u32>,
}

impl Down {
    fn new(clock: Clock) -> Self {
        Self {
            flights: table(),
            clock,
            creations: Cell::new(0),
        }
    }

    fn failing(&self, error: &'static str, reading: Reading<u64>) -> Failing<'_> {
        Failing {
            creations: &self.creations,
            error,
            reading,
        }
    }

    fn retry(&self) -> Retry<'_> {
        Retry {
            after: AFTER,
            clock: &self.clock,
        }
    }

    fn call(
        &self,
        error: &'static str,
        reading: Reading<u64>,
    ) -> Result<Outcome<u64>, LockError<String>> {
        let request = Request {
            retry: Some(self.retry()),
            ..Request::new(HASH, "key", reading)
        };
        let mut failing = self.failing(error, reading);
        self.flights.get_or_create(request, &mut failing)
    }

    fn call_multi(
        &self,
        error: &'static str,
        readings: [Reading<u64>; 2],
    ) -> Result<Vec<OrLeftOut<Outcome<u64>, String>>, LockError<String>> {
        let [one, other] = readings;
        let request = MultiRequest {
            keys: vec![(HASH, "key", one), (HASH, "other", other)],
            wait: None,
            retry: Some(self.retry()),
        };
        let mut failing = self.failing(error, STALE);
        self.flights.get_or_create_multi(request, &mut failing)
    }
}

#[test]
fn a_stale_value_stands_in_for_an_error_and_the_failure_is_left_alone_for_a_while() {
    let (clock, hand) = Clock::manual(1_000);
    let down = Down::new(clock);
    assert_eq!(down.call("down", STALE), Ok(SERVED));
    assert_eq!(down.call("down", STALE), Ok(SERVED));
    assert_eq!(down.creations.get(), 1);
    hand.advance(AFTER);
    assert_eq!(down.call("down", STALE), Ok(SERVED));
    assert_eq!(down.creations.get(), 2);
}

#[test]
fn who_has_no_value_for_it_gets_the_error_and_tries_again_at_once() {
    let down = Down::new(Clock::manual(1_000).0);
    let error = Err(LockError::Creation("down".to_owned()));
    assert_eq!(down.call("down", Reading::Missing), error);
    assert_eq!(down.call("down", Reading::Missing), error);
    let no_cover = Reading::Stale {
        value: 1,
        meanwhile: true,
        on_error: false,
    };
    assert_eq!(down.call("down", no_cover), error);
    assert_eq!(down.creations.get(), 3);
}

#[test]
fn an_error_that_is_not_excused_is_shown_and_not_left_alone() {
    let down = Down::new(Clock::manual(1_000).0);
    let error = Err(LockError::Creation("a bug".to_owned()));
    assert_eq!(down.call("a bug", STALE), error);
    assert_eq!(down.call("a bug", STALE), error);
    assert_eq!(down.creations.get(), 2);
    let error = Err(LockError::Creation("a bug".to_owned()));
    assert_eq!(down.call_multi("a bug", [STALE, STALE]), error);
}

#[test]
fn of_several_keys_each_has_its_own_failure() {
    let (clock, hand) = Clock::manual(1_000);
    let down = Down::new(clock);
    assert_eq!(down.call("down", STALE), Ok(SERVED));
    // Only the other key is tried.
    let both = Ok(vec![Ok(SERVED), Ok(SERVED)]);
    assert_eq!(down.call_multi("down", [STALE, STALE]), both);
    assert_eq!(down.creations.get(), 2);
    assert_eq!(down.call_multi("down", [STALE, STALE]), both);
    assert_eq!(down.creations.get(), 2);
    hand.advance(AFTER);
    assert_eq!(down.call_multi("down", [STALE, STALE]), both);
    assert_eq!(down.creations.get(), 4);
}

#[test]
fn a_success_takes_the_failure_back() {
    let (clock, _hand) = Clock::manual(1_000);
    let down = Down::new(clock);
    assert_eq!(down.call("down", STALE), Ok(SERVED));
    // Somebody without a stale value finds one that was stored meanwhile.
    let request = Request {
        retry: Some(down.retry()),
        ..Request::new(HASH, "key", Reading::Missing)
    };
    let mut finds = down.failing("down", Reading::Fresh(2));
    let outcome = down.flights.get_or_create(request, &mut finds).unwrap();
    assert_eq!((outcome.value, outcome.source), (2, Source::Fresh));
    assert_eq!(down.call("down", STALE), Ok(SERVED));
    assert_eq!(down.creations.get(), 2);
}

#[test]
fn a_failure_concerns_its_own_table() {
    let down = Down::new(Clock::manual(1_000).0);
    assert_eq!(down.call("down", STALE), Ok(SERVED));
    let other = Flights::new(dogpile_lock::WaitGraph::new());
    assert!(!other.is_same(&down.flights));
    let request = Request {
        retry: Some(down.retry()),
        ..Request::new(HASH, "key", STALE)
    };
    let outcome = other.get_or_create(request, &mut down.failing("down", STALE));
    assert_eq!(outcome, Ok(SERVED));
    assert_eq!(down.creations.get(), 2);
}
