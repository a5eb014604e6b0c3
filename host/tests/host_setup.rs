//! What a host is made of: backends of the program's own, and secrets that it keeps.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use dogpile::{ErrorKind, Host, Invalidation, RegionConfig, Source};
use dogpile_plugin_api::{Backend, HostContext, Key, NoArguments, Result, Value};
use parking_lot::Mutex;

#[derive(Default)]
struct Own(Mutex<HashMap<String, Value>>);

impl Backend for Own {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self::default())
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        Ok(self.0.lock().get(key.as_str()).cloned())
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        self.0.lock().insert(key.to_string(), value.clone());
        Ok(())
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.0.lock().remove(key.as_str());
        Ok(())
    }
}

#[test]
fn a_backend_of_the_programs_own_needs_no_plugin_crate() {
    let host = Host::builder()
        .backend::<Own>("own")
        .plugin(dogpile_plugin_memory::plugin())
        .region(RegionConfig::on("users", "own"))
        .build()
        .unwrap();
    let users = host.region("users").unwrap();
    assert_eq!(*users.get_or_create("a", || 1).unwrap(), 1);
    assert_eq!(*users.get_or_create("a", || 2).unwrap(), 1);
    assert_eq!(host.plugins()[0].backends[0].name, "own");
    let wrong = RegionConfig::on("wrong", "own").argument("size", 1);
    assert_eq!(host.configure(wrong).unwrap_err().kind(), ErrorKind::Plugin);
}

#[test]
fn who_comes_after_a_hard_invalidation_does_not_get_what_was_begun_before() {
    let host = Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .region(RegionConfig::on("users", "memory"))
        .build()
        .unwrap();
    let users = host.region("users").unwrap();
    let (begun, has_begun) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let users = &users;
        let early = scope.spawn(move || {
            users.get_or_create("a", || {
                begun.send(()).unwrap();
                may_go_on.recv().unwrap();
                1
            })
        });
        has_begun.recv().unwrap();
        users.invalidate(Invalidation::Hard).unwrap();
        let late = scope.spawn(move || users.get_or_create("a", || 2));
        // Whether it waits by now or comes later, it must have the new value.
        go_on.send(()).unwrap();
        assert_eq!(*early.join().unwrap().unwrap(), 1);
        assert_eq!(*late.join().unwrap().unwrap(), 2);
    });
    assert_eq!(*users.get_or_create("a", || 3).unwrap(), 2);
}

#[test]
fn what_an_interpolation_gave_is_in_no_error_whoever_wrote_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), "hunter2canary\n").unwrap();
    let manifest = folder.path().join("dogpile.toml");
    for line in [
        "arguments = { max_entries = '${file:secret}' }",
        "arguments = { storage = 'x${file:secret}' }",
        "arguments = { max_bytes = '${file:secret}' }",
        "key_mangler = '${file:secret}'",
    ] {
        let text = format!(
            "version = 1\n[regions.users]\nbackend = 'memory'\nexpiration_time = '5m'\n{line}\n"
        );
        fs::write(&manifest, text).unwrap();
        let opened = Host::builder()
            .plugin(dogpile_plugin_memory::plugin())
            .manifest(&manifest)
            .build();
        let error = opened.err().unwrap();
        let shown = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
        assert!(!shown.contains("hunter2canary"), "{shown}");
        assert!(shown.contains("***"), "{shown}");
    }
    // The status of a host that goes on is no other text.
    fs::write(
        &manifest,
        "version = 1\n[regions.users]\nbackend = 'memory'\nexpiration_time = '5m'\n",
    )
    .unwrap();
    let host = Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .manifest(&manifest)
        .watch(false)
        .build()
        .unwrap();
    let wrong = "version = 1\n[regions.users]\nbackend = 'memory'\nexpiration_time = '5m'\narguments = { max_entries = '${file:secret}' }\n";
    fs::write(&manifest, wrong).unwrap();
    host.reload().unwrap_err();
    let status = host.status();
    assert!(status.last_error.as_ref().unwrap().contains("***"));
    assert!(!format!("{status:?}").contains("hunter2canary"));
}

#[test]
fn a_test_has_a_clock_that_begins_now_and_moves_when_it_says_so() {
    const MINUTE: Duration = Duration::from_mins(1);
    let (builder, clock) = Host::for_tests();
    let host = builder
        .plugin(dogpile_plugin_memory::plugin())
        .region(
            RegionConfig::on("users", "memory")
                .expiration_time(2 * MINUTE)
                .stale_if_error(MINUTE, MINUTE),
        )
        .region(RegionConfig::on("idle", "memory").argument("time_to_idle", "1m"))
        .build()
        .unwrap();
    let users = host.region("users").unwrap();
    let made = users.get_or_create("a", || 1).unwrap();
    let apart = made
        .cached_time()
        .elapsed()
        .unwrap_or_else(|ahead| ahead.duration());
    assert!(
        apart < MINUTE,
        "the clock began at {:?}",
        made.cached_time()
    );
    assert!(made.cached_time() < SystemTime::now() + MINUTE);

    // Fresh to the end, and stale after it.
    clock.advance(2 * MINUTE);
    assert_eq!(
        users.get_or_create("a", || 2).unwrap().source(),
        Source::Fresh
    );
    clock.advance(Duration::from_nanos(1));
    let fails = || users.try_get_or_create("a", || Err::<i32, _>("down"));
    assert_eq!(fails().unwrap().source(), Source::Stale);
    // Not tried again before `retry_after`.
    let untried = users.get_or_create("a", || -> i32 { unreachable!() });
    assert_eq!(untried.unwrap().source(), Source::Stale);
    clock.advance(MINUTE);
    assert_eq!(
        users.get_or_create("a", || 3).unwrap().source(),
        Source::Created
    );

    // A backend's own times go by it.
    let idle = host.region("idle").unwrap();
    idle.set("a", 1).unwrap();
    clock.advance(2 * MINUTE);
    assert_eq!(idle.get::<i32>("a").unwrap(), None);
}
