//! A manifest that was refused for a cause outside of its text is tried again by itself.

use std::fs;
use std::sync::{Arc, Mutex};

use dogpile::{Host, Listener, ReloadRecord, Reloads, Trigger, Trust};

use crate::probe::Log;
use crate::support::{Site, contains, for_a_while, library, plugins, until, whole};
use crate::trust::mode;

const USERS: &str = "[regions.users]\nbackend = \"memory\"\nexpiration_time = 100\n";

fn region(log: &str, tag: &str, more: &str) -> String {
    format!(
        "[regions.probe]\nbackend = \"probe\"\nexpiration_time = 1\n[regions.probe.arguments]\nlog = \"{log}\"\ntag = \
         \"{tag}\"\n{more}"
    )
}

fn last(host: &Host) -> ReloadRecord {
    host.status().last_reload.unwrap()
}

/// How often it was tried again in vain; `None` if it is not.
fn retries(host: &Host) -> Option<u64> {
    last(host).retries.map(|retries| retries.refused)
}

fn counts(host: &Host) -> (u64, u64, u64) {
    let Reloads {
        applied,
        unchanged,
        refused,
        ..
    } = host.status().reloads;
    (applied, unchanged, refused)
}

/// Writes down what it is told of reloads.
struct Told(Arc<Mutex<Vec<String>>>);

impl Listener for Told {
    fn reload_began(&self, trigger: Trigger) {
        self.0.lock().unwrap().push(format!("{trigger} began"));
    }

    fn reloaded(&self, record: &ReloadRecord) {
        let told = format!("{} by {}", record.outcome, record.trigger);
        self.0.lock().unwrap().push(told);
    }
}

#[test]
fn it_is_applied_when_the_cause_is_gone_and_told_once() {
    let log = Log::named("retried");
    log.refuse("down");
    let site = Site::new(USERS);
    let told = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&told);
    let host = site.builder().listener(Told(theirs));
    let host = host.build().unwrap();
    site.save(&(USERS.to_owned() + &region("retried", "down", "")));
    let error = Site::refused(&host, "did not open");
    let first = last(&host);
    until("it is tried again", || retries(&host) >= Some(1));
    let now = last(&host);
    assert_eq!((&now.at, now.trigger), (&first.at, Trigger::File));
    assert_eq!(now.error.as_ref(), Some(&error));
    assert!(now.retries.unwrap().last.unwrap() > first.at);
    assert_eq!(counts(&host), (0, 0, 1));

    log.accept();
    site.applied(&host);
    let now = last(&host);
    assert_eq!((now.trigger, now.retries), (Trigger::Retry, None));
    assert_eq!(counts(&host), (1, 0, 1));
    until("the end is told", || told.lock().unwrap().len() == 3);
    let expected = ["file began", "refused by file", "applied by retry"];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[test]
fn another_error_is_a_reload_of_its_own() {
    let log = Log::named("other error");
    log.refuse("down");
    let site = Site::new(USERS);
    let host = site.open();
    let silent = region("other error", "down", "ping = \"fail\"\n");
    site.save(&(USERS.to_owned() + &silent));
    Site::refused(&host, "did not open");
    log.accept();
    Site::refused(&host, "does not answer");
    let now = last(&host);
    assert_eq!((now.trigger, retries(&host)), (Trigger::Retry, Some(0)));
    assert_eq!(counts(&host), (0, 0, 2));
}

#[test]
fn a_reload_that_is_asked_for_begins_anew() {
    let log = Log::named("asked for");
    log.refuse("down");
    let site = Site::new(USERS);
    let host = site.open();
    site.save(&(USERS.to_owned() + &region("asked for", "down", "")));
    Site::refused(&host, "did not open");
    until("it is tried again", || retries(&host) >= Some(1));
    host.reload().unwrap_err();
    let now = last(&host);
    assert_eq!((now.trigger, retries(&host)), (Trigger::Program, Some(0)));
    assert_eq!(counts(&host), (0, 0, 2));
    // So does a save, and what is right then is not tried again.
    site.save(&USERS.replace("100", "200"));
    site.applied(&host);
    assert_eq!((last(&host).trigger, retries(&host)), (Trigger::File, None));
}

