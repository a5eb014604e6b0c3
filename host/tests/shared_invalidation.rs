//! Invalidations that other processes see. Hosts on one board of the watched backend stand for processes; `two_processes` has
//! real ones.

#![forbid(unsafe_code)]

mod region_support;

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use dogpile::{
    ErrorKind, Host, Invalidation, InvalidationScope, ManualClock, Region, RegionConfig,
};
use dogpile_lock::Blocking;
use region_support::{Board, Fault, SECOND, START, builder, until, until_it};

const RECORD: &str = "_dogpile_inv:users";

/// Seldom enough that no poll but the first comes within a test.
const SELDOM: Duration = Duration::MAX;

/// So often that what it finds is found soon.
const OFTEN: Duration = Duration::from_millis(2);

fn host(config: RegionConfig) -> (Host, Region, ManualClock) {
    let (builder, hand) = builder();
    let host = builder.region(config).build().unwrap();
    let users = host.region("users").unwrap();
    (host, users, hand)
}

fn users(board: &Board, interval: Duration) -> RegionConfig {
    let config = board.shared().expiration_time(60 * SECOND);
    config.invalidation_interval(interval)
}

/// Two hosts with clocks of their own.
fn pair(board: &Board) -> [(Region, ManualClock); 2] {
    [(); 2].map(|()| {
        let (_, region, hand) = host(users(board, OFTEN));
        (region, hand)
    })
}

fn is_fresh(region: &Region, key: &str) -> bool {
    region.get::<i32>(key).unwrap().is_some()
}

/// Until `count` more records have been read; the calls until then are forgotten.
#[track_caller]
fn until_polled(board: &Board, count: usize) {
    let seen = Cell::new(0);
    let polled = || {
        let calls = board.calls();
        let polls = calls.iter().filter(|call| call.starts_with("get_fresh"));
        seen.set(seen.get() + polls.count());
        seen.get() >= count
    };
    until_it(polled, || {
        format!("{count} polls: there were {}", seen.get())
    });
}

/// Holds the thread of the polls at each call. Gives what is told of each, and what lets one go on; without that they all do.
fn held_polls(board: &Board) -> (Receiver<String>, Sender<()>) {
    let (began, has_begun) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let may_go_on = Mutex::new(may_go_on);
    board.hook(move |call| {
        if thread::current().name() == Some("dogpile-poll") {
            // The test may have ended.
            let _ = began.send(call.to_owned());
            let _ = may_go_on.lock().unwrap().recv();
        }
    });
    (has_begun, go_on)
}

#[test]
fn an_invalidation_holds_at_once_here_and_from_the_next_poll_on_there() {
    for how in [Invalidation::Hard, Invalidation::Soft] {
        let board = Board::new(&format!("next poll {how:?}"));
        let (_one_host, one, _) = host(users(&board, SELDOM));
        until_polled(&board, 2);
        let (has_begun, go_on) = held_polls(&board);
        let (_other_host, other, _) = host(users(&board, OFTEN));
        // Goes before the host, which waits for its poll.
        let go_on = go_on;
        one.set("1", 1).unwrap();
        has_begun.recv().unwrap();
        one.invalidate(how).unwrap();
        assert!(!is_fresh(&one, "1"));
        assert!(is_fresh(&other, "1"));
        go_on.send(()).unwrap();
        has_begun.recv().unwrap();
        assert!(!is_fresh(&other, "1"));
        let there = other.get_or_create("1", || 2).unwrap();
        assert_eq!(*there, 2);
        assert!(is_fresh(&one, "1"), "it was created after the invalidation");
    }
}

#[test]
fn a_hit_makes_no_second_call() {
    let board = Board::new("no second call");
    let (_host, users, _) = host(users(&board, SELDOM));
    users.set("1", 1).unwrap();
    // When it was opened, and by the first poll.
    until_polled(&board, 2);
    board.calls();
    for _ in 0..100 {
        assert!(is_fresh(&users, "1"));
    }
    assert_eq!(board.calls(), vec!["get 1"; 100]);
    users.invalidate(Invalidation::Hard).unwrap();
    let calls = [format!("get_fresh {RECORD}"), format!("set {RECORD}")];
    assert_eq!(board.calls(), calls);
    for _ in 0..100 {
        assert!(!is_fresh(&users, "1"));
    }
    assert_eq!(board.calls(), vec!["get 1"; 100]);
}

