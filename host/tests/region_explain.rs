//! What is told of a key: what its callers would get, and why.

#![forbid(unsafe_code)]

mod region_support;

use std::thread;
use std::time::Duration;

use dogpile::{
    ExplainedOutcome, ExplainedReason, Explanation, Invalidation, MaxStale, OnBackendError, Region,
};

use ExplainedOutcome::{Failed, Fresh, Missing, Stale};
use ExplainedReason as Reason;
use region_support::{Board, Fault, SECOND, held, memory, region, until_it, until_waiting};

#[track_caller]
fn expect(
    region: &Region,
    key: &str,
    outcome: ExplainedOutcome,
    reason: Option<ExplainedReason>,
) -> Explanation {
    let explanation = region.explain(key).unwrap();
    let found = (explanation.outcome, explanation.reason);
    assert_eq!(found, (outcome, reason), "{explanation:?}");
    explanation
}

#[test]
fn a_value_is_fresh_then_stale_then_too_stale() {
    let (users, hand) = memory();
    let absent = expect(&users, "age", Missing, Some(Reason::Absent));
    assert!(absent.value.is_none());
    users.set("age", 1).unwrap();
    let fresh = expect(&users, "age", Fresh, None);
    assert_eq!(fresh.caller, "gets this value at once: it is fresh");
    let value = fresh.value.unwrap();
    assert_eq!(value.size, None);
    assert_eq!(
        [value.cached_time, value.expires_at, value.stale_until].map(Option::unwrap),
        [
            "2096-10-02T07:06:40.000000Z",
            "2096-10-02T07:07:40.000000Z",
            "2096-10-02T07:08:40.000000Z"
        ]
    );
    hand.advance(61 * SECOND);
    let stale = expect(&users, "age", Stale, Some(Reason::Expired));
    assert!(
        stale.caller.contains("the next caller creates"),
        "{stale:?}"
    );
    assert!((stale.value.unwrap().age_seconds.unwrap() - 61.0).abs() < 0.01);
    hand.advance(60 * SECOND);
    let gone = expect(&users, "age", Missing, Some(Reason::TooStale));
    assert!(gone.caller.contains("max_stale of 1m"), "{gone:?}");
    assert!(gone.value.is_some());
    // Nothing of this was counted.
    assert_eq!(users.stats().misses.values().sum::<u64>(), 0);
    assert_eq!(users.stats().hits, 0);
}

#[test]
fn what_outdated_a_value_is_named() {
    let (users, hand) = memory();
    users.entry("tagged").tags(["a", "b"]).set(1).unwrap();
    users.set("plain", 1).unwrap();
    hand.advance(SECOND);
    users.invalidate_tags(["b"], Invalidation::Hard).unwrap();
    expect(&users, "plain", Fresh, None);
    let outdated = expect(&users, "tagged", Missing, Some(Reason::HardInvalidated));
    let by = outdated.invalidated_by.unwrap();
    assert_eq!(
        (by.of.as_str(), by.tag.as_deref(), by.how.as_str()),
        ("tag", Some("b"), "hard")
    );
    assert_eq!(by.at.unwrap(), "2096-10-02T07:06:41.000000Z");
    // Of several, the latest.
    hand.advance(SECOND);
    users.invalidate_tags(["a"], Invalidation::Hard).unwrap();
    let by = users.explain("tagged").unwrap().invalidated_by.unwrap();
    assert_eq!(by.tag.as_deref(), Some("a"));
    users.invalidate(Invalidation::Soft).unwrap();
    let soft = expect(&users, "plain", Stale, Some(Reason::SoftInvalidated));
    let by = soft.invalidated_by.unwrap();
    assert_eq!((by.of.as_str(), by.how.as_str()), ("region", "soft"));
    // Of two, the hard one counts.
    let by = users.explain("tagged").unwrap().invalidated_by.unwrap();
    assert_eq!(by.how, "hard");
    users.set("plain", 2).unwrap();
    assert_eq!(expect(&users, "plain", Fresh, None).invalidated_by, None);
}

#[test]
fn what_cannot_be_read_is_told_apart() {
    let board = Board::new("explain bytes");
    let (users, hand) = region(board.bytes().expiration_time(60 * SECOND).value_version(2));
    hand.advance(SECOND);
    for (stored, reason) in [
        (
            &b"{\"ct\": 4000000000.25, \"v\": 2}|\x80\x04K\x07."[..],
            Reason::Foreign,
        ),
        (b"\x80\x04\x95\x10|\x00", Reason::Foreign),
        (b"{}|7", Reason::Damaged),
        (
            b"{\"ct\": 4000000000, \"v\": 2, \"vv\": 2}|{",
            Reason::Damaged,
        ),
        (
            b"{\"ct\": 4000000000, \"v\": 2, \"vv\": 2, \"sz\": \"raw\"}|7",
            Reason::Damaged,
        ),
        (
            b"{\"ct\": 4000000000, \"v\": 2, \"vv\": 1}|7",
            Reason::Version,
        ),
    ] {
        board.write("k", stored);
        let shown = String::from_utf8_lossy(stored);
        let explanation = users.explain("k").unwrap();
        assert_eq!(explanation.reason, Some(reason), "{shown}: {explanation:?}");
        assert_eq!(explanation.outcome, Missing);
        assert_eq!(explanation.value.unwrap().size, Some(stored.len()));
        let kept = explanation.caller.contains("replace_foreign");
        assert_eq!(kept, reason == Reason::Foreign, "{}", explanation.caller);
    }
    board.write(
        "k",
        b"{\"ct\": 4000000000, \"v\": 2, \"vv\": 2, \"sz\": \"json\"}|7",
    );
    let fresh = expect(&users, "k", Fresh, None);
    assert_eq!(fresh.value.unwrap().serializer.as_deref(), Some("json"));
}

