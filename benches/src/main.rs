//! What dogpile's calls cost beside those of other caches, in the same process: see `README.md`.
#![deny(unsafe_code)]

mod callgrind;
mod dbm;
mod eviction;
mod exec;
mod heap;
mod hits;
mod memcached;
mod peers;
mod plugins;
mod python;
mod redis;
mod report;
mod rounds;
mod server;
mod stale;
mod stampede;
mod templates;
mod told;
mod turns;
mod workload;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask bench [OPTION...]

  --hits                 the hit path on 1, 2 and 8 threads; the default
  --instructions         instructions for a hit, by valgrind's callgrind
    --check [FILE]       fail if ours are more than FILE says, default benches/instructions.toml
    --record [FILE]      write ours to FILE
  --heap                 heap for an entry, with a million of them
  --eviction             what bounding and eviction cost, and the ratio of hits
  --stampede             many callers of one missing key, threads and tasks
  --stale                callers at a steady pace while a value expires and is created again
  --dbm                  reads and writes of a file that processes share
  --redis                calls to a Redis server, and how fast waiters are woken
  --templates            a page of 200 rows, rendered and from the cache
  --memcached            calls to one memcached server, and to three
  --exec                 `dogpile exec` beside bkt: calls at once, and hits
  --all                  all of these
  --rounds N             how many rounds where time is measured, default 31
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--heap-of", peer] => return heap::child(peer),
        ["--dbm-of", name, ref arguments @ ..] => return dbm::child(name, arguments),
        ["--redis-of", ref arguments @ ..] => return redis::child(arguments),
        ["--hits-of", peer, calls] => return callgrind::child(peer, calls),
        ["--page-hits-of", engine, calls] => return templates::child(engine, calls),
        _ => {}
    }
    match run(&arguments) {
        Ok(code) => code,
        Err(wrong) => {
            eprint!("bench: {wrong}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// What can be measured, in the order in which it is.
#[derive(Clone, Copy, PartialEq)]
enum Measured {
    Hits,
    Eviction,
    Heap,
    Stampede,
    Stale,
    Dbm,
    Redis,
    Templates,
    Memcached,
    Exec,
    Instructions,
}

const ALL: [Measured; 11] = [
    Measured::Hits,
    Measured::Eviction,
    Measured::Heap,
    Measured::Stampede,
    Measured::Stale,
    Measured::Dbm,
    Measured::Redis,
    Measured::Templates,
    Measured::Memcached,
    Measured::Exec,
    Measured::Instructions,
];

fn run(arguments: &[String]) -> Result<ExitCode, String> {
    let mut wanted = Vec::new();
    let mut ratchet = callgrind::Ratchet::Off;
    let mut rounds = 31;
    let mut rest = arguments.iter().map(String::as_str).peekable();
    while let Some(argument) = rest.next() {
        let mut file = || {
            let given = rest.next_if(|next| !next.starts_with("--"));
            given.unwrap_or(callgrind::FILE).to_owned()
        };
        match argument {
            "--hits" => wanted.push(Measured::Hits),
            "--instructions" => wanted.push(Measured::Instructions),
            "--check" => ratchet = callgrind::Ratchet::Check(file()),
            "--record" => ratchet = callgrind::Ratchet::Record(file()),
            "--heap" => wanted.push(Measured::Heap),
            "--eviction" => wanted.push(Measured::Eviction),
            "--stampede" => wanted.push(Measured::Stampede),
            "--stale" => wanted.push(Measured::Stale),
            "--dbm" => wanted.push(Measured::Dbm),
            "--redis" => wanted.push(Measured::Redis),
            "--templates" => wanted.push(Measured::Templates),
            "--memcached" => wanted.push(Measured::Memcached),
            "--exec" => wanted.push(Measured::Exec),
            "--all" => wanted.extend(ALL),
            "--rounds" => {
                let number = rest.next().and_then(|number| number.parse().ok());
                rounds = number
                    .filter(|number| *number > 0)
                    .ok_or("--rounds wants a number above 0")?;
            }
            "--help" | "-h" => {
                print!("{USAGE}");
                return Ok(ExitCode::SUCCESS);
            }
            other => return Err(format!("there is no option `{other}`")),
        }
    }
    if wanted.is_empty() {
        wanted.push(Measured::Hits);
    }
    let mut code = ExitCode::SUCCESS;
    for measured in ALL.into_iter().filter(|one| wanted.contains(one)) {
        match measured {
            Measured::Hits => hits::run(rounds),
            Measured::Eviction => eviction::run(rounds),
            Measured::Heap => heap::run(),
            Measured::Stampede => stampede::run(rounds),
            Measured::Stale => stale::run(),
            Measured::Dbm => dbm::run(rounds.min(9)),
            Measured::Redis => redis::run(rounds),
            Measured::Templates => templates::run(rounds),
            Measured::Memcached => memcached::run(rounds),
            Measured::Exec => exec::run(rounds),
            Measured::Instructions => code = callgrind::run(&ratchet),
        }
    }
    Ok(code)
}
