//! A plugin that says all it can: what of it arrives at the host, what of it is kept back, and that it prints nothing.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dogpile::loader::{Loaded, Loader, OpenError, host_functions, open_backend, open_mangler};
use dogpile::{Host, Trust};
use dogpile_plugin_api::{BackendInstance, Value};
use tracing::Level;

use crate::fixtures::{LONG, clock, file, key, rust};
use crate::logging::{Kept, assert_has, keep};
use crate::own_process::is_outer;

fn load() -> (tempfile::TempDir, Loaded) {
    let (folder, path) = file(&rust("talks"));
    let loaded = Loader::new().load_as(&path, "talker").unwrap();
    (folder, loaded)
}

fn open(loaded: &Loaded, arguments: &str) -> Result<BackendInstance, OpenError> {
    let host = host_functions("talker", clock());
    open_backend(&loaded.plugin, "talks", arguments, host, LONG)
}

/// Calls everything there is; says how many of the calls failed.
fn everything(loaded: &Loaded) -> usize {
    let mut failed = 0;
    failed += usize::from(open(loaded, r#"{ "note": "n", "panics": true }"#).is_err());
    let talks = open(loaded, r#"{ "note": "n", "chatters": true }"#).unwrap();
    for what in ["levels", "span", "log", "thread", "panic", "other"] {
        failed += usize::from(talks.get(&key(what)).is_err());
    }
    let value = Value::from(Vec::from("x"));
    failed += usize::from(talks.set(&key("a"), &value).is_err());
    failed += usize::from(talks.delete(&key("a")).is_err());
    failed += usize::from(talks.clear().is_err());
    failed += usize::from(talks.ping().is_err());
    failed += usize::from(talks.close().is_err());
    drop(talks);
    let host = host_functions("talker", clock());
    let mangler = open_mangler(&loaded.plugin, "talks", r#"{ "note": "n" }"#, host, LONG).unwrap();
    failed += usize::from(mangler.mangle("panic").is_err());
    failed
}

#[test]
fn every_level_arrives_also_from_threads_spans_and_libraries() {
    if is_outer("talking::every_level_arrives_also_from_threads_spans_and_libraries") {
        return;
    }
    let kept = keep(Level::TRACE);
    let (_folder, loaded) = load();
    assert_eq!(everything(&loaded), 8);
    let records = kept.take();
    for (level, text) in [
        ("ERROR", "an error note=\"n\""),
        ("WARN", "a warning note=\"n\""),
        ("INFO", "an information note=\"n\""),
        ("DEBUG", "a detail note=\"n\""),
        ("TRACE", "a trace note=\"n\""),
        ("INFO", "inside of spans"),
        ("ERROR", "an error by log with n"),
        ("WARN", "a warning by log"),
        ("INFO", "an information by log"),
        ("DEBUG", "a detail by log"),
        ("TRACE", "a trace by log"),
        ("ERROR", "open cannot with n"),
        ("ERROR", "a thread cannot with n"),
        ("ERROR", "it cannot with n"),
        ("ERROR", "set cannot with n"),
        ("ERROR", "clear cannot with n"),
        ("ERROR", "ping cannot with n"),
        ("ERROR", "close cannot with n"),
        ("ERROR", "drop cannot with n"),
        ("INFO", "chatter of n"),
        ("INFO", "chatter ends"),
        ("TRACE", "asked for other with n"),
    ] {
        let level = format!("{level} dogpile::plugin");
        assert_has(&records, &[&level, "plugin=talker", text]);
    }
    assert_has(&records, &["module=some::library", "a warning by log"]);
}

#[test]
fn levels_that_the_host_does_not_want_do_not_arrive() {
    if is_outer("talking::levels_that_the_host_does_not_want_do_not_arrive") {
        return;
    }
    let kept = keep(Level::ERROR);
    let (_folder, loaded) = load();
    everything(&loaded);
    let records = kept.take();
    assert_has(&records, &["an error by log"]);
    let others = records
        .iter()
        .filter(|record| !record.starts_with("ERROR "));
    assert_eq!(others.count(), 0, "{records:#?}");
}

#[test]
fn a_plugin_prints_nothing_whatever_happens_in_it() {
    if is_outer("talking::a_plugin_prints_nothing_whatever_happens_in_it") {
        return;
    }
    let (_folder, loaded) = load();
    assert_eq!(everything(&loaded), 8);
}

/// A host with the plugin as backend, proxy and key mangler, with secrets of every origin.
fn host() -> (tempfile::TempDir, Host) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("plugins")).unwrap();
    fs::write(folder.path().join("plugins/talks.so"), rust("talks")).unwrap();
    fs::write(folder.path().join("secret"), "c4n4ry-of-file\n").unwrap();
    let manifest = folder.path().join("dogpile.toml");
    fs::write(
        &manifest,
        "version = 1\n[plugins.talker]\nfile = \"talks.so\"\n\
         [regions.users]\nbackend = \"talks\"\nexpiration_time = 60\non_backend_error = \"fail\"\n\
         key_mangler = [{ mangler = \"talks\", arguments = { note = \"password=c4n4ry\" } }]\n\
         arguments = { note = \"m4rker ${file:secret}\", chatters = true }\n\
         [regions.around]\nbackend = \"talks\"\nexpiration_time = 60\non_backend_error = \"fail\"\n\
         proxies = [{ proxy = \"talks\", arguments = { note = \"redis://me:c4n4ry%2Fx@h\" } }]\n\
         arguments = { note = \"m4rker\" }\n",
    )
    .unwrap();
    let builder = Host::builder()
        .manifest(&manifest)
        .watch(false)
        .trust(Trust::Off);
    (folder, builder.build().unwrap())
}

fn no_secret(kept: &Kept, errors: &[String]) {
    let records = kept.take();
    assert_has(&records, &["m4rker ***"]);
    for text in records.iter().chain(errors) {
        assert!(!text.contains("c4n4ry"), "{text}");
    }
}

#[test]
fn arguments_that_a_plugin_puts_into_records_panics_and_errors_are_masked() {
    if is_outer("talking::arguments_that_a_plugin_puts_into_records_panics_and_errors_are_masked") {
        return;
    }
    let kept = keep(Level::TRACE);
    let (_folder, host) = host();
    let mut errors = Vec::new();
    for name in ["users", "around"] {
        for what in ["levels", "log", "thread", "other", "panic"] {
            let region = host.region(name).unwrap();
            let error = region.get::<u32>(what).err();
            errors.extend(error.map(|error| format!("{error} {error:?}")));
        }
        let region = host.region(name).unwrap();
        let results = [
            region.delete("k").err(),
            region.ping().err(),
            region.clear().err(),
        ];
        errors.extend(
            results
                .iter()
                .flatten()
                .map(|error| format!("{error} {error:?}")),
        );
        errors.push(format!("{:?}", host.status()));
    }
    assert!(
        errors.iter().any(|error| error.contains("cannot with")),
        "{errors:#?}"
    );
    drop(host);
    no_secret(&kept, &errors);
}

#[test]
fn a_thread_of_a_plugin_may_talk_while_its_host_is_dropped() {
    if is_outer("talking::a_thread_of_a_plugin_may_talk_while_its_host_is_dropped") {
        return;
    }
    let kept = keep(Level::INFO);
    let (_folder, host) = host();
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(host)));
    assert!(dropped.is_ok());
    let records = kept.take();
    assert_has(&records, &["chatter of m4rker ***"]);
    assert_has(&records, &["plugin=talker", "chatter ends"]);
}
