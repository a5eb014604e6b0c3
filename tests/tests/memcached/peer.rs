//! Python programs that share a region, and that region in Rust, on three servers.

use std::path::Path;
use std::time::Duration;

use dogpile::Region;
use dogpile_tests::memcached_server::MemcachedServer;
use dogpile_tests::part::{Part, region_on};
use dogpile_tests::process::Process;
use dogpile_tests::python::python;
use dogpile_tests::python_process;
use serde_json::{Value as Json, json};

use crate::raw::Raw;
use crate::support::servers;

/// What is written on both sides to share servers.
pub(crate) struct Peers {
    /// dogpile.cache's backend and its arguments, without the servers.
    pub(crate) python: (&'static str, &'static str),
    /// Ours.
    pub(crate) rust: (&'static str, &'static str),
    /// Whose weights both sides are told, and how.
    weights: Weights,
}

enum Weights {
    None,
    /// As python-memcached is told: in tuples.
    Pairs([u32; 3]),
    /// As pylibmc is told: behind the ports.
    Texts([u32; 3]),
}

/// The lease of Rust's locks.
const LEASE: Duration = Duration::from_secs(30);

/// Arguments beside those of [`Peers`].
pub(crate) type More<'a> = &'a [(&'a str, Json)];

const fn peers(python: (&'static str, &'static str), rust: (&'static str, &'static str)) -> Peers {
    Peers {
        python,
        rust,
        weights: Weights::None,
    }
}

pub(crate) const PYTHON_MEMCACHED: Peers =
    peers(("dogpile.cache.memcached", "{}"), ("memcached", "{}"));

pub(crate) const PYTHON_MEMCACHED_WEIGHTED: Peers = Peers {
    weights: Weights::Pairs([1, 3, 2]),
    ..PYTHON_MEMCACHED
};

pub(crate) const PYMEMCACHE: Peers = peers(
    ("dogpile.cache.pymemcache", "{}"),
    ("memcached", r#"{ "distribution": "pymemcache" }"#),
);

pub(crate) const BMEMCACHED: Peers = peers(
    ("dogpile.cache.bmemcached", "{}"),
    ("memcached_binary", "{}"),
);

const fn pylibmc(arguments: &'static str) -> Peers {
    peers(
        ("dogpile.cache.pylibmc", arguments),
        ("memcached_ketama", arguments),
    )
}

const fn pylibmc_weighted(arguments: &'static str, weights: [u32; 3]) -> Peers {
    Peers {
        weights: Weights::Texts(weights),
        ..pylibmc(arguments)
    }
}

pub(crate) const PYLIBMC: Peers = pylibmc("{}");

pub(crate) const PYLIBMC_KETAMA: Peers = pylibmc(r#"{ "behaviors": { "ketama": true } }"#);

pub(crate) const PYLIBMC_BINARY: Peers =
    pylibmc(r#"{ "binary": true, "behaviors": { "ketama": true } }"#);

pub(crate) const PYLIBMC_WEIGHTED: Peers =
    pylibmc_weighted(r#"{ "behaviors": { "ketama_weighted": true } }"#, [1, 3, 2]);

/// What else pylibmc can be told of where keys are.
pub(crate) const PYLIBMC_OTHERS: [Peers; 7] = [
    pylibmc(r#"{ "behaviors": { "ketama_weighted": true } }"#),
    pylibmc(r#"{ "behaviors": { "hash": "md5" } }"#),
    pylibmc(r#"{ "behaviors": { "hash": "crc" } }"#),
    pylibmc(r#"{ "behaviors": { "ketama": true, "hash": "fnv1a_32" } }"#),
    pylibmc(r#"{ "binary": true, "behaviors": { "ketama_weighted": true } }"#),
    pylibmc_weighted(r#"{ "behaviors": { "ketama": true } }"#, [5, 1, 2]),
    pylibmc_weighted("{}", [1, 3, 2]),
];

/// Three servers with what shares them.
pub(crate) struct Shared {
    pub(crate) peers: Peers,
    pub(crate) servers: Vec<MemcachedServer>,
}

impl Shared {
    pub(crate) fn by(peers: Peers) -> Self {
        Self::on(3, peers)
    }

    /// On so many servers.
    pub(crate) fn on(count: usize, peers: Peers) -> Self {
        Self {
            peers,
            servers: servers(count, &[]),
        }
    }

    /// On three servers that want this login, with options beside.
    pub(crate) fn with_sasl(peers: Peers, login: [&str; 2], options: &[&str]) -> Self {
        let [username, password] = login;
        let start = || MemcachedServer::start_with_sasl(username, password, options);
        let servers = vec![start(), start(), start()];
        Self { peers, servers }
    }

    fn arguments(&self, arguments: &str, more: More<'_>) -> Json {
        let mut arguments: Json = serde_json::from_str(arguments).unwrap();
        let urls = self.servers.iter().map(MemcachedServer::url);
        arguments["url"] = match self.peers.weights {
            Weights::None => urls.collect(),
            Weights::Pairs(weights) => urls
                .zip(weights)
                .map(|(url, weight)| json!([url, weight]))
                .collect(),
            Weights::Texts(weights) => urls
                .zip(weights)
                .map(|(url, weight)| format!("{url}:{weight}"))
                .collect(),
        };
        for (argument, value) in more {
            arguments[argument] = value.clone();
        }
        arguments
    }

    /// A Python program with the region.
    pub(crate) fn python(&self, more: More<'_>) -> Process {
        let interpreter = python(Path::new(env!("CARGO_TARGET_TMPDIR")));
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/memcached/interop.py");
        let (backend, arguments) = self.peers.python;
        let arguments = self.arguments(arguments, more).to_string();
        python_process::start(&interpreter, program, &[backend, &arguments])
    }

    fn part(&self, more: More<'_>) -> Part {
        let (backend, arguments) = self.peers.rust;
        Part::of(backend, self.arguments(arguments, more), LEASE)
    }

    /// A Rust program with the region.
    pub(crate) fn process(&self, more: More<'_>) -> Process {
        let mut part = self.part(more);
        part.has_system_clock = true;
        part.start()
    }

    /// The region of a host of its own, which is to the others what another process is.
    pub(crate) fn rust(&self, more: More<'_>) -> Region {
        region_on(dogpile_plugin_memcached::plugin(), self.part(more).region())
    }

    pub(crate) fn raws(&self) -> Vec<Raw> {
        self.servers.iter().map(Raw::to).collect()
    }
}
