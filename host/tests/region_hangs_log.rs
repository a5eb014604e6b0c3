//! What is logged of calls that hang and of those that do not. It has a process of its own, since that has one log.

#![forbid(unsafe_code)]

mod region_support;

use std::thread;
use std::time::{Duration, Instant};

use dogpile::RegionConfig;

use region_support::{Board, Gate, builder, records, until};

const HANG_AFTER: Duration = Duration::from_millis(50);

/// As many as are asked for when all tests take their full time.
fn calls() -> u32 {
    if std::env::var_os("DOGPILE_TEST_FULL").is_some() {
        1_000_000
    } else {
        100_000
    }
}

/// Of 8 threads without a break, through marks and through all else. A thread that is off its processor for that long
/// in the middle of a call is one that hangs, for all that anybody can see: then an alarm is no false one.
fn fast_calls_raise_no_alarm() {
    let built = builder().0;
    let plain = RegionConfig::on("plain", "memory").hang_after(HANG_AFTER);
    let prefixed = RegionConfig::on("prefixed", "memory").key_prefix("p:");
    let host = built
        .region(plain)
        .region(prefixed.hang_after(HANG_AFTER))
        .build()
        .unwrap();
    for name in ["plain", "prefixed"] {
        host.region(name).unwrap().set("1", 1).unwrap();
    }
    let (longest, missed) = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let name = if thread % 4 == 0 { "prefixed" } else { "plain" };
                let region = host.region(name).unwrap();
                scope.spawn(move || {
                    let (mut longest, mut missed) = (Duration::ZERO, 0);
                    for _ in 0..calls() {
                        let began = Instant::now();
                        missed += u32::from(region.get::<i32>("1").unwrap().is_none());
                        longest = longest.max(began.elapsed());
                    }
                    (longest, missed)
                })
            })
            .collect();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap());
        ended.fold((Duration::ZERO, 0), |all, one| {
            (all.0.max(one.0), all.1 + one.1)
        })
    });
    if longest < HANG_AFTER {
        assert_eq!((records(), missed), (Vec::new(), 0));
    } else {
        println!("nothing is shown: a call took {longest:?}");
    }
}

fn a_hang_is_logged_when_it_is_noticed_and_when_it_ends() {
    let board = Board::new("logged");
    let host = builder()
        .0
        .region(board.objects().hang_after(HANG_AFTER))
        .build()
        .unwrap();
    let users = host.region("users").unwrap();
    let gate = Gate::on(&board, &["get"]);
    let before = records().len();
    thread::scope(|scope| {
        scope.spawn(|| users.get::<i32>("1").unwrap());
        until(|| host.status().regions[0].stuck_calls == 1);
        until(|| host.status().regions[0].state == "open");
        gate.open();
    });
    until(|| host.status().regions[0].stuck_calls == 0);
    let backend = "backend `spy` of plugin `dogpile`";
    let logged = records().split_off(before);
    let [opened, closed, back] = &logged[..] else {
        panic!("{logged:?}");
    };
    assert_eq!(
        *opened,
        format!("ERROR {backend} is not called until it answers a ping")
    );
    assert_eq!(
        *closed,
        format!("INFO {backend} answers again: its breaker is closed")
    );
    let back = back.strip_prefix(&format!(
        "WARN {backend}: a call of get that hung has come back after "
    ));
    let seconds = back.and_then(|back| back.strip_suffix(" s")).unwrap();
    assert!(seconds.parse::<f64>().unwrap() >= 0.1, "{logged:?}");
}

/// One after the other: the log is the process's.
#[test]
fn alarms_are_for_calls_that_hang_and_are_told_to_be_over() {
    fast_calls_raise_no_alarm();
    a_hang_is_logged_when_it_is_noticed_and_when_it_ends();
}
