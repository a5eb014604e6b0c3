//! A loaded plugin that hangs, in a host with a region that is to go on.

use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fs, thread};

use dogpile::{Host, RegionStatus, Source, Trust};
use tempfile::TempDir;

use crate::fixtures::{LONG, file, rust};

/// A host of that plugin, which hangs for one region and not for the other.
struct Site {
    folder: TempDir,
    host: Host,
}

impl Site {
    fn new(hang_in: &str) -> Self {
        let (folder, _library) = file(&rust("hangs"));
        fs::write(folder.path().join("hang"), "").unwrap();
        save(&folder, hang_in, "log");
        let host = Host::builder()
            .manifest(folder.path().join("dogpile.toml"))
            .watch(false)
            .trust(Trust::Off)
            .build()
            .unwrap();
        Self { folder, host }
    }

    fn status(&self) -> RegionStatus {
        self.host.status().regions.remove(0)
    }

    /// From now on nothing hangs.
    fn go_on(&self) {
        drop(GoOn(self));
    }

    /// How often a method was called, of the instance with that log.
    fn called(&self, log: &str, method: &str) -> usize {
        let text = fs::read_to_string(self.path(log)).unwrap_or_default();
        text.lines().filter(|line| *line == method).count()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A test that fails does not wait for what hangs.
struct GoOn<'a>(&'a Site);

impl Drop for GoOn<'_> {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = fs::remove_file(self.0.folder.path().join("hang"));
    }
}

fn save(folder: &TempDir, hang_in: &str, log: &str) {
    let path = |name: &str| folder.path().join(name).display().to_string();
    let region = |name: &str, hang_in: &str, log: &str| {
        format!(
            "[regions.{name}]\nbackend = \"hangs\"\nexpiration_time = 1\nhang_after = \"100ms\"\n\
             require_healthy = false\narguments = {{ hang_in = [{hang_in}], while_there = \"{}\", log = \"{}\" }}\n",
            path("hang"),
            path(log)
        )
    };
    let text = format!(
        "version = 1\n[host]\nplugin_dir = \".\"\n[plugins.hangs]\nfile = \"plugin.so\"\n{}{}",
        region("a", hang_in, log),
        region("b", "", "other")
    );
    fs::write(folder.path().join("dogpile.toml"), text).unwrap();
}

#[track_caller]
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < LONG, "never: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_plugin_that_hangs_in_get_set_acquire_or_ping_is_waited_for_by_one_caller() {
    for (method, reason) in [
        ("get", "get"),
        ("set", "set_guarded"),
        ("acquire", "try_acquire"),
        ("ping", "ping"),
    ] {
        let site = Site::new(&format!("\"{method}\", \"ping\""));
        let (a, b) = (
            site.host.region("a").unwrap(),
            site.host.region("b").unwrap(),
        );
        thread::scope(|scope| {
            let _in_any_case = GoOn(&site);
            scope.spawn(|| {
                if method == "ping" {
                    a.ping().unwrap();
                } else {
                    a.get_or_create("1", || 1).unwrap();
                }
            });
            until("it hangs", || site.called("log", method) > 0);
            until("it is not called", || {
                b.get_or_create("1", || 1).unwrap();
                site.status().state == "breaker open"
            });
            let status = site.status();
            assert_eq!(
                status.reason.unwrap(),
                format!("hang in {reason} for 0.1 s")
            );
            let made = a.get_or_create("2", || 2).unwrap();
            assert_eq!((*made, made.source()), (2, Source::Created), "{method}");
            assert_eq!(site.host.status().regions[1].state, "open");
            site.go_on();
        });
        until("it is called again", || site.status().state == "open");
        until("none is stuck", || site.status().stuck_calls == 0);
    }
}

#[test]
fn a_plugin_that_hangs_in_close_holds_nobody_up_and_is_closed_once() {
    let site = Site::new("\"close\"");
    let a = site.host.region("a").unwrap();
    save(&site.folder, "", "second");
    site.host.reload().unwrap();
    until("it closes", || site.called("log", "close") == 1);
    a.get_or_create("1", || 1).unwrap();
    assert_eq!(site.called("second", "set"), 1);
    save(&site.folder, "", "third");
    site.host.reload().unwrap();
    until("another closes", || site.called("second", "close") == 1);
    site.go_on();
    let host = site.host;
    drop((a, host));
    let text = |log: &str| fs::read_to_string(site.folder.path().join(log)).unwrap();
    until("the last closes", || text("third").contains("close"));
    for log in ["log", "second", "third"] {
        assert_eq!(text(log).matches("close").count(), 1, "{log}");
    }
}

#[test]
fn a_plugin_with_a_call_in_it_is_closed_after_that_and_once() {
    let site = Site::new("\"get\", \"ping\"");
    let a = site.host.region("a").unwrap();
    thread::scope(|scope| {
        let _in_any_case = GoOn(&site);
        scope.spawn(|| a.get::<i32>("1").unwrap());
        until("it hangs", || site.called("log", "get") == 1);
        save(&site.folder, "", "second");
        site.host.reload().unwrap();
        // Another generation is closed meanwhile, by the same means.
        save(&site.folder, "", "third");
        site.host.reload().unwrap();
        until("the second closes", || site.called("second", "close") == 1);
        assert_eq!(site.called("log", "close"), 0);
        site.go_on();
    });
    until("the first closes", || site.called("log", "close") == 1);
    drop((a, site.host));
}
