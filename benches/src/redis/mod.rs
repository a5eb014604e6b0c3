//! `--redis`: calls to a Redis server beside raw connections, dogpile.cache and `cached`, and how fast waiters are woken.

mod contenders;
mod waking;

use std::path::Path;

use self::contenders::{Cached, Raw, RawMultiplexed, dogpile};
use crate::plugins;
use crate::server::{self, InThreads, Server, What, python};
use crate::told::Told;

pub(crate) use self::waking::child;

/// So many callers at once.
const CALLERS: [usize; 3] = [1, 8, 32];

/// How fast we are to be, beside raw connections and beside dogpile.cache.
fn target(what: What, peer: &str) -> Option<f64> {
    match (what, peer) {
        (What::Get, _) if peer == "redis, a connection each" => Some(0.95),
        (What::GetMulti, _) if peer == "redis, a connection each" => Some(0.9),
        (What::Get, _) if peer.starts_with("dogpile.cache") => Some(8.0),
        _ => None,
    }
}

/// A server of the benchmark's own.
pub(crate) fn start() -> Result<Server, String> {
    let options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    Server::start("redis-server", &[&options[..], &["--port"]].concat())
}

pub(crate) fn run(rounds: usize) {
    let server = match start() {
        Ok(server) => server,
        Err(missing) => return println!("--redis is left out: {missing}\n"),
    };
    let python = crate::python::with(["dogpile.cache", "redis"]);
    if let Err(missing) = &python {
        println!("dogpile.cache is left out: {missing}\n");
    }
    let python = python.ok();
    println!(
        "## Calls to a Redis server\n\ndogpile with {}; {}\n",
        plugins::how(),
        server::told(rounds)
    );
    throughput(&server, python.as_deref(), rounds);
    waking::run(server.port, python.as_deref(), rounds);
}

fn throughput(server: &Server, python: Option<&Path>, rounds: usize) {
    let most = CALLERS.into_iter().max().unwrap_or(1);
    let mut contenders = vec![
        InThreads::boxed(dogpile(server.port, false)),
        InThreads::boxed(dogpile(server.port, true)),
        InThreads::boxed(Raw::new(server, most)),
        InThreads::boxed(RawMultiplexed::new(server)),
        InThreads::boxed(Cached::new(
            server,
            u32::try_from(most).expect("it is small"),
        )),
    ];
    if let Some(python) = python {
        let start = || python_process(python, server.port);
        contenders.extend(python::contenders(start, most));
    }
    let kinds = [What::Get, What::GetMulti, What::Set, What::SetMulti];
    server::race(&contenders, &kinds, &CALLERS, rounds, target);
}

fn python_process(python: &Path, port: u16) -> Told {
    let arguments = format!(
        r#"{{ "host": "127.0.0.1", "port": {port}, "redis_expiration_time": 7200, "distributed_lock": true,
        "lock_timeout": 30, "thread_local_lock": false }}"#
    );
    python::process(python, "dogpile.cache.redis", &arguments)
}
