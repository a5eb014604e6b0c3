//! Plugins that lie in a host which follows a manifest: the region that is lied to gets an error with code, file and remedy,
//! or the manifest is refused; all others are served meanwhile.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Instant;

use dogpile::{Error, ErrorKind, Region};
use tracing::Level;

use crate::fixtures::{c, lies, rust, rust_compiled};
use crate::lies_at_load::LIES;
use crate::logging::keep;
use crate::own_process::is_outer;
use crate::site::{OPEN_TIMEOUT, SOON, Served, Site, region, state, until};

#[track_caller]
fn tells(error: &Error, code: &str, parts: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.code(), Some(code), "{text}");
    for part in [&format!("[{code}]"), "plugin `lies` (", "plugin.so)"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
}

type Call = fn(&Region) -> dogpile::Result<()>;

/// Calls of a region, and the method of its backend by which each may fail.
const CALLS: &[(&str, Call)] = &[
    ("get", |region| region.get::<i32>("a").map(drop)),
    ("set", |region| region.set("a", 1).map(drop)),
    ("delete", |region| region.delete("a")),
    ("clear", Region::clear),
    ("ping", Region::ping),
    ("stats", |region| region.backend_stats().map(drop)),
    ("get_multi", |region| {
        region.entries(&["a", "b"]).get::<i32>().map(drop)
    }),
    ("mutex", |region| region.key_is_locked("a").map(drop)),
    ("is_locked", |region| region.key_is_locked("a").map(drop)),
    ("get_fresh", |region| {
        region.get_or_create("b", || 1).map(drop)
    }),
    ("try_acquire", |region| {
        region.get_or_create("b", || 1).map(drop)
    }),
    ("set_guarded", |region| {
        region.get_or_create("b", || 1).map(drop)
    }),
];

#[test]
fn a_panic_at_call_retires_the_region_at_once_it_is_reopened_and_others_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let until_there = |method: &str| folder.path().join(method);
    let mut manifest = String::new();
    for (method, _) in CALLS {
        let until = until_there(method);
        let arguments = format!("lie = \"panics\", in = \"{method}\", until = {until:?}");
        manifest += &region(method, &arguments);
    }
    let (_site, host) = Site::open(&manifest);
    let served = Served::begin(&host);
    for (method, call) in CALLS {
        let lied_to = host.region(method).unwrap();
        assert_eq!(state(&host, method), "open");
        let began = Instant::now();
        let error = call(&lied_to).unwrap_err();
        assert_eq!(state(&host, method), "retired", "{method}");
        assert!(began.elapsed() < SOON, "{method}");
        let parts = [
            &*format!("{method} is not for me"),
            "replace it, or give the region another",
        ];
        tells(&error, "plugin-panicked", &parts);
        fs::write(until_there(method), "").unwrap();
        until("it is reopened", || state(&host, method) == "open");
        // The call may be made by another instance that was opened before the file was there.
        until("it answers", || call(&lied_to).is_ok());
        served.goes_on();
    }
    assert!(served.end() > 0);
}

#[test]
fn a_breach_of_contract_at_call_is_an_error_with_its_code_and_opens_the_breaker() {
    let cases: [(&str, &str, Call, &str); 6] = [
        (
            "get_of_no_kind",
            "",
            |one| one.get::<i32>("a").map(drop),
            "kind 99",
        ),
        (
            "set_answers",
            "",
            |one| one.set("a", 1).map(drop),
            "set answered with bytes",
        ),
        (
            "stats_object",
            "",
            |one| one.backend_stats().map(drop),
            "with an object",
        ),
        (
            "stats_not_utf8",
            "",
            |one| one.backend_stats().map(drop),
            "not UTF-8",
        ),
        (
            "fewer",
            "get_multi",
            |one| one.entries(&["a", "b"]).get::<i32>().map(drop),
            "1 times for 2",
        ),
        (
            "set_guarded_otherwise",
            "",
            |one| one.get_or_create("a", || 1).map(drop),
            "ended with 7",
        ),
    ];
    let mut manifest = String::new();
    for (lie, method, ..) in cases {
        manifest += &region(lie, &format!("lie = \"{lie}\", in = \"{method}\""));
    }
    let (_site, host) = Site::open(&manifest);
    let served = Served::begin(&host);
    for (lie, _, call, part) in cases {
        let lied_to = host.region(lie).unwrap();
        let error = call(&lied_to).unwrap_err();
        tells(
            &error,
            "plugin-broke-contract",
            &[part, "the fault is the plugin's: replace it"],
        );
        assert_eq!(state(&host, lie), "open");
        served.goes_on();
    }
    let lied_to = host.region("get_of_no_kind").unwrap();
    until("its breaker opens", || {
        let _refused = lied_to.get::<i32>("a");
        state(&host, "get_of_no_kind") == "breaker open"
    });
    served.end();
}