#[test]
fn a_record_that_is_evicted_is_written_again() {
    let board = Board::new("evicted");
    let (_host, one, _) = host(users(&board, OFTEN));
    one.set("1", 1).unwrap();
    one.invalidate(Invalidation::Hard).unwrap();
    let record = board.text(RECORD);
    board.remove(RECORD);
    until(|| board.stored(RECORD).is_some());
    assert_eq!(board.text(RECORD), record);
    let (_other_host, other, _) = host(users(&board, SELDOM));
    assert!(!is_fresh(&other, "1"));
}

#[test]
fn a_host_that_opens_reads_the_record_before_its_first_call() {
    let board = Board::new("first call");
    let (_host, one, _) = host(users(&board, SELDOM));
    one.set("1", 1).unwrap();
    one.invalidate(Invalidation::Hard).unwrap();
    let (_, go_on) = held_polls(&board);
    let (_other_host, other, _) = host(users(&board, SELDOM));
    // Goes before the host, which waits for its poll.
    let _go_on = go_on;
    assert!(!is_fresh(&other, "1"));
}

#[test]
fn the_record_is_as_documented_and_the_larger_number_wins() {
    let board = Board::new("documented");
    let config = users(&board, OFTEN)
        .key_prefix("app:")
        .key_mangler("brackets");
    let (_host, users, hand) = host(config);
    let record = "app:_dogpile_inv:users";
    hand.advance(Duration::from_millis(250));
    users.invalidate(Invalidation::Hard).unwrap();
    assert_eq!(
        board.text(record),
        format!("{{\"hard\":{START}.25,\"soft\":0.0}}")
    );
    // Written by others, with one time that is older; and again, as they do, if a poll that had read before wrote over it.
    let others = format!("{{\"hard\": {START}.125, \"soft\": {START}.5}}");
    let both = format!("{{\"hard\":{START}.25,\"soft\":{START}.5}}");
    until(|| {
        let is_merged = board.text(record) == both;
        if !is_merged {
            board.write(record, &others);
        }
        is_merged
    });
}

#[test]
fn values_that_python_wrote_are_judged_by_their_creation() {
    let board = Board::new("python");
    let (_host, users, hand) = host(users(&board, SELDOM));
    hand.advance(SECOND);
    users.invalidate(Invalidation::Hard).unwrap();
    hand.advance(SECOND);
    for (second, fresh) in [(0, false), (1, false), (2, true)] {
        let created = START + second;
        board.write("1", format!("{{\"ct\": {created}.0, \"v\": 2}}|1"));
        assert_eq!(is_fresh(&users, "1"), fresh, "{second}");
    }
}

#[test]
fn a_write_that_fails_is_told_and_made_up_for() {
    for method in ["set", "get_fresh"] {
        let board = Board::new(&format!("fails {method}"));
        let [(one, _), (other, _)] = pair(&board);
        one.set("1", 1).unwrap();
        board.fault(method, Some(Fault::Fail));
        let error = one.invalidate(Invalidation::Hard).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Backend);
        let text = error.to_string();
        for part in [
            "`users`",
            "`spy`",
            &format!("no {method} today"),
            "in this process",
        ] {
            assert!(text.contains(part), "{text}: {part}");
        }
        assert!(!is_fresh(&one, "1"));
        assert!(is_fresh(&other, "1"));
        board.fault(method, None);
        until(|| !is_fresh(&other, "1"));
    }
}

#[test]
fn of_two_that_write_the_record_at_once_neither_is_lost() {
    let board = Board::new("written at once");
    let (_host, one, _) = host(users(&board, SELDOM));
    let region = one.clone();
    let first = AtomicBool::new(true);
    board.hook(move |call| {
        // Between the first one's look at what it writes, and the write.
        if call == format!("set {RECORD}") && first.swap(false, Ordering::SeqCst) {
            region.invalidate_tags(["b"], Invalidation::Hard).unwrap();
        }
    });
    one.invalidate_tags(["a"], Invalidation::Hard).unwrap();
    for tag in ["a", "b"] {
        let record = board.text(RECORD);
        assert!(record.contains(&format!("\"{tag}\"")), "{record}");
    }
}

