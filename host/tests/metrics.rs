//! What a host tells to who monitors it.

#![forbid(unsafe_code)]

mod region_support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use dogpile::{ErrorKind, Host, Invalidation, Region, RegionConfig, Source};

use region_support::scrape::Scrape;
use region_support::{
    Board, Fault, Gate, SECOND, beside_a_creation, builder, held, until, until_waiting,
};

/// A host with a region `users`.
fn host(config: RegionConfig) -> (Host, Region, dogpile::ManualClock) {
    let (builder, hand) = builder();
    let host = builder.region(config).build().unwrap();
    let users = host.region("users").unwrap();
    (host, users, hand)
}

fn memory() -> RegionConfig {
    RegionConfig::on("users", "memory").expiration_time(60 * SECOND)
}

#[test]
fn hits_misses_by_reason_and_stale_values_are_counted() {
    let (host, users, hand) = host(memory());
    let told = |name: &str| Scrape::of(&host).count(name);
    assert_eq!(told("dogpile_hits_total{region=\"users\"}"), 0);
    users.get_or_create("1", || 1).unwrap();
    users.get_or_create("1", || 1).unwrap();
    users.get_or_create("1", || 1).unwrap();
    users.invalidate(Invalidation::Hard).unwrap();
    users.get::<i32>("1").unwrap();
    users.set("2", 2).unwrap();
    hand.advance(90 * SECOND);
    thread::scope(|scope| {
        let creator = held(scope, |hold| {
            users.get_or_create("2", || {
                hold.wait();
                3
            })
        });
        let served = users.get_or_create("2", || 4).unwrap();
        assert_eq!(served.source(), Source::Stale);
        creator.end().unwrap();
    });
    assert_eq!(told("dogpile_hits_total{region=\"users\"}"), 2);
    let misses = [
        ("absent", 1),
        ("invalidated", 1),
        ("expired", 2),
        ("type", 0),
    ];
    for (reason, count) in misses {
        let sample = format!("dogpile_misses_total{{region=\"users\",reason=\"{reason}\"}}");
        assert_eq!(told(&sample), count, "{reason}");
    }
    assert_eq!(told("dogpile_stale_total{region=\"users\"}"), 1);
    let sample = "dogpile_invalidations_total{region=\"users\",how=\"hard\"}";
    assert_eq!(
        (told(sample), told(&sample.replace("hard", "soft"))),
        (1, 0)
    );
}

