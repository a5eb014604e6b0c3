//! The backends `memcached`, `memcached_ketama` and `memcached_binary`: memcached servers that processes and machines
//! share, with a creation lock for each key. Each is in the place of a client of Python's: it puts every key on the same
//! server, reads what that wrote, and writes what that reads.
//!
//! | backend | in the place of | protocol | servers |
//! |---|---|---|---|
//! | `memcached` | python-memcached; pymemcache with `distribution = "pymemcache"` | text | each key is on one server; while that is down, on another |
//! | `memcached_ketama` | pylibmc | text, or binary with `binary = true` | each key is on one server, as `behaviors` say |
//! | `memcached_binary` | python-binary-memcached (bmemcached) | binary | each key is on all servers; the first that has it is read |
//!
//! ```toml
//! [plugins.memcached]
//!
//! [regions.users]
//! backend = "memcached_ketama"
//! expiration_time = "5m"
//! key_mangler = ["sha1"]
//!
//! [regions.users.arguments]
//! url = ["one:11211", "two:11211", "three:11211"]
//! behaviors = { ketama = true }
//! ```
//!
//! | argument | default | meaning |
//! |---|---|---|
//! | `url` | none: it must be given | the servers, one or a list: each `"HOST:PORT"`, `"HOST:PORT:WEIGHT"`, `"unix:/PATH"`, `["HOST:PORT", WEIGHT]` or `{ server = "HOST:PORT", weight = WEIGHT }`; without a port it is 11211. Their order matters, and how their names are written |
//! | `username`, `password` | none | who logs in: by SASL (PLAIN) in the binary protocol, else as memcached's `-Y` wants it |
//! | `tls` | `false` | whether to speak TLS: `true`, or `{ ca = FILE, certificate = FILE, key = FILE }`, PEM files of the authorities that may have signed the servers' certificates (default: the system's), and of our own certificate and its key for servers that want one. Certificates are always checked |
//! | `socket_timeout` | 3 s | how long a call may take at most, with the wait for a connection and connecting |
//! | `socket_connect_timeout` | 1 s | how long connecting to a server may take of that |
//! | `socket_keepalive` | `false` | whether the kernel looks now and then whether an idle connection still stands |
//! | `max_connections` | 64 | how many connections there may be to each server |
//! | `dead_retry` | 30 s of `memcached`, 1 s of the others | how long a server that failed is left alone |
//! | `retry_attempts` | 1 | how often a call is made again whose connection the server closed, or could not be made |
//! | `retry_delay` | 0 | the pause before that |
//! | `memcached_expire_time` | as long as anybody may want it | how long the servers keep what is stored; 0: for ever |
//! | `min_compress_len` | 0 | from how many bytes on a value is compressed (zlib), if that makes it smaller; 0: never |
//! | `distributed_lock` | `true` | whether creations are locked for other processes; `false`: within the process alone |
//!
//! `memcached` also has `distribution`: `"python-memcached"` (the default) or `"pymemcache"`, as which of these keys are
//! placed. `memcached_ketama` also has:
//!
//! | argument | default | meaning |
//! |---|---|---|
//! | `binary` | `false` | whether to speak the binary protocol |
//! | `behaviors` | none | how keys are placed, by pylibmc's names: `ketama`, `ketama_weighted`, `hash` (`default`, `md5`, `crc`, `fnv1_32`, `fnv1a_32`, `fnv1_64`, `fnv1a_64`). Without any: `hash` modulo the number of servers, whatever their weights |
//!
//! Times are numbers of seconds, or texts such as `"250ms"`, `"1.5s"`, `"5m"`. dogpile.cache's `lock_timeout` and
//! `lock_blocking_timeout` are the region's own `lock_timeout` and `lock_wait`, and are read by those names too.
//! pymemcache's `hashclient_dead_timeout` is `dead_retry`. Its `hashclient_retry_attempts`, `hashclient_retry_timeout`,
//! `serde`, `default_noreply`, `retry_for`, `do_not_retry_for` and `enable_retry_client` are Python's alone, and so is
//! `tls_context`, in whose place is `tls`. pylibmc's other behaviors are arguments of their own or have nothing to say
//! here: no server is thrown out for good, replicas are not written, and hosts are never sorted.

#![forbid(unsafe_code)]

mod address;
mod arguments;
mod backend;
mod binary;
mod command;
mod connection;
mod deletions;
mod exchange;
mod failure;
mod found;
mod guarded;
mod hashes;
mod health;
mod key_mutex;
mod keys;
mod kinds;
mod locks;
mod missed;
mod pace;
mod placement;
mod server;
mod servers;
mod target;
mod text;
mod token;
mod ttl;
mod values;

use dogpile_plugin_api::export_plugin;

pub use dogpile_net::seconds::Seconds;
pub use dogpile_net::secret::Secret;

pub use self::address::{Address, Addresses};
pub use self::arguments::{Behaviors, Hash, MemcachedArguments, PythonClient, Tls, TlsFiles};
pub use self::backend::{Backed, Memcached, MemcachedBinary, MemcachedKetama};
pub use self::kinds::{Bmemcached, Pylibmc, PythonMemcached};

export_plugin! {
    backends: {
        "memcached" => Memcached,
        "memcached_ketama" => MemcachedKetama,
        "memcached_binary" => MemcachedBinary,
    }
}
