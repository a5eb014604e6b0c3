//! Instructions for a hit, counted by valgrind.

use std::fmt::Write as _;
use std::hint::black_box;
use std::process::{Command, ExitCode};

use crate::peers::{Peer, with_peer};
use crate::plugins::how;
use crate::report::Table;
use crate::workload::{Blob, CAPACITY, KEYS, blob, keys, zipf};

/// Where our last figure is recorded.
pub(crate) const FILE: &str = "instructions.toml";

const CALLS: usize = 100_000;
const PEERS: [&str; 4] = ["dogpile", "moka", "quick_cache+ttl", "quick_cache"];
const TARGET: f64 = 300.0;
/// By how much a figure may be larger than the recorded one.
const TOLERANCE: f64 = 0.03;

/// What is done with our figure.
pub(crate) enum Ratchet {
    /// It is printed.
    Off,
    /// It is compared with the one in a file.
    Check(String),
    /// It is written to a file.
    Record(String),
}

pub(crate) fn run(ratchet: &Ratchet) -> ExitCode {
    match measure(ratchet) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench --instructions: {why}");
            ExitCode::FAILURE
        }
    }
}

fn measure(ratchet: &Ratchet) -> Result<(), String> {
    println!(
        "Instructions for a hit, dogpile with {}: one thread, {CALLS} hits counted by callgrind, less those of the \
         loop. Valgrind has no vDSO: a clock that is read there is a system call, of which few instructions are \
         counted.\n",
        how()
    );
    let nothing = instructions("nothing")?;
    let mut table = Table::new(&["cache", "instructions", "beside ours", "target"]);
    let mut ours = None;
    for peer in PEERS {
        let counted = instructions(peer)? - nothing;
        let own = *ours.get_or_insert(counted);
        table.row([
            peer.to_owned(),
            format!("{counted:.1}"),
            format!("{:.2}", counted / own),
            if peer == "dogpile" {
                format!("{TARGET:.0}")
            } else {
                String::new()
            },
        ]);
    }
    table.print();
    let ours = ours.ok_or("nothing was measured")?;
    match ratchet {
        Ratchet::Off => Ok(()),
        Ratchet::Check(file) => check(file, ours),
        Ratchet::Record(file) => record(file, ours),
    }
}

/// Instructions for a call, with the loop.
fn instructions(peer: &str) -> Result<f64, String> {
    let own = std::env::current_exe().map_err(|error| format!("this program's path: {error}"))?;
    let out = std::env::temp_dir().join(format!("dogpile-callgrind-{}", std::process::id()));
    let run = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--collect-atstart=no",
            "--toggle-collect=*counted_hits*",
        ])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(own)
        .args(["--hits-of", peer, &CALLS.to_string()])
        .output()
        .map_err(|error| format!("valgrind: {error}; install it with: apt-get install valgrind"))?;
    if !run.status.success() {
        return Err(format!(
            "valgrind failed on {peer}:\n{}",
            String::from_utf8_lossy(&run.stderr)
        ));
    }
    let profile =
        std::fs::read_to_string(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    if std::env::var_os("DOGPILE_KEEP_PROFILE").is_some() {
        eprintln!("{peer}: {}", keep(&out, peer)?);
    } else {
        std::fs::remove_file(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    }
    let total = profile
        .lines()
        .find_map(|line| line.strip_prefix("totals: "));
    let total: u32 = total
        .and_then(|total| total.trim().parse().ok())
        .filter(|total| *total > 0)
        .ok_or_else(|| format!("callgrind counted nothing of {peer}"))?;
    #[expect(clippy::cast_precision_loss, reason = "exact")]
    let calls = CALLS as f64;
    Ok(f64::from(total) / calls)
}

fn keep(out: &std::path::Path, peer: &str) -> Result<String, String> {
    let kept = format!("callgrind.out.{peer}");
    std::fs::copy(out, &kept).map_err(|error| format!("{kept}: {error}"))?;
    std::fs::remove_file(out).map_err(|error| format!("{}: {error}", out.display()))?;
    Ok(kept)
}

fn check(file: &str, ours: f64) -> Result<(), String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{file}: {error}; make it with --record"))?;
    let recorded = text
        .lines()
        .find_map(|line| line.strip_prefix("dogpile = "));
    let recorded: f64 = recorded
        .and_then(|figure| figure.trim().parse().ok())
        .ok_or_else(|| {
            format!("{file}: it has no line `dogpile = NUMBER`; make it with --record")
        })?;
    let limit = recorded * (1.0 + TOLERANCE);
    if ours > limit {
        return Err(format!(
            "a hit takes {ours:.1} instructions, more than {limit:.1} ({recorded:.1} in {file} and 3 %); find what \
             made it slower, or record the new figure with --record and say why"
        ));
    }
    if ours < recorded * (1.0 - TOLERANCE) {
        println!("A hit takes fewer instructions than {file} says: record it with --record.");
    }
    println!("A hit takes {ours:.1} instructions; {file} allows {limit:.1}.");
    Ok(())
}

fn record(file: &str, ours: f64) -> Result<(), String> {
    let mut text = String::from(
        "# Instructions for a hit, as `cargo xtask bench --instructions --record` found them: the ratchet of CI.\n",
    );
    writeln!(text, "dogpile = {ours:.1}").map_err(|error| error.to_string())?;
    std::fs::write(file, text).map_err(|error| format!("{file}: {error}"))
}

/// What runs under valgrind.
pub(crate) fn child(peer: &str, calls: &str) -> ExitCode {
    let calls = calls.parse().expect("a number of calls");
    with_peer!(peer, Blob, ask(calls, blob));
    ExitCode::SUCCESS
}

fn ask<P: Peer<V>, V>(calls: usize, value: fn() -> V) {
    let keys = keys(KEYS);
    let peer = P::new(CAPACITY);
    // Once to fill it, once more to have done what is done at the second call of a thread.
    for _ in 0..2 {
        for key in &keys {
            drop(black_box(peer.get_or_create(key, value)));
        }
    }
    counted_hits(&peer, &keys, &zipf(KEYS, 1.0, calls, 100), value);
}

/// Collection is switched on where this is entered, and off where it is left.
#[inline(never)]
fn counted_hits<P: Peer<V>, V>(peer: &P, keys: &[String], sequence: &[u32], value: fn() -> V) {
    for number in sequence {
        drop(black_box(
            peer.get_or_create(&keys[*number as usize], value),
        ));
    }
}