#[test]
fn what_is_no_record_is_written_over() {
    let board = Board::new("no record");
    let [(one, _), (other, _)] = pair(&board);
    one.set("1", 1).unwrap();
    board.write(RECORD, "[1, 2]");
    until_polled(&board, 4);
    assert!(is_fresh(&one, "1") && is_fresh(&other, "1"));
    assert_eq!(board.text(RECORD), "[1, 2]");
    one.invalidate(Invalidation::Hard).unwrap();
    assert!(board.text(RECORD).starts_with("{\"hard\""));
    until(|| !is_fresh(&other, "1"));
}

#[test]
fn an_invalidation_by_a_clock_that_is_ahead_outdates_nothing_that_is_created_after_it_is_seen() {
    for ahead in [5, 3600] {
        let board = Board::new(&format!("ahead {ahead}"));
        let [(one, hand), (other, _)] = pair(&board);
        other.set("1", 1).unwrap();
        hand.advance(ahead * SECOND);
        one.invalidate(Invalidation::Hard).unwrap();
        until(|| !is_fresh(&other, "1"));
        other.set("1", 2).unwrap();
        until_polled(&board, 4);
        assert!(is_fresh(&other, "1"), "{ahead}");
        // Nor is one that follows hidden by that.
        let (_third_host, third, hand) = host(users(&board, OFTEN));
        assert!(is_fresh(&third, "1"), "{ahead}");
        hand.advance(SECOND);
        other.invalidate(Invalidation::Hard).unwrap();
        until(|| !is_fresh(&third, "1"));
    }
}

#[test]
fn tags_are_shared_as_regions_are() {
    let board = Board::new("tags");
    let [(one, _), (other, _)] = pair(&board);
    one.entry("tagged").tags(["red", "round"]).set(1).unwrap();
    one.entry("other").tags(["blue"]).set(1).unwrap();
    one.set("none", 1).unwrap();
    one.invalidate_tags(["red"], Invalidation::Hard).unwrap();
    assert!(!is_fresh(&one, "tagged"));
    assert_eq!(
        board.text(RECORD),
        format!(
            "{{\"hard\":0.0,\"soft\":0.0,\"tags\":{{\"red\":{{\"hard\":{START}.0,\"soft\":0.0}}}}}}"
        )
    );
    until(|| !is_fresh(&other, "tagged"));
    for region in [&one, &other] {
        assert!(is_fresh(region, "other") && is_fresh(region, "none"));
    }
    board.remove(RECORD);
    until(|| board.stored(RECORD).is_some());
}

#[test]
fn an_asynchronous_caller_is_not_blocked_by_the_record() {
    let board = Board::new("asynchronous");
    let (_host, users, _) = host(users(&board, SELDOM));
    users.entry("1").tags(["red"]).set(1).unwrap();
    users.set("2", 1).unwrap();
    until_polled(&board, 2);
    let here = thread::current().id();
    board.hook(move |call| assert_ne!(thread::current().id(), here, "{call}"));
    let tags = users.invalidate_tags_async(["red"], Invalidation::Hard);
    Blocking::new().on(tags).unwrap();
    let all = users.invalidate_async(Invalidation::Soft);
    Blocking::new().on(all).unwrap();
    board.hook(|_| {});
    let record = board.text(RECORD);
    assert!(
        !record.contains("\"soft\":0.0,") && record.contains("\"red\""),
        "{record}"
    );
    assert!(!is_fresh(&users, "1") && !is_fresh(&users, "2"));
}

#[test]
fn what_is_local_stays_in_the_process() {
    let board = Board::new("local");
    let config = || users(&board, OFTEN).invalidation(InvalidationScope::Local);
    let (_one_host, one, _) = host(config());
    let (_other_host, other, _) = host(config());
    one.entry("1").tags(["red"]).set(1).unwrap();
    board.calls();
    one.invalidate_tags(["red"], Invalidation::Hard).unwrap();
    one.invalidate(Invalidation::Hard).unwrap();
    assert!(board.calls().is_empty());
    assert!(!is_fresh(&one, "1") && is_fresh(&other, "1"));
}

#[test]
fn a_storage_that_nobody_else_sees_cannot_share_them() {
    let (builder, _) = builder();
    let config = RegionConfig::on("users", "memory").invalidation(InvalidationScope::Shared);
    let error = builder.region(config).build().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let text = error.to_string();
    for part in ["`users`", "invalidation", "`memory`", "\"local\""] {
        assert!(text.contains(part), "{text}: {part}");
    }
}

