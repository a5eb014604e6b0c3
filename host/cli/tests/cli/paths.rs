//! Paths of any bytes: not UTF-8, or with an end of a line.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use crate::support::{Folder, PAGES, Server};

/// A folder with a manifest and plugins, whose name is not UTF-8.
struct Odd {
    folder: Folder,
    path: PathBuf,
}

const NAME: &[u8] = b"caf\xe9";

/// As it is shown.
const SHOWN: &str = "caf\u{fffd}";

impl Odd {
    fn new() -> Self {
        Self::named(NAME)
    }

    fn named(name: &[u8]) -> Self {
        let folder = Folder::new(PAGES);
        let path = folder.path("").join(OsStr::from_bytes(name));
        fs::create_dir(&path).unwrap();
        for what in ["dogpile.toml", "plugins"] {
            fs::rename(folder.path(what), path.join(what)).unwrap();
        }
        Self { folder, path }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.folder.command(arguments);
        command.current_dir(&self.path);
        command
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        ended(&mut self.command(arguments))
    }

    #[track_caller]
    fn json(&self, status: i32, arguments: &[&str]) -> Json {
        let (ended, stdout, stderr) = self.run(arguments);
        assert_eq!(
            (ended, &*stderr),
            (Some(status), ""),
            "{arguments:?}: {stdout}"
        );
        serde_json::from_str(&stdout).unwrap()
    }
}

/// Status, standard output and standard error.
fn ended(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[track_caller]
fn is_in_it(path: &Json, rest: &str) {
    let path = path.as_str().unwrap();
    assert!(path.ends_with(&format!("/{SHOWN}/{rest}")), "{path}");
}

const MEMORY: &str = "plugins/libdogpile_plugin_memory.so";

#[test]
fn a_host_whose_manifest_is_at_one_that_is_not_utf_8_tells_its_status() {
    let odd = Odd::new();
    let _server = Server::start(odd.command(&["serve", "--listen", "127.0.0.1:0"]));
    let status = odd.json(0, &["status", "--json"]);
    is_in_it(&status["manifest"], "dogpile.toml");
    is_in_it(&status["plugins"][0]["file"], MEMORY);
    let (status, stdout, stderr) = odd.run(&["status"]);
    assert_eq!((status, &*stderr), (Some(0), ""));
    assert!(stdout.contains(&format!("/{SHOWN}/{MEMORY}\n")), "{stdout}");
}

#[test]
fn json_shows_what_is_not_utf_8_of_it() {
    let odd = Odd::new();
    let plugins = odd.json(0, &["plugins", "--json"]);
    is_in_it(&plugins[0]["file"], MEMORY);
    let pinned = odd.json(0, &["plugins", "--pin", "--json"]);
    is_in_it(&pinned[0]["manifest"], "dogpile.toml");
    let text = fs::read_to_string(odd.path.join("dogpile.toml")).unwrap();
    assert!(text.contains("\nsha256 = \""), "{text}");
    let wrong = text.replace("backend =", "backnd =");
    fs::write(odd.path.join("dogpile.toml"), wrong).unwrap();
    let checked = odd.json(1, &["check", "--json"]);
    is_in_it(&checked["errors"][0]["file"], "dogpile.toml");
}

#[test]
fn a_plugin_at_one_is_looked_at() {
    let odd = Odd::new();
    let file = odd.path.join(MEMORY);
    let case = ["--case", "what_was_stored_is_found"];
    let conformance = |more: &[&str]| {
        let mut command = odd.folder.command(&["conformance"]);
        ended(command.arg(&file).args(case).args(more))
    };
    let (status, stdout, stderr) = conformance(&[]);
    assert_eq!((status, &*stderr), (Some(0), ""), "{stdout}");
    assert!(stdout.contains(&format!("/{SHOWN}/{MEMORY}: ")), "{stdout}");
    let (status, stdout, stderr) = conformance(&["--json"]);
    assert_eq!((status, &*stderr), (Some(0), ""), "{stdout}");
    let report: Json = serde_json::from_str(&stdout).unwrap();
    is_in_it(&report["file"], MEMORY);
}

#[test]
fn what_a_running_host_cannot_be_told_is_refused_with_a_way_that_works() {
    let odd = Odd::new();
    let _server = Server::start(odd.command(&["serve", "--listen", "127.0.0.1:0"]));
    fs::copy(odd.path.join("dogpile.toml"), odd.path.join("next.toml")).unwrap();
    let (status, stdout, stderr) = odd.run(&["reload", "--dry-run", "next.toml"]);
    assert_eq!((status, &*stdout), (Some(1), ""), "{stderr}");
    assert_eq!(
        stderr,
        "error: next.toml: its path is not UTF-8, so that the running host cannot be told of it; name it by a link to its \
         folder (`ln -s`), or a copy, whose path is\n"
    );
    let link = odd.folder.path("plain");
    symlink(&odd.path, &link).unwrap();
    let next = link.join("next.toml");
    let mut command = odd.command(&["reload", "--dry-run"]);
    let (status, stdout, stderr) = ended(command.arg(next));
    assert_eq!((status, &*stderr), (Some(0), ""));
    // By another path the plugin's file is another.
    let told = "would become generation 2\nwould keep 1 region as it is\nnothing was changed\n";
    assert_eq!(stdout, told);
}

#[test]
fn what_a_cargo_toml_cannot_name_is_refused() {
    let odd = Odd::new();
    let api = "[package]\nname = \"dogpile-plugin-api\"\n";
    fs::write(odd.path.join("Cargo.toml"), api).unwrap();
    let mut command = odd.folder.command(&["new-plugin", "mine", "--plugin-api"]);
    let (status, stdout, stderr) = ended(command.arg(&odd.path));
    assert_eq!((status, &*stdout), (Some(1), ""), "{stderr}");
    let told = format!("/{SHOWN} is not UTF-8, as paths in a Cargo.toml are; give a copy");
    assert!(stderr.contains(&told), "{stderr}");
    assert!(!Path::new(&odd.folder.path("dogpile-plugin-mine")).exists());
}