#[test]
fn a_key_mangler_or_proxy_that_lies_fails_the_calls_of_its_region_alone() {
    let mut manifest = String::new();
    for (name, line) in [
        (
            "mangler_panics",
            r#"key_mangler = { mangler = "lies", arguments = { lie = "panics", in = "mangle" } }"#,
        ),
        (
            "mangler_not_utf8",
            r#"key_mangler = { mangler = "lies", arguments = { lie = "not_utf8", in = "mangle" } }"#,
        ),
        (
            "mangler_object",
            r#"key_mangler = { mangler = "lies", arguments = { lie = "mangle_object" } }"#,
        ),
        (
            "proxy_panics",
            r#"proxies = { proxy = "lies", arguments = { lie = "panics", in = "get" } }"#,
        ),
    ] {
        writeln!(manifest, "{}{line}", region(name, "")).unwrap();
    }
    let (_site, host) = Site::open(&manifest);
    let served = Served::begin(&host);
    for (name, code, part) in [
        (
            "mangler_panics",
            "plugin-panicked",
            "panicked in mangle: mangle is not for me",
        ),
        ("mangler_not_utf8", "plugin-broke-contract", "not UTF-8"),
        (
            "mangler_object",
            "plugin-broke-contract",
            "mangle answered with an object",
        ),
        (
            "proxy_panics",
            "plugin-panicked",
            "panicked in get: get is not for me",
        ),
    ] {
        let error = host.region(name).unwrap().get::<i32>("a").unwrap_err();
        tells(&error, code, &[part]);
        served.goes_on();
    }
    assert_eq!(state(&host, "proxy_panics"), "retired");
    assert_eq!(state(&host, "mangler_panics"), "open");
    served.end();
}

/// What is told as something is opened: more of a manifest, the code, and a part of the message.
fn lies_at_reload() -> Vec<(String, &'static str, &'static str)> {
    let lied_to =
        |lie: &str, method: &str| region("other", &format!("lie = \"{lie}\", in = \"{method}\""));
    let panics = "arguments = { lie = \"panics\", in =";
    let with = |line: &str| {
        format!(
            "{}{line} = \"lies\", {panics} \"open\" }} }}\n",
            region("other", "")
        )
    };
    let templates =
        |method: &str| format!("[templates]\nplugin = \"lies\"\n{panics} \"{method}\" }}\n");
    let (panicked, breach, late) = (
        "plugin-panicked",
        "plugin-broke-contract",
        "plugin-open-timed-out",
    );
    let mut lies = vec![
        (lied_to("throws_what_panics", "open"), panicked, "in open"),
        (with("key_mangler = { mangler"), panicked, "in open"),
        (with("proxies = { proxy"), panicked, "in open"),
        (templates("open"), panicked, "in open"),
        (templates("observes"), panicked, "in observes"),
        (lied_to("not_utf8", "key_mangler"), breach, "not UTF-8"),
        (lied_to("key_mangler_object", ""), breach, "with an object"),
        (lied_to("open_gives_none", ""), breach, "with no backend"),
    ];
    for method in [
        "open",
        "storage",
        "blocking",
        "exclusive",
        "shared",
        "key_mangler",
        "ping",
    ] {
        lies.push((lied_to("panics", method), panicked, method));
    }
    for method in ["open", "shared", "key_mangler", "ping"] {
        lies.push((lied_to("hangs", method), late, "300ms"));
    }
    lies
}