#[test]
fn a_backend_that_fails_is_an_error_or_a_miss_as_the_region_says() {
    for (what, outcome) in [
        (OnBackendError::Fail, Failed),
        (OnBackendError::Bypass, Missing),
    ] {
        let board = Board::new(&format!("explain {what:?}"));
        let (users, _hand) = region(
            board
                .bytes()
                .on_backend_error(what)
                .bypass_hold(60 * SECOND),
        );
        board.fault("get", Some(Fault::Fail));
        let failed = expect(&users, "k", outcome, Some(Reason::BackendError));
        assert!(
            failed.detail.is_some() && failed.value.is_none(),
            "{failed:?}"
        );
        assert_eq!(failed.value_error, failed.detail);
        if what == OnBackendError::Bypass {
            board.fault("set", Some(Fault::Fail));
            users.get_or_create("k", || 1).unwrap();
            let held = expect(&users, "k", Fresh, None);
            assert!(held.caller.contains("which this process holds"), "{held:?}");
            assert!(held.value_error.is_some(), "{held:?}");
        }
    }
}

#[test]
fn a_value_that_stands_in_for_a_failed_creation_is_told() {
    let board = Board::new("explain stale_if_error");
    let config = board.bytes().expiration_time(SECOND);
    let config = config.max_stale(MaxStale::For(Duration::ZERO));
    let (users, hand) = region(config.stale_if_error(60 * SECOND, SECOND));
    users.set("k", 1).unwrap();
    hand.advance(2 * SECOND);
    let covered = expect(&users, "k", Missing, Some(Reason::TooStale));
    assert!(covered.serves_on_error);
    assert!(
        covered
            .caller
            .ends_with("; if that fails, this value stands in for it"),
        "{covered:?}"
    );
}

#[test]
fn who_creates_is_told_and_how_many_wait() {
    let (users, _hand) = memory();
    assert!(!users.explain("explained").unwrap().lock.held);
    thread::scope(|scope| {
        let creator = held(scope, |hold| {
            users.get_or_create("explained", || {
                hold.wait();
                2
            })
        });
        let waiter = scope.spawn(|| users.get_or_create("explained", || 3));
        until_waiting("explained", 1);
        let explanation = users.explain("explained").unwrap();
        let lock = &explanation.lock;
        assert_eq!(
            (lock.held, lock.by_this_host, lock.waiting),
            (true, true, 1)
        );
        let caller = "waits for a value: nothing is stored under the key; a caller of this host is creating a new one";
        assert_eq!(explanation.caller, caller);
        creator.end().unwrap();
        waiter.join().unwrap().unwrap();
    });
    assert!(!users.explain("explained").unwrap().lock.held);
}

/// Another process has the mutex of the key `k`, until this goes.
struct Elsewhere<'b>(&'b Board);

impl Drop for Elsewhere<'_> {
    fn drop(&mut self) {
        self.0.unlock_key("k");
    }
}

#[test]
fn what_another_process_creates_is_not_this_hosts() {
    let board = Board::new("explain elsewhere");
    let (users, _hand) = region(board.shared().expiration_time(60 * SECOND));
    board.lock_key("k");
    let locked = |waiting: usize| {
        let lock = users.explain("k").unwrap().lock;
        (lock.held, lock.by_this_host, lock.waiting) == (true, false, waiting)
    };
    assert!(locked(0), "{:?}", users.explain("k"));
    let elsewhere = Elsewhere(&board);
    thread::scope(|scope| {
        // Within the scope, so that a test that fails lets the waiter go.
        let elsewhere = elsewhere;
        let waiter = scope.spawn(|| users.get_or_create("k", || 1));
        // By now this host has a flight of it, which waits for the other process.
        until_it(|| locked(1), || format!("{:?}", users.explain("k")));
        drop(elsewhere);
        waiter.join().unwrap().unwrap();
    });
    assert!(!users.explain("k").unwrap().lock.held);
}

#[test]
fn a_backend_that_has_failed_is_not_asked_for_the_lock_as_well() {
    let board = Board::new("explain failed");
    let (users, _hand) = region(board.shared().expiration_time(60 * SECOND));
    board.lock_key("k");
    board.fault("get", Some(Fault::Fail));
    let lock = expect(&users, "k", Missing, Some(Reason::BackendError)).lock;
    assert!(!lock.held && lock.error.is_some(), "{lock:?}");
    board.fault("get", None);
    let lock = expect(&users, "k", Missing, Some(Reason::Absent)).lock;
    assert!(lock.held && lock.error.is_none(), "{lock:?}");
    board.unlock_key("k");
}

#[test]
fn the_stored_key_and_where_it_is_are_told() {
    let board = Board::new("explain place");
    let (users, _hand) = region(board.around(board.bytes().key_prefix("app:"), "outer"));
    let explanation = users.explain("k").unwrap();
    assert_eq!(explanation.stored_key, "app:k");
    assert_eq!(explanation.proxies, ["noted"]);
    assert_eq!(explanation.arguments["board"], "explain place");
    assert_eq!((&*explanation.backend, explanation.shared), ("spy", false));
    assert_eq!(explanation.state, "open");
}

#[test]
fn the_key_of_a_record_of_invalidations_is_told() {
    let board = Board::new("explain record");
    let (users, _hand) = region(board.shared().expiration_time(60 * SECOND));
    let reserved = expect(&users, "_dogpile_inv:users", Failed, Some(Reason::Reserved));
    assert!(
        reserved
            .caller
            .starts_with("gets an error: under this key lies the record")
    );
}
