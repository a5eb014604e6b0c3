use std::num::NonZeroUsize;
use std::path::PathBuf;

use dogpile_net::seconds::Seconds;
use dogpile_net::secret::Secret;
use dogpile_plugin_api::schemars;
use dogpile_plugin_api::serde::{self, Deserialize};
use dogpile_plugin_api::{Error, JsonSchema, Result};

use crate::node::Node;

/// The arguments of all backends here; each refuses those that are for others.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an argument of its own"
)]
pub struct RedisArguments {
    /// The server: `redis://USER:PASSWORD@HOST:PORT/DB`, `rediss://…` for TLS, or `unix:///PATH?db=DB`; `valkey` and
    /// `valkeys` mean the same.
    pub url: Option<Secret>,
    /// The server's name or address. Default: `localhost`.
    pub host: Option<String>,
    /// The server's port. Default: 6379.
    pub port: Option<u16>,
    /// `redis_sentinel`: the sentinels, each as `"HOST:PORT"`, `["HOST", PORT]` or `{ host = "HOST", port = PORT }`.
    pub sentinels: Option<Vec<Node>>,
    /// `redis_sentinel`: what the sentinels call the master. Default: `mymaster`.
    pub service_name: Option<String>,
    /// `redis_sentinel`: the user at the sentinels, where they have others than their default one.
    pub sentinel_username: Option<String>,
    /// `redis_sentinel`: the sentinels' password. Default: none; that of the servers is not theirs.
    pub sentinel_password: Option<Secret>,
    /// `redis_sentinel`: whether to speak TLS with the sentinels, by the files that are named for the servers. Default:
    /// no.
    pub sentinel_ssl: Option<bool>,
    /// `redis_sentinel`: how long a sentinel may take to answer before the next is asked. Default: 0.5 s.
    pub sentinel_timeout: Option<Seconds>,
    /// `redis_sentinel`: whether replicas read, which may not have heard of the last stores yet. Default: yes.
    pub read_from_replicas: Option<bool>,
    /// `redis_cluster`: some nodes of the cluster, by which the others are found, each as a sentinel is written.
    pub startup_nodes: Option<Vec<Node>>,
    /// `redis_cluster`: where locks lie. Default: `"dogpile"`.
    pub cluster_lock: Option<ClusterLock>,
    /// The number of the database. Default: 0.
    pub db: Option<u32>,
    /// The user, where the server has others than its default one.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// Whether to speak TLS. Default: no, unless the URL says so.
    pub ssl: Option<bool>,
    /// A PEM file with the authorities that may have signed the server's certificate. Default: the system's.
    pub ssl_ca_certs: Option<PathBuf>,
    /// A PEM file with our own certificate, for a server that wants one.
    pub ssl_certfile: Option<PathBuf>,
    /// A PEM file with the key of `ssl_certfile`.
    pub ssl_keyfile: Option<PathBuf>,
    /// How long a call may take at most. Default: 3 s.
    #[serde(default = "default_socket_timeout")]
    pub socket_timeout: Seconds,
    /// How long it may take to connect, within `socket_timeout`. Default: 1 s.
    #[serde(default = "default_socket_connect_timeout")]
    pub socket_connect_timeout: Seconds,
    /// Whether the kernel asks now and then whether an idle connection still stands.
    #[serde(default)]
    pub socket_keepalive: bool,
    /// How long the server keeps what is stored, whatever it is; 0: for ever. Default: for as long as anybody may want
    /// it.
    pub redis_expiration_time: Option<Seconds>,
    /// Whether creations are locked for other processes. `false`: within the process alone.
    #[serde(default = "yes")]
    pub distributed_lock: bool,
    /// How often a waiter looks where the server cannot tell it. Default: 0.1 s.
    #[serde(default = "default_lock_sleep")]
    pub lock_sleep: Seconds,
    /// `true`: callers wait for the creation of another. There is nothing else; see `lock_wait`.
    pub lock_blocking: Option<bool>,
    /// What the name of a lock begins with, before the key's: 2 to 10 letters, digits, and `_-.:`.
    #[serde(default = "default_lock_prefix")]
    pub lock_prefix: String,
    /// How many connections there may be to a server, beside one on which it tells of locks. Default: 64.
    pub max_connections: Option<NonZeroUsize>,
    /// Whether all calls of a server share one connection, and are under way on it at once. `false`: each has a connection of
    /// its own while it lasts.
    #[serde(default)]
    pub multiplex: bool,
    /// Whether `clear` may remove everything in the database, whoever stored it. `false`: it is refused.
    #[serde(default)]
    pub clear_empties_db: bool,
}

/// Where the locks of a cluster lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "lowercase")]
#[schemars(crate = "schemars")]
pub enum ClusterLock {
    /// Under dogpile.cache's names, which are in other slots than the values: Python respects them.
    Dogpile,
    /// In the value's slot, by a hashtag: Python does not know them.
    Hashtag,
}

const fn default_socket_timeout() -> Seconds {
    Seconds::from_millis(3000)
}

const fn default_socket_connect_timeout() -> Seconds {
    Seconds::from_millis(1000)
}

const fn default_lock_sleep() -> Seconds {
    Seconds::from_millis(100)
}

const fn yes() -> bool {
    true
}

fn default_lock_prefix() -> String {
    String::from("_lock")
}

impl RedisArguments {
    pub(crate) fn sentinel_timeout(&self) -> Seconds {
        self.sentinel_timeout.unwrap_or(Seconds::from_millis(500))
    }

    pub(crate) fn max_connections(&self) -> usize {
        self.max_connections.map_or(64, NonZeroUsize::get)
    }

    /// Refuses what cannot be, with the argument that is wrong. The place of the servers is checked where it is read.
    pub(crate) fn check(&self) -> Result<()> {
        for (argument, time) in [
            ("socket_timeout", self.socket_timeout),
            ("socket_connect_timeout", self.socket_connect_timeout),
            ("lock_sleep", self.lock_sleep),
            ("sentinel_timeout", self.sentinel_timeout()),
        ] {
            if time.duration().is_zero() {
                return Err(Error::argument(argument, "0 is no time: write seconds"));
            }
        }
        if self.multiplex && self.max_connections.is_some() {
            return Err(Error::argument(
                "max_connections",
                "with `multiplex` there is one connection to a server: leave one of them out",
            ));
        }
        if self.lock_blocking == Some(false) {
            return Err(Error::argument(
                "lock_blocking",
                "callers wait for another's creation: leave it out, and limit the wait by the region's `lock_wait`",
            ));
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
        let prefix = &self.lock_prefix;
        if !(2..=10).contains(&prefix.len()) || !prefix.bytes().all(allowed) {
            return Err(Error::argument(
                "lock_prefix",
                format!("\"{prefix}\" is not of 2 to 10 letters, digits, and `_-.:`"),
            ));
        }
        if crate::names::TOMBSTONE.starts_with(&**prefix)
            || prefix.starts_with(crate::names::TOMBSTONE)
        {
            return Err(Error::argument(
                "lock_prefix",
                format!(
                    "names that begin with {} are those of deletions",
                    crate::names::TOMBSTONE
                ),
            ));
        }
        Ok(())
    }
}
