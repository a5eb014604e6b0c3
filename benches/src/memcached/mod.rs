//! `--memcached`: calls to one memcached server and to three beside the crate's own client and pylibmc.

mod contenders;

use std::path::Path;

use self::contenders::{Raw, dogpile};
use crate::plugins;
use crate::server::{self, Contender, InThreads, Server, What, python};

/// So many callers at once.
const CALLERS: [usize; 2] = [1, 8];

/// How fast we are to be, beside the crate's client.
fn target(what: What, peer: &str) -> Option<f64> {
    (what == What::Get && peer == "MetaClient").then_some(0.95)
}

pub(crate) fn run(rounds: usize) {
    let options = ["-l", "127.0.0.1", "-U", "0", "-u", "root", "-t", "2", "-p"];
    let servers = (0..3).map(|_| Server::start("memcached", &options));
    let servers = match servers.collect::<Result<Vec<_>, _>>() {
        Ok(servers) => servers,
        Err(missing) => return println!("--memcached is left out: {missing}\n"),
    };
    let python = crate::python::with(["dogpile.cache", "pylibmc"]);
    if let Err(missing) = &python {
        println!("pylibmc is left out: {missing}\n");
    }
    let python = python.ok();
    println!(
        "## Calls to memcached servers\n\ndogpile with {}; {}\n",
        plugins::how(),
        server::told(rounds)
    );
    for (servers, kinds) in [
        (&servers[..1], [What::Get, What::Set]),
        (&servers, [What::GetMulti, What::SetMulti]),
    ] {
        let addresses: Vec<String> = servers.iter().map(Server::address).collect();
        println!("Servers: {}\n", servers.len());
        let contenders = contenders(&addresses, python.as_deref());
        server::race(&contenders, &kinds, &CALLERS, rounds, target);
    }
}

fn contenders(servers: &[String], python: Option<&Path>) -> Vec<Box<dyn Contender>> {
    let mut contenders = vec![
        InThreads::boxed(dogpile("memcached", servers)),
        InThreads::boxed(dogpile("memcached_ketama", servers)),
        InThreads::boxed(dogpile("memcached_binary", servers)),
        InThreads::boxed(Raw::new(servers)),
    ];
    if let Some(python) = python {
        let arguments = format!(r#"{{ "url": {servers:?}, "memcached_expire_time": 7200 }}"#);
        let start = || python::process(python, "dogpile.cache.pylibmc", &arguments);
        let most = CALLERS.into_iter().max().unwrap_or(1);
        contenders.extend(python::contenders(start, most));
    }
    contenders
}