#[test]
fn creations_are_counted_by_outcome_and_timed() {
    let (host, users, hand) = host(memory());
    users
        .get_or_create("1", || hand.advance(Duration::from_millis(1500)))
        .unwrap();
    let failing = || {
        hand.advance(20 * SECOND);
        Err::<(), _>("no")
    };
    users.try_get_or_create("2", failing).unwrap_err();
    let panics = || users.get_or_create("3", || -> () { panic!("no") });
    catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
    let but_one =
        |keys: &[&'static str]| keys[1..].iter().map(|key| (*key, ())).collect::<Vec<_>>();
    users
        .get_or_create_multi(&["4", "5", "6"], but_one)
        .unwrap();
    let failing = |_: &[&'static str]| Err::<Vec<(&str, ())>, _>("no");
    users
        .try_get_or_create_multi(&["7", "8"], failing)
        .unwrap_err();

    let scrape = Scrape::of(&host);
    for (outcome, count) in [("created", 3), ("failed", 3), ("abandoned", 1)] {
        let name = format!("dogpile_creations_total{{region=\"users\",outcome=\"{outcome}\"}}");
        assert_eq!(scrape.count(&name), count, "{outcome}");
    }
    let times = |end: &str| format!("dogpile_creation_seconds_{end}");
    let bucket = |bound: &str| times(&format!("bucket{{region=\"users\",le=\"{bound}\"}}"));
    assert_eq!(scrape.count(&times("count{region=\"users\"}")), 4);
    assert_eq!(scrape.get(&times("sum{region=\"users\"}")), Some(21.5));
    let bounds = [("1", 2), ("2.5", 3), ("10", 3), ("30", 4), ("+Inf", 4)];
    for (bound, count) in bounds {
        assert_eq!(scrape.count(&bucket(bound)), count, "{bound}");
    }
    let errors = "dogpile_errors_total{region=\"users\",kind=\"creator\"}";
    assert_eq!(scrape.count(errors), 2);
}

#[test]
fn waits_are_counted_and_timed() {
    let (host, users, _hand) = host(memory());
    let (value, source) = beside_a_creation(&users, "waits are counted", true);
    assert_eq!((value, source), (2, Source::Waited));
    thread::scope(|scope| {
        let creator = held(scope, |hold| {
            users.get_or_create_multi(&["many", "waits"], |keys| {
                hold.wait();
                keys.iter().map(|key| (*key, 1)).collect::<Vec<_>>()
            })
        });
        let waiting = scope
            .spawn(|| users.get_or_create_multi(&["many", "waits"], |_| Vec::<(&str, i32)>::new()));
        until_waiting("waits", 1);
        creator.end().unwrap();
        assert_eq!(waiting.join().unwrap().unwrap().len(), 2);
    });
    let scrape = Scrape::of(&host);
    assert_eq!(scrape.count("dogpile_waits_total{region=\"users\"}"), 3);
    assert_eq!(
        scrape.count("dogpile_wait_seconds_count{region=\"users\"}"),
        3
    );
}

#[test]
fn who_gave_up_waiting_is_an_error_and_is_timed() {
    let wait = Duration::from_millis(20);
    let (host, users, _hand) = host(memory().lock_wait(wait));
    thread::scope(|scope| {
        let creator = held(scope, |hold| {
            users.get_or_create("1", || {
                hold.wait();
                1
            })
        });
        let error = users.get_or_create("1", || 2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LockWait);
        creator.end().unwrap();
    });
    let scrape = Scrape::of(&host);
    assert_eq!(scrape.count("dogpile_waits_total{region=\"users\"}"), 0);
    let errors = "dogpile_errors_total{region=\"users\",kind=\"lock_wait\"}";
    assert_eq!(scrape.count(errors), 1);
    assert_eq!(
        scrape.count("dogpile_wait_seconds_count{region=\"users\"}"),
        1
    );
    let sum = scrape.get("dogpile_wait_seconds_sum{region=\"users\"}");
    assert!(sum.unwrap() >= wait.as_secs_f64(), "{sum:?}");
}

#[test]
fn errors_and_the_state_of_a_backend_that_fails_are_told() {
    let board = Board::new("errors and the state are told");
    let (host, users, _hand) = host(board.objects());
    for call in ["get", "get_fresh", "set", "ping"] {
        board.fault(call, Some(Fault::Fail));
    }
    users.delete("1").unwrap();
    users.get_or_create("1", || 1).unwrap();
    until(|| {
        users.get::<i32>("2").unwrap();
        host.status().regions[0].state == "breaker open"
    });
    let scrape = Scrape::of(&host);
    let state = |state: &str| {
        scrape.count(&format!(
            "dogpile_region_state{{region=\"users\",state=\"{state}\"}}"
        ))
    };
    let states = ["open", "breaker_open", "retired", "closed"].map(state);
    assert_eq!(states, [0, 1, 0, 0]);
    let reason = |name: &str| {
        scrape.count(&format!(
            "dogpile_misses_total{{region=\"users\",reason=\"{name}\"}}"
        ))
    };
    assert!(reason("backend_error") > 0);
    assert_eq!(
        scrape.count("dogpile_store_errors_total{region=\"users\"}"),
        1
    );
    // A backend that is out is not asked what it holds.
    assert_eq!(scrape.get("dogpile_stored_entries{region=\"users\"}"), None);
    assert!(!board.calls().contains(&"stats".to_owned()));
}

#[test]
fn a_backend_that_hangs_does_not_hang_who_reads_the_metrics() {
    let board = Board::new("hangs while metrics are read");
    let (mut builder, _hand) = builder();
    builder = builder.region(RegionConfig::on("other", "memory"));
    let config = board.objects().hang_after(3600 * SECOND);
    let host = builder.region(config).build().unwrap();
    host.region("other").unwrap().set("1", 1).unwrap();
    let entries = |region: &str| format!("dogpile_stored_entries{{region=\"{region}\"}}");
    assert_eq!(Scrape::of(&host).get(&entries("users")), Some(0.0));

    let gate = Gate::on(&board, &["stats"]);
    for _ in 0..3 {
        let began = Instant::now();
        let scrape = Scrape::of(&host);
        assert!(began.elapsed() < 10 * SECOND);
        assert_eq!(scrape.get(&entries("users")), None);
        assert_eq!(scrape.get(&entries("other")), Some(1.0));
        assert_eq!(scrape.count("dogpile_hits_total{region=\"users\"}"), 0);
    }
    assert_eq!(gate.ever_held(), 1, "it is asked once");
    gate.open();
    until(|| Scrape::of(&host).get(&entries("users")) == Some(0.0));
}

#[test]
fn hosts_are_independent_and_unconfigured_regions_are_one_number() {
    let (first, users, _hand) = host(memory());
    let (second, _, _hand) = host(memory());
    users.get_or_create("1", || 1).unwrap();
    for number in 0..50 {
        let region = first.declare(&format!("declared {number}"));
        let error = region.get::<i32>("1").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RegionNotConfigured);
    }
    let (first, second) = (Scrape::of(&first), Scrape::of(&second));
    let created = "dogpile_creations_total{region=\"users\",outcome=\"created\"}";
    assert_eq!((first.count(created), second.count(created)), (1, 0));
    assert_eq!(first.with("declared"), [""; 0]);
    let unconfigured = "dogpile_unconfigured_calls_total";
    assert_eq!(
        (first.count(unconfigured), second.count(unconfigured)),
        (50, 0)
    );
    assert_eq!(first.with("region=").len(), second.with("region=").len());
}

/// As the format wants it: a backslash, a quote and a line's end are written with a backslash.
#[test]
fn odd_names_of_regions_are_escaped() {
    let (builder, _hand) = builder();
    let name = "a\"b\\c\nd=\u{fc},{}";
    let host = builder
        .region(RegionConfig::on(name, "memory"))
        .build()
        .unwrap();
    let sample = "dogpile_hits_total{region=\"a\\\"b\\\\c\\nd=\u{fc},{}\"}";
    assert_eq!(Scrape::of(&host).count(sample), 0);
}
