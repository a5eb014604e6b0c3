use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use crate::support::{Folder, PAGES};

#[test]
fn wrong_usage_has_status_2() {
    let folder = Folder::without_plugins(PAGES);
    for arguments in [
        &[][..],
        &["frobnicate"],
        &["get", "pages"],
        &["delete", "pages"],
        &["set", "pages", "key"],
        &["get", "pages", "key", "--json"],
        &["serve", "--listen", "nowhere"],
        &["--manifest", "dogpile.toml"],
    ] {
        let run = folder.dogpile(arguments);
        assert_eq!(run.status, Some(2), "{arguments:?}: {run:?}");
        assert!(run.stdout.is_empty(), "{run:?}");
        // It starts itself so; nobody else does.
        assert!(!run.stderr.contains("probe"), "{run:?}");
    }
}

#[test]
fn a_manifest_that_is_not_there_is_named() {
    let folder = Folder::without_plugins(PAGES);
    let run = folder.dogpile(&["--manifest", "other.toml", "check"]);
    assert_eq!(run.status, Some(1), "{run:?}");
    assert!(run.stderr.starts_with("other.toml: error: "), "{run:?}");
}

#[test]
fn the_variable_names_the_manifest_and_the_option_wins_over_it() {
    let folder = Folder::new(PAGES);
    fs::rename(folder.path("dogpile.toml"), folder.path("moved.toml")).unwrap();
    let with_variable = |name: &str, arguments: &[&str]| {
        let mut command = folder.command(arguments);
        let output = command.env("DOGPILE_MANIFEST", name).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let ok = (Some(0), "ok: 1 region, 1 plugin\n".to_owned());
    assert_eq!(with_variable("moved.toml", &["check"]), ok);
    let both = ["check", "--manifest", "moved.toml"];
    assert_eq!(with_variable("missing.toml", &both), ok);
}

#[test]
fn a_runtime_directory_that_others_can_enter_is_not_used() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    fs::create_dir(folder.path("run/dogpile")).unwrap();
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(folder.path("run/dogpile"), open).unwrap();
    let mut server = folder.serve();
    let found = fs::read_dir(folder.path("run/dogpile")).unwrap().count();
    assert_eq!(found, 0);
    // The host took the next folder, and so does the command.
    assert_eq!(folder.dogpile(&["status"]).status, Some(0));
    // Not killed, so that it leaves nothing there.
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn every_subcommand_says_the_same_of_a_standard_output_that_is_full() {
    let folder = Folder::new(PAGES);
    let full = |arguments: &[&str]| {
        let out = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = folder.command(arguments).stdout(out).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let told = "the standard output cannot be written to: No space left on device (os error 28)\n";
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["help", "check"],
        &["check", "-h"],
        &["check"],
        &["check", "--json"],
        &["plugins"],
        &["plugins", "--json"],
        &["plugins", "--pin"],
        &["schema"],
        &["man"],
        &["completions", "bash"],
        &["new-plugin", "full"],
        &["serve", "--listen", "127.0.0.1:0"],
    ] {
        let (status, stderr) = full(arguments);
        assert_eq!(status, Some(1), "{arguments:?}: {stderr}");
        assert!(
            stderr.ends_with(&format!("error: {told}")),
            "{arguments:?}: {stderr}"
        );
    }
    let of_exec = (Some(125), format!("dogpile: {told}"));
    for arguments in [&["exec", "--help"][..], &["exec", "--list"]] {
        assert_eq!(full(arguments), of_exec, "{arguments:?}");
    }
}

#[test]
fn who_has_read_enough_is_no_error() {
    let folder = Folder::new(PAGES);
    for arguments in [&["--help"][..], &["help", "exec"], &["plugins", "--json"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = folder.command(arguments).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(output.stderr, b"", "{arguments:?}");
    }
}

#[test]
fn what_a_terminal_would_obey_is_escaped_in_what_is_told() {
    let folder = Folder::on_dbm("");
    let wild = "a\u{1b}[2J\r\n\u{9b}";
    let option = format!("--{wild}");
    let named = format!("dogpile-plugin-{wild}");
    for command in [
        &["delete", wild, "k"][..],
        &["clear", wild],
        &["invalidate", wild],
        &["explain", wild, "k"],
        &["set", wild, "k", "1"],
        &["get", "users", wild],
        &["get", wild, "k"],
        &["check", "--site", wild],
        &["check", "--manifest", wild],
        &["status", "--manifest", wild],
        &["conformance", wild],
        &["new-plugin", "mine", "--plugin-api", wild],
        &["man", "--dir", &format!("/proc/{wild}")],
        &["exec", "--file", wild, "--", "true"],
        &["exec", "--", wild],
        // Wrong usage.
        &[wild],
        &[&option],
        &["get", &option],
        &["get", "users", "k", wild],
        &["new-plugin", &named],
        &["completions", wild],
        &["conformance", "a.so", "--limit", wild],
        &["exec", &option, "--", "true"],
    ] {
        let run = folder.dogpile(command);
        assert_ne!(run.status, Some(0), "{run:?}");
        let shown = r"a\u{1b}[2J\r\n\u{9b}";
        assert!(run.stderr.contains(shown), "{run:?}");
        // As much as it names of it, it names so.
        assert!(!run.stderr.contains("\n\u{9b}"), "{run:?}");
        let raw = |c: char| c.is_control() && c != '\n';
        assert!(!run.stderr.contains(raw), "{run:?}");
    }
}

/// What the command line itself shows is wrong usage; what only the manifest, a file or the host shows is not.
#[test]
fn names_that_are_not_there_have_status_1() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    for command in [
        &["get", "nobody", "k"][..],
        &["set", "nobody", "k", "1"],
        &["delete", "nobody", "k"],
        &["clear", "nobody"],
        &["invalidate", "nobody"],
        &["explain", "nobody", "k"],
        &["serve", "--site", "site", "--region", "nobody"],
        &["check", "--site", "site", "--region", "nobody"],
        &[
            "conformance",
            "plugins/libdogpile_plugin_memory.so",
            "--backend",
            "nobody",
        ],
    ] {
        let run = folder.dogpile(command);
        assert_eq!((run.status, &*run.stdout), (Some(1), ""), "{run:?}");
        assert!(run.stderr.contains("`nobody`"), "{run:?}");
    }
}

#[test]
fn files_of_a_manifest_are_named_by_their_absolute_path() {
    let folder =
        Folder::new(&PAGES.replace("[plugins.memory]", "[plugins.memory]\n[plugins.absent]"));
    let root = fs::canonicalize(folder.path("")).unwrap();
    let told = |arguments: &[&str]| {
        let output = folder.command(arguments).output().unwrap();
        [output.stdout, output.stderr].concat()
    };
    let (manifest, plugin) = (
        root.join("dogpile.toml"),
        root.join("plugins/libdogpile_plugin_absent.so"),
    );
    for arguments in [
        &["check"][..],
        &["check", "--json"],
        &["check", "--no-connect", "--manifest", "./dogpile.toml"],
        &["plugins"],
        &["serve"],
        &["get", "pages", "k"],
    ] {
        let told = String::from_utf8(told(arguments)).unwrap();
        assert!(
            told.contains(&plugin.display().to_string()),
            "{arguments:?}: {told}"
        );
        for (at, _) in told.match_indices("dogpile.toml") {
            let before = &told[..at + "dogpile.toml".len()];
            assert!(
                before.ends_with(&manifest.display().to_string()),
                "{arguments:?}: {told}"
            );
        }
    }
}
