use std::num::NonZeroUsize;
use std::path::PathBuf;

use dogpile_net::seconds::Seconds;
use dogpile_net::secret::Secret;
use dogpile_plugin_api::schemars;
use dogpile_plugin_api::serde::{self, Deserialize};
use dogpile_plugin_api::{Error, JsonSchema, Result};

use crate::address::Addresses;

/// The arguments of all backends here; each refuses those that are for others.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct MemcachedArguments {
    /// The servers, one or a list: each `"HOST:PORT"`, `"HOST:PORT:WEIGHT"`, `"unix:/PATH"`, `["HOST:PORT", WEIGHT]` or
    /// `{ server = "HOST:PORT", weight = WEIGHT }`.
    pub url: Addresses,
    /// `memcached`: as whose client keys are placed, `"python-memcached"` or `"pymemcache"`. Default:
    /// `"python-memcached"`.
    pub distribution: Option<PythonClient>,
    /// `memcached_ketama`: how keys are placed, as pylibmc's behaviors say.
    pub behaviors: Option<Behaviors>,
    /// `memcached_ketama`: whether to speak the binary protocol. Default: no.
    pub binary: Option<bool>,
    /// Who logs in.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// Whether to speak TLS: `true`, or a table of the files for it. Default: no.
    pub tls: Option<Tls>,
    /// How long a call may take at most. Default: 3 s.
    #[serde(default = "default_socket_timeout")]
    pub socket_timeout: Seconds,
    /// How long it may take to connect, within `socket_timeout`. Default: 1 s.
    #[serde(default = "default_socket_connect_timeout")]
    pub socket_connect_timeout: Seconds,
    /// Whether the kernel asks now and then whether an idle connection still stands.
    #[serde(default)]
    pub socket_keepalive: bool,
    /// How long a server that failed is left alone. Default: 30 s, and 1 s of `memcached_ketama` and `memcached_binary`.
    pub dead_retry: Option<Seconds>,
    /// How often a call is made again whose connection the server closed, or could not be made.
    #[serde(default = "default_retry_attempts")]
    pub retry_attempts: u32,
    /// The pause before that. Default: none.
    #[serde(default)]
    pub retry_delay: Option<Seconds>,
    /// How long the servers keep what is stored, whatever it is; 0: for ever. Default: for as long as anybody may want it.
    pub memcached_expire_time: Option<Seconds>,
    /// From how many bytes on a value is compressed, if that makes it smaller; 0: never.
    #[serde(default)]
    pub min_compress_len: usize,
    /// Whether creations are locked for other processes. `false`: within the process alone.
    #[serde(default = "yes")]
    pub distributed_lock: bool,
    /// How many connections there may be to each server.
    #[serde(default = "default_max_connections")]
    pub max_connections: NonZeroUsize,
}

/// A client of Python's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "serde")]
#[schemars(crate = "schemars")]
pub enum PythonClient {
    /// Buckets repeated by weight, of the middle bits of a CRC.
    #[default]
    #[serde(rename = "python-memcached")]
    PythonMemcached,
    /// The server with the highest hash together with the key.
    #[serde(rename = "pymemcache")]
    Pymemcache,
}

/// Those of pylibmc's behaviors that place keys. `tcp_nodelay` and `verify_keys` are always on, and its times and what
/// becomes of dead servers are arguments of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    crate = "serde",
    deny_unknown_fields,
    expecting = "a table such as { ketama = true }"
)]
#[schemars(crate = "schemars")]
pub struct Behaviors {
    /// 100 points of each server on a ring, by `hash`.
    #[serde(default)]
    pub ketama: bool,
    /// 160 points on a ring by MD5, for each server in the measure of its weight; keys are hashed by MD5 too.
    #[serde(default)]
    pub ketama_weighted: bool,
    /// How keys are hashed. Default: as Jenkins did, one byte at a time.
    pub hash: Option<Hash>,
    /// Can only be `true`.
    pub tcp_nodelay: Option<bool>,
    /// Can only be `true`.
    pub verify_keys: Option<bool>,
}

/// A hash of libmemcached's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "snake_case")]
#[schemars(crate = "schemars")]
pub enum Hash {
    /// Jenkins's, one byte at a time.
    #[default]
    Default,
    /// The first 32 bits of MD5.
    Md5,
    /// The middle bits of a CRC.
    Crc,
    /// FNV-1, 32 bits.
    #[serde(rename = "fnv1_32")]
    Fnv1_32,
    /// FNV-1a, 32 bits.
    #[serde(rename = "fnv1a_32")]
    Fnv1a32,
    /// What libmemcached makes of FNV-1 of 64 bits.
    #[serde(rename = "fnv1_64")]
    Fnv1_64,
    /// What libmemcached makes of FNV-1a of 64 bits.
    #[serde(rename = "fnv1a_64")]
    Fnv1a64,
}

/// How TLS is spoken. Certificates are always checked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    crate = "serde",
    untagged,
    expecting = "write `true`, or a table such as { ca = \"ca.pem\", certificate = \"own.pem\", key = \"own.key\" }"
)]
#[schemars(crate = "schemars")]
pub enum Tls {
    /// By the system's authorities, or not at all.
    Is(bool),
    /// By these files.
    With(TlsFiles),
}

/// The files for TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct TlsFiles {
    /// A PEM file with the authorities that may have signed the servers' certificates. Default: the system's.
    pub ca: Option<PathBuf>,
    /// A PEM file with our own certificate, for servers that want one.
    pub certificate: Option<PathBuf>,
    /// A PEM file with the key of `certificate`.
    pub key: Option<PathBuf>,
}

const fn default_socket_timeout() -> Seconds {
    Seconds::from_millis(3000)
}

const fn default_socket_connect_timeout() -> Seconds {
    Seconds::from_millis(1000)
}

const fn default_retry_attempts() -> u32 {
    1
}

const fn yes() -> bool {
    true
}

const fn default_max_connections() -> NonZeroUsize {
    NonZeroUsize::new(64).expect("it is not 0")
}

impl MemcachedArguments {
    /// Refuses what cannot be, with the argument that is wrong.
    pub(crate) fn check(&self) -> Result<()> {
        for (argument, time) in [
            ("socket_timeout", Some(self.socket_timeout)),
            ("socket_connect_timeout", Some(self.socket_connect_timeout)),
            ("dead_retry", self.dead_retry),
        ] {
            if time.is_some_and(|time| time.duration().is_zero()) {
                return Err(Error::argument(argument, "0 is no time: write seconds"));
            }
        }
        if self.username.is_some() != self.password.is_some() {
            let (lacking, given) = match self.username {
                Some(_) => ("password", "username"),
                None => ("username", "password"),
            };
            return Err(Error::argument(
                lacking,
                format!("`{given}` is given without it"),
            ));
        }
        let behaviors = self.behaviors.clone().unwrap_or_default();
        for (behavior, is) in [
            ("tcp_nodelay", behaviors.tcp_nodelay),
            ("verify_keys", behaviors.verify_keys),
        ] {
            if is == Some(false) {
                return Err(Error::argument(
                    format!("behaviors.{behavior}"),
                    "it is always on: leave it out",
                ));
            }
        }
        Ok(())
    }
}