#[test]
fn what_is_wrong_with_the_text_is_not_tried_again_nor_by_a_host_that_does_not_watch() {
    let log = Log::named("not retried");
    log.refuse("down");
    let site = Site::new(USERS);
    let down = region("not retried", "down", "");
    let both = [&USERS.replace("memory", "nosuch"), &*down].concat();
    let host = site.open();
    // The plugin's own fault.
    let panics = region("not retried", "up", "ping = \"panic\"\n");
    for wrong in [USERS.replace("100", "nonsense"), both, panics] {
        site.save(&wrong);
        host.reload().unwrap_err();
        assert_eq!(retries(&host), None, "{wrong}");
    }
    drop(host);
    site.save(USERS);
    let host = site.open_unwatched();
    site.save(&(USERS.to_owned() + &down));
    host.reload().unwrap_err();
    assert_eq!(retries(&host), None);
}

#[test]
fn what_would_touch_what_is_in_use_again_is_not_tried_again() {
    let log = Log::named("late");
    let exclusive = |tag| region("late", tag, "exclusive = true\n");
    let site = Site::new(&exclusive("up"));
    let host = site.open();
    log.refuse("down");
    site.save(&exclusive("down"));
    let error = Site::refused(&host, "did not open");
    contains(&error, &["was put back"]);
    assert_eq!(retries(&host), None);
    assert_eq!(log.faults(), Vec::<String>::new());
}

/// Saves a manifest that lets nothing take long to open.
fn impatient(site: &Site, rest: &str) {
    let manifest = whole(rest).replace("[host]\n", "[host]\nopen_timeout = \"50ms\"\n");
    site.replace("dogpile.toml", manifest);
}

#[test]
fn no_other_try_is_made_while_opening_hangs() {
    let log = Log::named("hangs");
    log.hold("open", "down");
    let site = Site::new(USERS);
    let host = site.open();
    impatient(&site, &(USERS.to_owned() + &region("hangs", "down", "")));
    Site::refused(&host, "took longer than 50ms");
    until("a try is put off", || {
        last(&host).retries.is_some_and(|retries| retries.hangs)
    });
    assert_eq!((log.held(), retries(&host)), (1, Some(0)));
    // Who asks for one gets it.
    host.reload().unwrap_err();
    log.until_held(2);
    log.let_go();
    site.applied(&host);
    assert_eq!(last(&host).trigger, Trigger::Retry);
}

#[test]
fn what_is_reopened_leaves_one_thread_behind_at_most() {
    let log = Log::named("reopening hangs");
    let probe = region("reopening hangs", "up", "");
    let site = Site::new(&(USERS.to_owned() + &probe));
    let host = site.open();
    // Nothing is loaded or opened for that.
    impatient(&site, &(USERS.replace("100", "200") + &probe));
    site.applied(&host);
    log.hold("open", "up");
    let probe = host.region("probe").unwrap();
    // It panics, and is retired.
    let _bypassed = probe.get::<String>("panic");
    log.until_held(1);
    for_a_while("one open hangs", || log.held() == 1);
    log.let_go();
    until("it is open again", || {
        host.status()
            .regions
            .iter()
            .all(|region| region.state == "open")
    });
}

#[test]
fn a_folder_of_plugins_is_trusted_again_when_its_mode_is_right() {
    let site = Site::empty();
    let folder = site.path("plugins");
    fs::create_dir(&folder).unwrap();
    let copy = folder.join(library("memory"));
    fs::copy(plugins().join(library("memory")), copy).unwrap();
    let manifest = |time: &str| {
        let users = USERS.replace("100", time);
        format!("version = 1\n[plugins.memory]\n{users}")
    };
    site.replace("dogpile.toml", manifest("100"));
    let host = site.builder().trust(Trust::Strict).build().unwrap();
    mode(&folder, 0o777);
    site.replace("dogpile.toml", manifest("200"));
    Site::refused(&host, "file-untrusted");
    assert_eq!(retries(&host), Some(0));
    // No file is touched.
    mode(&folder, 0o755);
    site.applied(&host);
}

#[test]
fn an_included_file_is_trusted_again_when_its_folder_is() {
    let site = Site::empty();
    let folder = site.path("conf.d");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("users.toml"), USERS).unwrap();
    fs::create_dir(site.path("plugins")).unwrap();
    let copy = site.path("plugins").join(library("memory"));
    fs::copy(plugins().join(library("memory")), copy).unwrap();
    let head = "version = 1\ninclude = [\"conf.d/users.toml\"]\n[plugins.memory]\n";
    site.replace("dogpile.toml", head);
    let host = site.builder().trust(Trust::Strict).build().unwrap();
    mode(&folder, 0o777);
    fs::write(folder.join("users.toml"), USERS.replace("100", "200")).unwrap();
    Site::refused(&host, "conf.d");
    assert_eq!(retries(&host), Some(0));
    mode(&folder, 0o755);
    site.applied(&host);
}
