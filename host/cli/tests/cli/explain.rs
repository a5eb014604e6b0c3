use std::fs::OpenOptions;
use std::net::TcpListener;
use std::process::Stdio;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use sha2::{Digest, Sha256};

use crate::support::{Folder, PAGES};

#[test]
fn a_running_host_tells_of_what_is_in_its_memory() {
    let folder = Folder::new(&format!("{PAGES}key_prefix = \"app:\"\n"));
    folder.add_site();
    let _server = folder.serve();
    folder.dogpile(&["explain", "pages", "k"]).is(
        3,
        "key: \"k\"\nstored key: \"app:k\"\nbackend: memory/memory, open\nstorage: this process alone has it\nvalue: \
         none\nlock: free\na caller creates a value, and others wait for it: nothing is stored under the key\n",
        "",
    );
    folder
        .dogpile(&["set", "pages", "k", "[1, 2]"])
        .is(0, "", "");
    let run = folder.dogpile(&["explain", "pages", "k"]);
    let lines: Vec<_> = run.stdout.lines().collect();
    // The command knows no types: what it stores are bytes, envelope and all.
    assert!(
        lines[4].starts_with("value: ") && lines[4].ends_with(" bytes by `json`"),
        "{run:?}"
    );
    assert_eq!(lines[5], "  cached_time: [TIME]");
    assert!(lines[6].starts_with("  age: "), "{run:?}");
    assert_eq!(
        lines[7..],
        [
            "  expires_at: [TIME]",
            "  stale_until: [TIME]",
            "  keep_until: [TIME]",
            "lock: free",
            "a caller gets this value at once: it is fresh",
        ]
    );
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_storage_that_processes_share_is_opened_here_and_shown_without_secrets() {
    let folder = Folder::on_dbm("key_mangler = \"sha1\"\n");
    folder.dogpile(&["set", "users", "a", "1"]).is(0, "", "");
    let run = folder.dogpile(&["explain", "users", "a"]);
    let head = "key: \"a\"\nstored key: \"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8\"\nbackend: dbm/dbm, open\n  filename: \
                \"users.dbm\"\n  max_bytes: \"***\"\nstorage: other processes see it\nvalue: ";
    assert!(run.stdout.starts_with(head), "{run:?}");
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_region_in_memory_is_refused_where_no_host_runs() {
    let folder = Folder::new(PAGES);
    let refused = folder.dogpile(&["explain", "pages", "k"]);
    assert_eq!((refused.status, refused.stdout.as_str()), (Some(1), ""));
    let start = "error: region `pages` lives in the process that uses it, and no host of dogpile.toml is running; ";
    assert!(refused.stderr.starts_with(start), "{refused:?}");
}

/// Nobody listens at its port.
#[test]
fn what_could_not_be_read_is_not_told_as_nothing() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    let folder = Folder::without_plugins(&format!(
        "version = 1\n[plugins.redis]\n[regions.users]\nbackend = \"redis\"\nexpiration_time = \"5m\"\n\
         invalidation = \"local\"\narguments = {{ host = \"127.0.0.1\", port = {port} }}\n"
    ));
    folder.add_plugin("redis");
    let run = folder.dogpile(&["explain", "users", "k"]);
    assert_eq!((run.status, &*run.stderr), (Some(1), ""), "{run:?}");
    let value = run.stdout.lines().find(|line| line.starts_with("value: "));
    let why = value.and_then(|line| line.strip_prefix("value: could not be read: "));
    let why = why.unwrap_or_else(|| panic!("{run:?}"));
    assert!(why.contains("Connection refused"), "{why}");
    assert!(!run.stdout.contains("detail: "), "{run:?}");
    let run = folder.dogpile(&["explain", "users", "k", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        (&told["value"], run.status),
        (&serde_json::Value::Null, Some(1))
    );
    assert_eq!(told["value_error"], why);
    // As `get`, which says why too.
    let run = folder.dogpile(&["get", "users", "k"]);
    assert_eq!((run.status, &*run.stdout), (Some(1), ""));
    assert!(run.stderr.contains("Connection refused"), "{run:?}");
}

/// What one region wrote, another cannot read.
#[test]
fn get_and_explain_tell_the_same_of_a_value_that_is_damaged() {
    let region = |name: &str, more: &str| {
        format!(
            "[regions.{name}]\nbackend = \"dbm\"\nexpiration_time = \"5m\"\nshares_keys = true\n{more}\
             arguments.filename = \"users.dbm\"\n"
        )
    };
    let (packed, plain) = (
        region("packed", "proxies = [\"zstd\"]\n"),
        region("plain", ""),
    );
    let manifest = format!("version = 1\n[plugins.dbm]\n[plugins.proxies]\n{packed}{plain}");
    let folder = Folder::without_plugins(&manifest);
    folder.add_plugin("dbm");
    folder.add_plugin("proxies");
    let value = format!("\"{}\"", "x".repeat(5000));
    folder
        .dogpile(&["set", "packed", "k", &value])
        .is(0, "", "");
    folder.dogpile(&["get", "packed", "k"]).is(0, &value, "");

    let run = folder.dogpile(&["explain", "plain", "k"]);
    assert_eq!((run.status, &*run.stderr), (Some(0), ""), "{run:?}");
    let why = "it does not begin as an envelope";
    assert!(
        run.stdout.contains(&format!("\ndetail: {why}\n")),
        "{run:?}"
    );
    let told = format!("error: what is stored for `k` in region `plain` cannot be read: {why}\n");
    folder.dogpile(&["get", "plain", "k"]).is(1, "", &told);

    let none = "no value for `other` in region `plain`\n";
    folder.dogpile(&["get", "plain", "other"]).is(3, "", none);
    let run = folder.dogpile(&["explain", "plain", "other"]);
    assert_eq!(run.status, Some(3), "{run:?}");
    assert!(run.stdout.contains("\nvalue: none\n"), "{run:?}");
}

/// Where `exec` keeps what was run under that name.
fn key_of_exec(name: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(b"k");
    digest.update((name.len() as u64).to_le_bytes());
    digest.update(name);
    let digest = digest.finalize();
    let hex = digest.iter().map(|byte| format!("{byte:02x}"));
    format!("exec:{}", hex.collect::<String>())
}

/// The creator is a command that ends when the test lets it.
#[test]
fn the_host_that_creates_is_told_from_another_process() {
    let folder = Folder::on_dbm("");
    let gate = folder.path("gate");
    mknodat(CWD, &gate, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let exec = ["exec", "users", "--key", "k", "--", "cat", "gate"];
    let mut creator = folder.command(&exec);
    let creator = creator.env("XDG_CACHE_HOME", folder.path("cache"));
    let mut creator = creator.stdout(Stdio::null()).spawn().unwrap();
    // Opened once `cat` has: then the key is locked.
    let writer = OpenOptions::new().write(true).open(&gate).unwrap();
    let key = key_of_exec("k");
    let run = folder.dogpile(&["explain", "users", &key]);
    drop(writer);
    assert!(creator.wait().unwrap().success());
    let end = "lock: held by another process\na caller waits for a value: nothing is stored under the key; another process \
               is creating a new one\n";
    assert!(run.stdout.ends_with(end), "{run:?}");
    assert_eq!(run.status, Some(3));
    let run = folder.dogpile(&["explain", "users", &key]);
    assert!(run.stdout.contains("\nlock: free\n"), "{run:?}");
    assert_eq!(run.status, Some(0));
}
