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
