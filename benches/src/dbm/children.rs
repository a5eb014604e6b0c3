use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::{KEYS, Took};

/// How many reads and writes each process makes.
const CALLS: u32 = 4_000;

/// Where a Python is that has dogpile.cache and dbm.gnu.
const PYTHON: &str = "DOGPILE_BENCH_PYTHON";

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dbm/peer.py");

/// The Python to use, or what is missing.
pub(super) fn python() -> Result<PathBuf, String> {
    let python = std::env::var_os(PYTHON).map_or_else(|| "python3".into(), PathBuf::from);
    let works = Command::new(&python)
        .args(["-c", "import dbm.gnu, dogpile.cache"])
        .stderr(Stdio::null())
        .status();
    if works.is_ok_and(|status| status.success()) {
        Ok(python)
    } else {
        Err(format!(
            "{} lacks dbm.gnu or dogpile.cache: set {PYTHON} to one that has both",
            python.display()
        ))
    }
}

pub(super) fn round(name: &str, processes: u32) -> Took {
    let program = std::env::current_exe().expect("this program has a file");
    all(processes, |file, seed| {
        let mut command = Command::new(&program);
        command.args(["--dbm-of", name]).args(numbers(file, seed));
        command
    })
}

pub(super) fn python_round(python: &Path, processes: u32) -> Took {
    all(processes, |file, seed| {
        let mut command = Command::new(python);
        command.arg(SCRIPT).args(numbers(file, seed));
        command
    })
}

fn numbers(file: &Path, seed: u32) -> [String; 4] {
    [
        file.display().to_string(),
        CALLS.to_string(),
        KEYS.to_string(),
        seed.to_string(),
    ]
}

/// Starts the processes on a new file, the first of which fills it, and lets them go at once.
fn all(processes: u32, command: impl Fn(&Path, u32) -> Command) -> Took {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cache");
    let mut children: Vec<(Child, BufReader<ChildStdout>)> = (0..processes)
        .map(|seed| {
            let mut child = command(&file, seed)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("a process");
            let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
            let mut line = String::new();
            lines.read_line(&mut line).expect("a line");
            assert_eq!(line.trim_end(), "ready");
            (child, lines)
        })
        .collect();
    for (child, _) in &mut children {
        let input = child.stdin.as_mut().expect("it is piped");
        writeln!(input, "go").expect("it waits");
    }
    let mut took = Took::default();
    // Each tells after its last call, so that nobody waits for another's telling.
    for (mut child, lines) in children {
        for line in lines.lines() {
            let line = line.expect("a line");
            let (kind, nanoseconds) = line.split_once(' ').expect("a kind and a time");
            let nanoseconds = nanoseconds.parse().expect("a number");
            match kind {
                "get" => took.get.push(nanoseconds),
                _ => took.set.push(nanoseconds),
            }
        }
        assert!(child.wait().expect("it was started").success());
    }
    took
}
