use std::path::Path;
use std::process::Command;

use super::{KEYS, Took};
use crate::told::Told;

/// How many reads and writes each process makes.
const CALLS: u32 = 4_000;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dbm/peer.py");

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
    let mut children: Vec<Told> = (0..processes)
        .map(|seed| Told::start(&mut command(&file, seed)))
        .collect();
    for child in &mut children {
        child.tell("go");
    }
    let mut took = Took::default();
    // Each tells after its last call, so that nobody waits for another's telling.
    for line in children.into_iter().flat_map(Told::rest) {
        let (kind, nanoseconds) = line.split_once(' ').expect("a kind and a time");
        let nanoseconds = nanoseconds.parse().expect("a number");
        match kind {
            "get" => took.get.push(nanoseconds),
            _ => took.set.push(nanoseconds),
        }
    }
    took
}
