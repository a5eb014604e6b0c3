//! Heap for an entry.

mod malloc;

use std::process::{Command, ExitCode};
use std::sync::Arc;

use crate::peers::{Peer, with_peer};
use crate::report::Table;
use crate::workload::keys;

const ENTRIES: usize = 1_000_000;
/// Room for all of them however unevenly they spread over shards.
const CAPACITY: usize = ENTRIES + ENTRIES / 4;
const VALUE_LENGTH: usize = 130;
const PEERS: [&str; 7] = [
    "dogpile",
    "quick_cache+ttl",
    "quick_cache",
    "moka",
    "quick_cache+ttl in an Arc",
    "quick_cache in an Arc",
    "moka in an Arc",
];
/// Peers hand out what they hold by cloning it: without an `Arc`, by copying the bytes.
const IN_AN_ARC: &str = " in an Arc";

/// What a child process tells.
struct Told {
    entries: f64,
    heap: f64,
    resident: f64,
}

pub(crate) fn run() {
    println!(
        "Heap for an entry: {ENTRIES} entries with keys of 30 bytes and a Vec<u8> of {VALUE_LENGTH} bytes without \
         spare room, each cache in a process of its own with room for {CAPACITY}, on glibc's allocator. `heap` is \
         what mallinfo2 counts as in use, `resident` the growth of the process; both by the entries that are there. \
         The payload itself is 160 bytes. Peers clone what they hand out: without an \
         Arc a hit copies the bytes; dogpile's hits never do.\n"
    );
    let mut table = Table::new(&[
        "cache",
        "entries",
        "heap",
        "resident",
        "ours beside",
        "target",
    ]);
    let mut ours = None;
    for peer in PEERS {
        let told = tell(peer).unwrap_or_else(|why| panic!("the child for {peer} failed: {why}"));
        let own = *ours.get_or_insert(told.heap);
        let target = match peer.strip_suffix(IN_AN_ARC).unwrap_or(peer) {
            "quick_cache" | "quick_cache+ttl" => "1.00",
            "moka" => "0.60",
            _ => "",
        };
        table.row([
            peer.to_owned(),
            format!("{:.0}", told.entries),
            format!("{:.1}", told.heap),
            format!("{:.1}", told.resident),
            format!("{:.2}", own / told.heap),
            target.to_owned(),
        ]);
    }
    table.print();
}

fn tell(peer: &str) -> Result<Told, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let run = Command::new(own)
        .args(["--heap-of", peer])
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&run.stdout);
    let numbers: Vec<f64> = text
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect();
    match numbers[..] {
        [entries, heap, resident] => Ok(Told {
            entries,
            heap: heap / entries,
            resident: resident / entries,
        }),
        _ => Err(format!(
            "it said {text:?}\n{}",
            String::from_utf8_lossy(&run.stderr)
        )),
    }
}

/// What runs in a process of its own.
pub(crate) fn child(peer: &str) -> ExitCode {
    if let Some(peer) = peer.strip_suffix(IN_AN_ARC) {
        with_peer!(peer, Arc<Vec<u8>>, fill(|| Arc::new(value())));
    } else {
        with_peer!(peer, Vec<u8>, fill(value));
    }
    ExitCode::SUCCESS
}

fn value() -> Vec<u8> {
    vec![7; VALUE_LENGTH]
}

fn fill<P: Peer<V>, V>(value: impl Fn() -> V) {
    let keys = keys(ENTRIES);
    let (heap, resident) = (malloc::in_use(), resident());
    let peer = P::new(CAPACITY);
    for key in &keys {
        peer.set(key, value());
    }
    let entries = peer.entries();
    println!(
        "{entries} {} {}",
        malloc::in_use() - heap,
        self::resident() - resident
    );
}

/// Bytes of this process in memory.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let resident = pages
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok());
    resident.expect("the second number") * rustix::param::page_size()
}