#[test]
fn a_host_whose_storage_is_away_opens_and_finds_the_record_later() {
    let board = Board::new("away");
    let (_host, one, _) = host(users(&board, SELDOM));
    one.set("1", 1).unwrap();
    one.invalidate(Invalidation::Hard).unwrap();
    // No failure that takes the whole backend out.
    board.fault("get_fresh", Some(Fault::Refuse));
    let (_other_host, other, _) = host(users(&board, OFTEN));
    assert!(is_fresh(&other, "1"));
    board.fault("get_fresh", None);
    until(|| !is_fresh(&other, "1"));
}

/// Who drops a host waits for the poll that is under way: of a storage that keeps its callers waiting there is none most of
/// the time.
#[test]
fn a_poll_that_took_long_to_fail_is_followed_by_a_pause() {
    const INTERVAL: Duration = Duration::from_millis(50);
    let board = Board::new("slow failure");
    board.fault("get_fresh", Some(Fault::Refuse));
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    board.hook(move |_| {
        if thread::current().name() == Some("dogpile-poll") {
            let began = Instant::now();
            thread::sleep(2 * INTERVAL);
            // The test may be over.
            let _gone = tell.lock().unwrap().send((began, Instant::now()));
        }
    });
    let _host = host(users(&board, INTERVAL));
    let polls: Vec<(Instant, Instant)> = told.iter().take(3).collect();
    for pair in polls.windows(2) {
        let pause = pair[1].0.duration_since(pair[0].1);
        assert!(pause >= INTERVAL, "{pause:?}");
    }
}

#[test]
fn the_polls_end_with_the_host_before_its_backends_close() {
    let board = Board::new("ends");
    let (has_begun, go_on) = held_polls(&board);
    let (ends, users, _) = host(users(&board, OFTEN));
    has_begun.recv().unwrap();
    let (send, thread) = mpsc::channel();
    let dropping = thread::spawn(move || {
        send.send(fs::read_link("/proc/thread-self").unwrap())
            .unwrap();
        drop((users, ends));
    });
    let stat = Path::new("/proc").join(thread.recv().unwrap()).join("stat");
    until(|| match fs::read_to_string(&stat) {
        Ok(stat) => stat.contains(") S "),
        Err(_) => dropping.is_finished(),
    });
    drop(go_on);
    dropping.join().unwrap();
    let calls = board.calls();
    assert_eq!(calls[calls.len() - 2..], ["close", "drop"]);
    // What the thread of the polls does is told: it closed nothing.
    assert!(!has_begun.try_iter().any(|call| call == "close"));
}

#[test]
fn the_status_tells_of_invalidations() {
    let board = Board::new("status");
    let (host, users, hand) = host(users(&board, SELDOM));
    let status = host.status().regions.remove(0);
    assert_eq!(status.invalidation, "shared");
    assert_eq!(
        (status.hard_invalidated_at, status.soft_invalidated_at),
        (None, None)
    );
    hand.advance(Duration::from_millis(500));
    users.invalidate(Invalidation::Soft).unwrap();
    users
        .invalidate_tags(["a", "b"], Invalidation::Hard)
        .unwrap();
    let status = host.status().regions.remove(0);
    assert_eq!(status.hard_invalidated_at, None);
    let soft = status.soft_invalidated_at.unwrap();
    assert_eq!(soft, "2096-10-02T07:06:40.500000Z");
    assert_eq!(status.invalidated_tags, 2);
}

#[test]
fn no_tags_are_no_call() {
    let board = Board::new("no tags");
    let (host, users, _) = host(users(&board, SELDOM));
    // When it was opened, and by the first poll.
    until_polled(&board, 2);
    users.invalidate_tags([""; 0], Invalidation::Hard).unwrap();
    users.invalidate_tags([""; 0], Invalidation::Soft).unwrap();
    Blocking::new()
        .on(users.invalidate_tags_async([""; 0], Invalidation::Hard))
        .unwrap();
    assert!(board.calls().is_empty());
    assert!(board.stored(RECORD).is_none());
    assert_eq!(host.status().regions[0].invalidated_tags, 0);
}
