//! Invalidations between two processes, over files that both use.

#![forbid(unsafe_code)]

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use dogpile::{Host, Invalidation, Region, RegionConfig};
use dogpile_plugin_api::{
    Backend, Deserialize, Error, HostContext, JsonSchema, Key, Result, Value, schemars, serde,
};

/// Set for the second process.
const FOLDER: &str = "DOGPILE_TEST_FOLDER";

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "serde")]
#[schemars(crate = "schemars")]
struct Arguments {
    folder: PathBuf,
}

/// A file for each key.
struct Files(PathBuf);

impl Files {
    fn path(&self, key: &Key) -> PathBuf {
        self.0.join(key.replace('/', "%"))
    }
}

fn failed(error: &std::io::Error) -> Error {
    Error::unavailable(error.to_string())
}

impl Backend for Files {
    type Arguments = Arguments;

    fn open(arguments: Arguments, _: &HostContext) -> Result<Self> {
        Ok(Self(arguments.folder))
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        match fs::read(self.path(key)) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        static WRITES: AtomicU64 = AtomicU64::new(0);
        let number = WRITES.fetch_add(1, Ordering::Relaxed);
        let aside = self.0.join(format!("{}.{number}", std::process::id()));
        let bytes = value.as_bytes().expect("the region stores bytes");
        let written = fs::write(&aside, bytes).and_then(|()| fs::rename(&aside, self.path(key)));
        written.map_err(|error| failed(&error))
    }

    fn delete(&self, key: &Key) -> Result<()> {
        match fs::remove_file(self.path(key)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&error)),
            _ => Ok(()),
        }
    }
}

fn users(folder: &Path) -> Region {
    let config = RegionConfig::on("users", "files")
        .argument("folder", folder.to_str().unwrap())
        .expiration_time(Duration::from_mins(1))
        .invalidation_interval(Duration::from_millis(5));
    let builder = Host::builder().backend::<Files>("files");
    let host = builder.region(config).build().unwrap();
    host.region("users").unwrap()
}

fn is_fresh(region: &Region, key: &str) -> bool {
    region.get::<i32>(key).unwrap().is_some()
}

fn until_outdated(region: &Region, key: &str) {
    while is_fresh(region, key) {
        thread::yield_now();
    }
}

/// The second process: does what it is told on a line of its input, and says so when it is done.
#[test]
fn the_second_process() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let users = users(Path::new(&folder));
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        match line.split_once(' ').unwrap() {
            ("fresh", key) => assert!(is_fresh(&users, key)),
            ("outdated", key) => until_outdated(&users, key),
            ("invalidate", tag) => users.invalidate_tags([tag], Invalidation::Hard).unwrap(),
            (other, _) => panic!("{other}"),
        }
        // Past the harness, which may keep what is printed.
        writeln!(std::io::stderr(), "done {line}").unwrap();
    }
}

struct Second(Child, BufReader<std::process::ChildStderr>);

impl Second {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["the_second_process", "--exact", "--nocapture"])
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stderr.take().unwrap());
        Self(child, answers)
    }

    fn told(&mut self, line: &str) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{line}").unwrap();
        let mut answer = String::new();
        self.1.read_line(&mut answer).unwrap();
        assert_eq!(answer, format!("done {line}\n"));
    }

    fn end(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

#[test]
fn each_of_two_processes_sees_the_others_invalidations() {
    let folder = tempfile::tempdir().unwrap();
    let users = users(folder.path());
    users.set("plain", 1).unwrap();
    users.entry("tagged").tags(["red"]).set(1).unwrap();
    let mut second = Second::start(folder.path());
    second.told("fresh plain");
    second.told("fresh tagged");
    second.told("invalidate red");
    until_outdated(&users, "tagged");
    assert!(is_fresh(&users, "plain"));
    users.invalidate(Invalidation::Hard).unwrap();
    second.told("outdated plain");
    users.set("plain", 2).unwrap();
    second.told("fresh plain");
    second.end();
}