#[test]
fn a_lie_at_reload_refuses_the_manifest_and_the_next_good_one_is_applied() {
    let (site, host) = Site::open("");
    let served = Served::begin(&host);
    for (number, (manifest, code, part)) in lies_at_reload().iter().enumerate() {
        site.save(manifest);
        let (generation, calls) = (host.status().generation, served.calls());
        let began = Instant::now();
        let error = host.reload().unwrap_err();
        let took = began.elapsed();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let text = error.to_string();
        for part in [
            "dogpile.toml:",
            &format!("error[{code}]: "),
            part,
            "plugin.so)",
            "= help: ",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(took < OPEN_TIMEOUT + SOON, "{took:?}: {text}");
        assert!(
            !code.ends_with("timed-out") || served.calls() > calls,
            "{text}"
        );
        let after = host.status();
        assert_eq!(
            (after.generation, after.last_error),
            (generation, Some(text))
        );
        served.goes_on();

        site.save(&region(&format!("good{number}"), ""));
        assert_eq!(host.reload().unwrap().generation, generation + 1);
        assert_eq!(host.status().last_error, None);
    }
    served.end();
}

#[test]
fn a_lie_as_an_instance_goes_is_told_in_the_log_and_harms_nobody() {
    let own = "lies_in_a_host::a_lie_as_an_instance_goes_is_told_in_the_log_and_harms_nobody";
    if is_outer(own) {
        return;
    }
    let kept = keep(Level::WARN);
    let proxied = |method: &str| {
        format!(
            "{}proxies = {{ proxy = \"lies\", arguments = {{ lie = \"panics\", in = \"{method}\" }} }}\n",
            region("proxied", "")
        )
    };
    let mangled = |method: &str| {
        format!(
            "{}key_mangler = {{ mangler = \"lies\", arguments = {{ lie = \"panics\", in = \"{method}\" }} }}\n",
            region("mangled", "")
        )
    };
    let cases = [
        (
            region("one", "lie = \"panics\", in = \"close\""),
            "backend `lies`",
            "failed to close",
        ),
        (
            region("one", "lie = \"panics\", in = \"drop\""),
            "backend `lies`",
            "as it was dropped",
        ),
        (
            region("one", "lie = \"throws_what_panics\", in = \"drop\""),
            "backend `lies`",
            "as it was dropped",
        ),
        (proxied("close"), "proxy `lies`", "failed to close"),
        (proxied("drop"), "proxy `lies`", "as it was dropped"),
        (mangled("drop"), "key mangler `lies`", "as it was dropped"),
        (
            "[templates]\nplugin = \"lies\"\narguments = { lie = \"panics\", in = \"drop\" }\n"
                .to_owned(),
            "template cache `lies`",
            "as it was dropped",
        ),
    ];
    let (site, host) = Site::open("");
    let served = Served::begin(&host);
    for (manifest, title, part) in &cases {
        site.save(manifest);
        host.reload().unwrap();
        kept.take();
        site.save("");
        host.reload().unwrap();
        let mut records = Vec::new();
        let is_told = |record: &String| {
            let parts = [
                *title,
                *part,
                "of plugin `lies` (",
                "plugin.so)",
                "code=plugin-panicked",
            ];
            parts.iter().all(|part| record.contains(part))
        };
        until(&format!("{title} {part}"), || {
            records.extend(kept.take());
            records.iter().any(is_told)
        });
        served.goes_on();
    }
    // A mutex that panics as it is dropped has its backend retired: nobody knows in which state that is.
    let until_there = site.path("until");
    let arguments = format!("lie = \"panics\", in = \"drop of a mutex\", until = {until_there:?}");
    site.save(&region("one", &arguments));
    host.reload().unwrap();
    let one = host.region("one").unwrap();
    one.get_or_create("a", || 1).unwrap();
    until("it is retired", || state(&host, "one") == "retired");
    fs::write(&until_there, "").unwrap();
    until("it is reopened", || state(&host, "one") == "open");
    served.end();
}

/// The bad files of one manifest, each with its code.
fn bad_files(folder: &Path) -> Vec<(String, &'static str)> {
    let good = rust("good");
    let mut files: Vec<(String, &'static str, Vec<u8>)> = Vec::new();
    let mut add = |name: &str, code, bytes| files.push((name.to_owned(), code, bytes));
    add("empty", "file-empty", Vec::new());
    add("text", "elf-not-one", b"#!/bin/sh\n".to_vec());
    add("cut", "elf-truncated", good[..good.len() / 2].to_vec());
    add("no_header", "plugin-none", c("no_header"));
    add("wrong_epoch", "plugin-wrong-epoch", c("wrong_epoch"));
    add(
        "changed_layout",
        "plugin-wrong-layout",
        rust("changed_layout"),
    );
    add("two_headers", "plugin-several", rust("two_headers"));
    add(
        "aborts",
        "plugin-panic-abort",
        rust_compiled("aborts", "-Cpanic=abort"),
    );
    let patched = |at: usize, byte| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    add("bits", "elf-wrong-class", patched(4, 1));
    add("machine", "elf-wrong-machine", patched(18, 243));
    for (lie, kind, _) in LIES {
        add(lie, kind.code(), lies(lie));
    }
    let mut codes: Vec<(String, &'static str)> = files
        .into_iter()
        .map(|(name, code, bytes)| {
            fs::write(folder.join(format!("{name}.so")), bytes).unwrap();
            (name, code)
        })
        .collect();
    fs::create_dir(folder.join("directory.so")).unwrap();
    codes.push(("directory".to_owned(), "file-not-regular"));
    let fifo = folder.join("fifo.so");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).unwrap();
    codes.push(("fifo".to_owned(), "file-not-regular"));
    codes.push(("missing".to_owned(), "file-not-found"));
    codes
}

#[test]
fn all_bad_plugins_of_a_manifest_are_told_at_once_and_the_next_good_one_is_applied() {
    let (site, host) = Site::open("");
    let served = Served::begin(&host);
    let bad = bad_files(site.folder.path());
    assert!(bad.len() > 20, "{}", bad.len());
    let mut manifest = String::new();
    for (name, _) in &bad {
        write!(manifest, "[plugins.{name}]\nfile = \"{name}.so\"\n").unwrap();
    }
    // What no plugin offers may be a consequence, and a backend that does not open is none.
    manifest += "[regions.waits]\nbackend = \"counter\"\n";
    manifest += &region("panics", "lie = \"panics\", in = \"open\"");
    site.save(&manifest);
    let before = host.status();
    let text = host.reload().unwrap_err().to_string();
    assert!(
        text.ends_with(&format!("{} errors", bad.len() + 1)),
        "{text}"
    );
    for (name, code) in &bad {
        let told = text
            .split("\n\n")
            .find(|one| one.contains(&format!("/{name}.so: ")));
        let told = told.unwrap_or_else(|| panic!("nothing of {name}: {text}"));
        assert!(told.contains(&format!("error[{code}]: ")), "{told}");
        assert!(told.contains("= help: "), "{told}");
    }
    assert!(
        text.contains("error[plugin-panicked]: `lies` of plugin `lies` ("),
        "{text}"
    );
    let after = host.status();
    assert_eq!(after.generation, before.generation);
    assert_eq!(after.manifest_hash, before.manifest_hash);
    assert_eq!(after.last_error, Some(text));
    served.goes_on();

    site.save(&region("good", ""));
    assert_eq!(host.reload().unwrap().generation, before.generation + 1);
    host.region("good").unwrap().set("a", 1).unwrap();
    served.end();
}
