use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::support::{Folder, PAGES, looked_for, until, without_folder};

#[test]
fn without_a_host_it_says_how_to_start_one() {
    let folder = Folder::without_plugins(PAGES);
    let refused = format!(
        "error: no host of dogpile.toml is running; start one with `dogpile --manifest dogpile.toml serve`, or give your \
         program's host `.admin_socket(AdminSocket::Auto)`; {}\n",
        looked_for()
    );
    folder.dogpile(&["status"]).is(1, "", &refused);
    folder.dogpile(&["reload"]).is(1, "", &refused);
    let set = PAGES.replace("[host]\n", "[host]\nadmin_socket = \"run/a.sock\"\n");
    folder.write("dogpile.toml", &set);
    let run = folder.dogpile(&["status"]);
    let also = format!("; {}, run/a.sock\n", looked_for());
    assert!(run.stderr.ends_with(&also), "{run:?}");
}

#[test]
fn a_folder_in_which_a_host_is_not_looked_for_is_named_with_the_reason() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let _server = folder.serve();
    let socket = folder.path("run/dogpile");
    fs::set_permissions(&socket, Permissions::from_mode(0o755)).unwrap();
    let run = folder.dogpile(&["status"]);
    let told = format!(
        "; not where {} is open to other users: its mode must be 0700\n",
        socket.display()
    );
    // As `Folder` shows its own path.
    let told = told.replace(&folder.path("").display().to_string(), "");
    assert_eq!(run.status, Some(1));
    assert!(run.stderr.contains(&told), "{told} in {run:?}");
}

#[test]
fn plugins_regions_and_counters_are_shown() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let server = folder.serve();
    for _ in 0..3 {
        server.get("/");
    }
    let run = folder.dogpile(&["status"]);
    let (head, tables) = run.stdout.split_once("\n\n").unwrap();
    let lines: Vec<_> = head.lines().collect();
    assert_eq!(lines[1], "generation: 1, loaded at [TIME]");
    let (started, how) = lines[2].split_once(" in ").unwrap();
    assert_eq!(started, "last reload: applied at [TIME]");
    assert!(how.ends_with(" s (cause: start)"), "{run:?}");
    assert_eq!(lines[3..], ["reloads: 0 applied, 0 unchanged, 0 refused"]);
    assert_eq!(
        tables,
        "PLUGIN  VERSION  STATE   IMAGE  FILE\n\
         memory  0.1.0    loaded      1  plugins/libdogpile_plugin_memory.so\n\
         \n\
         REGION  BACKEND        STATE  HITS  MISSES  STALE  CREATIONS  WAITS  ERRORS  STORE ERRORS\n\
         pages   memory/memory  open      2       1      0          1      0       0             0\n"
    );
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
}

#[test]
fn the_json_has_the_fields_that_scripts_read() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let server = folder.serve();
    server.get("/");
    let run = folder.dogpile(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(status["generation"], 1);
    assert_eq!(status["manifest_hash"].as_str().unwrap().len(), 64);
    assert!(status["loaded_at"].as_str().unwrap().ends_with('Z'));
    assert!(status["last_error"].is_null());
    for field in ["name", "file", "version", "generation", "state"] {
        assert!(!status["plugins"][0][field].is_null(), "{field}");
    }
    for field in [
        "name",
        "backend",
        "plugin",
        "state",
        "hits",
        "misses",
        "stale",
        "creations",
        "waits",
        "errors",
        "store_errors",
    ] {
        assert!(!status["regions"][0][field].is_null(), "{field}");
    }
    assert_eq!(status["regions"][0]["misses"]["absent"], 1);
    let over_http = server.get("/-/status");
    let root = folder.path("");
    let root = root.to_string_lossy();
    let over_http = without_folder(&over_http.body, root.trim_end_matches('/').as_ref());
    let over_http: serde_json::Value = serde_json::from_str(&over_http).unwrap();
    assert_eq!(over_http, status);
}

