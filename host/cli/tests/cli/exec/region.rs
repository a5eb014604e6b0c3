use std::path::Path;

use crate::support::{Folder, tick};

const MANIFEST: &str = r#"version = 1

[host]
plugin_dir = "plugins"

[plugins.memory]
[plugins.dbm]

[regions.reports]
backend = "dbm"
expiration_time = "1h"

[regions.reports.arguments]
filename = "reports.dbm"

[regions.pages]
backend = "memory"
expiration_time = "1h"
"#;

fn folder() -> Folder {
    let folder = Folder::new(MANIFEST);
    folder.add_plugin("dbm");
    folder
}

fn count(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap().lines().count()
}

#[test]
fn a_region_of_the_manifest_keeps_the_output() {
    let folder = folder();
    let script = "echo run >> runs; printf 'a\\377'";
    for _ in 0..2 {
        let mut command = folder.command(&["exec", "reports", "--", "sh", "-c", script]);
        let output = command
            .env("XDG_CACHE_HOME", folder.path("cache"))
            .output()
            .unwrap();
        assert_eq!(
            (output.status.code(), &output.stdout[..], &output.stderr[..]),
            (Some(0), &b"a\xff"[..], &b""[..])
        );
    }
    assert_eq!(count(&folder.path("runs")), 1);
    assert!(folder.path("reports.dbm").exists());
    assert!(!folder.path("cache").exists());
}

#[test]
fn the_command_line_wins_over_the_region() {
    let folder = folder();
    for (options, runs) in [("1h", 1), ("1h", 1), ("0", 2)] {
        let arguments = [
            "exec",
            "reports",
            "--max-stale",
            "0",
            "--key",
            "k",
            "--expiration-time",
            options,
            "--",
            "sh",
            "-c",
            "echo run >> runs",
        ];
        folder.dogpile(&arguments).is(0, "", "");
        tick();
        assert_eq!(count(&folder.path("runs")), runs);
    }
}

#[test]
fn a_region_in_memory_or_none_is_refused() {
    let folder = folder();
    folder.dogpile(&["exec", "pages", "--", "echo", "out"]).is(
        125,
        "",
        "dogpile: region `pages` lives in one process: name one that processes share, or none\n",
    );
    folder.dogpile(&["exec", "report", "--", "echo", "out"]).is(
        125,
        "",
        "dogpile: no region `report`; the manifest has `pages`, `reports`: did you mean `reports`?\n",
    );
}

#[test]
fn a_region_is_missed_though_another_of_the_manifest_cannot_be_opened() {
    let folder = folder();
    folder.write(
        "dogpile.toml",
        &MANIFEST.replace("reports.dbm", "no-folder/reports.dbm"),
    );
    folder.dogpile(&["exec", "rr", "--", "echo", "out"]).is(
        125,
        "",
        "dogpile: no region `rr`; the manifest has `pages`, `reports`\n",
    );
}

#[test]
fn a_manifest_that_is_wrong_costs_a_warning() {
    let folder = Folder::without_plugins("version = 2\n");
    let run = folder.dogpile(&["exec", "reports", "--", "echo", "out"]);
    assert_eq!((run.status, run.stdout.as_str()), (Some(0), "out\n"));
    assert!(
        run.stderr
            .starts_with("dogpile: the cache is not used: dogpile.toml:"),
        "{}",
        run.stderr
    );
}

#[test]
fn the_demo_has_a_region_for_commands() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/dogpile.toml");
    let folder = Folder::new(&std::fs::read_to_string(demo).unwrap());
    for plugin in ["dbm", "template_cache"] {
        folder.add_plugin(plugin);
    }
    for _ in 0..2 {
        let script = "echo run >> runs; echo out";
        let mut command = folder.command(&["exec", "commands", "--", "sh", "-c", script]);
        let output = command
            .env("TMPDIR", folder.path(""))
            .env("USER", "somebody")
            .output()
            .unwrap();
        assert_eq!(
            (output.status.code(), &output.stdout[..], &output.stderr[..]),
            (Some(0), &b"out\n"[..], &b""[..])
        );
    }
    assert_eq!(count(&folder.path("runs")), 1);
    assert!(folder.path("dogpile-demo-somebody.dbm").exists());
}
