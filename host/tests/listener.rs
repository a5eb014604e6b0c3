//! What a host tells the program of what happens in it.

#![forbid(unsafe_code)]

mod region_support;

use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use dogpile::{
    CreatedEvent, EvictedEvent, Host, InvalidatedEvent, Invalidation, Listener, RegionConfig,
};

use region_support::{Board, SECOND, builder, logs};

/// What was told, and on which thread.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<(String, ThreadId)>>>);

impl Told {
    fn note(&self, event: String) {
        let thread = thread::current().id();
        self.0.lock().unwrap().push((event, thread));
    }

    /// All since this was last asked, which happened on this thread.
    fn taken(&self) -> Vec<String> {
        let told = std::mem::take(&mut *self.0.lock().unwrap());
        let own = thread::current().id();
        told.into_iter()
            .map(|(event, thread)| {
                assert_eq!(thread, own, "{event}");
                event
            })
            .collect()
    }
}

impl Listener for Told {
    fn created(&self, event: &CreatedEvent<'_>) {
        let CreatedEvent {
            region,
            key,
            seconds,
            ..
        } = event;
        self.note(format!("{region} created {key} in {seconds} s"));
    }

    fn evicted(&self, event: &EvictedEvent<'_>) {
        self.note(format!("{} evicted {}", event.region, event.entries));
    }

    fn invalidated(&self, event: &InvalidatedEvent<'_>) {
        let InvalidatedEvent {
            region, how, tags, ..
        } = event;
        self.note(format!("{region} invalidated {how:?} {tags:?}"));
    }
}

/// Everything in it is wrong.
struct Panics;

impl Listener for Panics {
    fn created(&self, _: &CreatedEvent<'_>) {
        panic!("created");
    }

    fn invalidated(&self, _: &InvalidatedEvent<'_>) {
        panic!("invalidated");
    }
}

#[test]
fn a_listener_is_told_of_what_is_created_on_the_creators_thread() {
    let (told, (builder, hand)) = (Told::default(), builder());
    let config = RegionConfig::on("users", "memory").key_prefix("prefix:");
    let host = builder
        .region(config)
        .listener(told.clone())
        .build()
        .unwrap();
    let users = host.region("users").unwrap();
    users
        .get_or_create("1", || hand.advance(2 * SECOND))
        .unwrap();
    users.get_or_create("1", || ()).unwrap();
    users
        .try_get_or_create("2", || Err::<(), _>("no"))
        .unwrap_err();
    users.set("3", ()).unwrap();
    let both = |keys: &[&'static str]| keys.iter().map(|key| (*key, ())).collect::<Vec<_>>();
    users.get_or_create_multi(&["4", "5"], both).unwrap();
    let expected = ["1 in 2 s", "4 in 0 s", "5 in 0 s"];
    assert_eq!(
        told.taken(),
        expected.map(|one| format!("users created {one}"))
    );
}

#[test]
fn a_listener_is_told_of_what_this_process_invalidates() {
    let (told, (builder, _hand)) = (Told::default(), builder());
    let config = RegionConfig::on("users", "memory").expiration_time(SECOND);
    let host = builder
        .region(config)
        .listener(told.clone())
        .build()
        .unwrap();
    let users = host.region("users").unwrap();
    users.invalidate(Invalidation::Soft).unwrap();
    users
        .invalidate_tags(["a", "b"], Invalidation::Hard)
        .unwrap();
    let expected = ["Soft []", "Hard [\"a\", \"b\"]"];
    assert_eq!(
        told.taken(),
        expected.map(|one| format!("users invalidated {one}"))
    );
}

#[test]
fn evictions_are_told_once_when_the_metrics_are_read() {
    let board = Board::new("evictions are told once");
    let (told, (builder, _hand)) = (Told::default(), builder());
    let host = builder
        .region(board.objects())
        .listener(told.clone())
        .build()
        .unwrap();
    for key in ["1", "2", "3"] {
        board.evict(key);
    }
    assert_eq!(told.taken(), [""; 0]);
    let lines = logs::of(|| drop(host.metrics_text()));
    assert_eq!(told.taken(), ["users evicted 3"]);
    let line = lines.iter().find(|line| line.message == "evicted").unwrap();
    assert_eq!(
        (&*line.level, line.field("entries")),
        ("DEBUG", "3".to_owned())
    );
    host.metrics_text();
    assert_eq!(told.taken(), [""; 0]);
    board.evict("4");
    host.metrics_text();
    assert_eq!(told.taken(), ["users evicted 1"]);
}

#[test]
fn a_listener_that_panics_ends_nothing_and_is_logged_once() {
    let (told, (builder, _hand)) = (Told::default(), builder());
    let builder = builder.region(RegionConfig::on("users", "memory"));
    let host: Host = builder
        .listener(Panics)
        .listener(told.clone())
        .build()
        .unwrap();
    let users = host.region("users").unwrap();
    let lines = logs::of(|| {
        assert_eq!(*users.get_or_create("1", || 1).unwrap(), 1);
        assert_eq!(*users.get_or_create("2", || 2).unwrap(), 2);
        users.invalidate(Invalidation::Hard).unwrap();
    });
    assert_eq!(users.stats().abandoned_creations, 0);
    assert_eq!(
        told.taken().len(),
        3,
        "the other listener is told all the same"
    );
    let errors: Vec<_> = lines.iter().filter(|line| line.level == "ERROR").collect();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].message.contains("listener panicked in `created`"));
}

/// What is hot is logged at a level that nobody has by default.
#[test]
fn events_of_regions_are_logged_at_level_debug() {
    let (builder, _hand) = builder();
    let config = RegionConfig::on("users", "memory").expiration_time(SECOND);
    let host = builder.region(config).build().unwrap();
    let users = host.region("users").unwrap();
    let lines = logs::of(|| {
        users.get_or_create("1", || 1).unwrap();
        users.get_or_create("1", || 1).unwrap();
        users.invalidate(Invalidation::Soft).unwrap();
    });
    let events: Vec<_> = lines
        .iter()
        .map(|line| (&*line.level, &*line.message))
        .collect();
    let expected = ["no fresh value", "created", "invalidated"].map(|what| ("DEBUG", what));
    assert_eq!(events, expected);
}