#[test]
fn a_backend_is_shown_behind_its_proxies() {
    let manifest = PAGES
        .replace(
            "expiration_time",
            "proxies = [\"zstd\", \"log\"]\nexpiration_time",
        )
        .replace("[plugins.memory]", "[plugins.memory]\n[plugins.proxies]");
    let folder = Folder::new(&manifest);
    folder.add_plugin("proxies");
    folder.add_site();
    let server = folder.serve();
    for _ in 0..2 {
        server.get("/");
    }
    let run = folder.dogpile(&["status"]);
    let row = "pages   zstd > log > memory/memory  open      1       1 ";
    assert!(run.stdout.contains(row), "{run:?}");
    let json = folder.dogpile(&["status", "--json"]).stdout;
    let status: serde_json::Value = serde_json::from_str(&json).unwrap();
    let region = &status["regions"][0];
    assert_eq!(region["proxies"], serde_json::json!(["zstd", "log"]));
    assert_eq!(region["backend"], "memory");
}

#[test]
fn the_newest_reload_is_shown_with_what_it_changed() {
    let pages = PAGES.replace("[plugins.memory]", "[plugins.memory]\n[plugins.null]");
    let folder = Folder::new(&pages);
    folder.add_site();
    let mut server = folder.serve();
    for name in ["a", "b"] {
        server.get(&format!("/?name={name}"));
    }
    let changed = pages + "arguments.max_entries = 1\n[regions.more]\nbackend = \"null\"\n";
    folder.write("dogpile.toml", &changed);
    server.wait_for_log("trigger=file");
    let shown = folder.dogpile(&["status"]).stdout;
    let expected = [
        "last reload: ",
        "\n  added region `more`\n  reconfigured region `pages` (arguments.max_entries), keeps its instance, 1 entry is lost\n",
    ];
    for part in expected {
        assert!(shown.contains(part), "{shown}");
    }
    folder.write("dogpile.toml", "version = 2\n");
    server.wait_for_log("trigger=file");
    let json = folder.dogpile(&["status", "--json"]).stdout;
    let status: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(status["last_reload"]["outcome"], "refused");
    assert_eq!(status["last_reload"]["error"], status["last_error"]);
    assert_eq!(status["last_reload"]["generation"], 2);
    let counts = serde_json::json!({ "applied": 1, "unchanged": 0, "refused": 1 });
    assert_eq!(status["reloads"], counts);
    assert_eq!(status["last_reload"]["retries"], serde_json::Value::Null);
}

#[test]
fn a_refused_manifest_that_is_tried_again_is_shown_as_that() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let mut server = folder.serve();
    let absent = PAGES.replace("[plugins.memory]", "[plugins.memory]\n[plugins.absent]");
    folder.write("dogpile.toml", &absent);
    server.wait_for_log("it is tried again by itself");
    let line = || {
        let shown = folder.dogpile(&["status"]).stdout;
        let mut lines = shown.lines().map(str::to_owned);
        lines
            .find(|line| line.starts_with("last reload: "))
            .unwrap()
    };
    assert!(
        line().ends_with("(cause: file); it is tried again"),
        "{}",
        line()
    );
    until("it is tried again", || {
        line().ends_with("(cause: file); it was tried again once, at [TIME]")
    });
    folder.write("dogpile.toml", PAGES);
    until("it is right", || {
        line().contains("unchanged") && !line().contains("again")
    });
}

/// What is wrong with the manifest is to be asked of the host, which goes on with the one before.
#[test]
fn a_host_is_found_by_a_manifest_that_has_errors() {
    let set = PAGES.replace("[host]\n", "[host]\nadmin_socket = \"a.sock\"\n");
    let folder = Folder::new(&set);
    folder.add_site();
    let _server = folder.serve();
    // As another user, who does not look where the host has a link.
    let elsewhere = |folder: &Folder| {
        let mut status = folder.command(&["status"]);
        status.env("XDG_RUNTIME_DIR", folder.path("other"));
        folder.run(status)
    };
    for wrong in [
        set.replace("1h", "1 hour"),
        set.replace("version = 1", "version = = 1"),
        set.replace("1h", "${NOT_SET_HERE}"),
    ] {
        folder.write("dogpile.toml", &wrong);
        let run = elsewhere(&folder);
        assert_eq!((run.status, &*run.stderr), (Some(0), ""), "{wrong}");
        assert!(run.stdout.contains("\npages "), "{run:?}");
    }
    folder.write("dogpile.toml", &set.replace("a.sock", "${NOT_SET_HERE}"));
    let run = elsewhere(&folder);
    assert_eq!(run.status, Some(1));
    let told =
        "; not where the manifest may say, which cannot be read whole: see `dogpile check`\n";
    assert!(run.stderr.ends_with(told), "{run:?}");
}
