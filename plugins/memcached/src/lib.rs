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
//! | `url` | none: it must be given | the servers, one or a list: each `"HOST:PORT"`, `"HOST:PORT:WEIGHT"`, `"[IPV6]:PORT"`, `"unix:/PATH"`, `["HOST:PORT", WEIGHT]` or `{ server = "HOST:PORT", weight = WEIGHT }`; without a port it is 11211. Their order matters, and how their names are written |
//! | `username`, `password` | none | who logs in: by SASL (PLAIN) in the binary protocol, else as memcached's `-Y` wants it; a server that wants no login is an error |
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
//!
//! Programs in Python with dogpile.cache share values, locks and invalidations: `docs/python-memcached.md` in the repository
//! tells what both sides write for each client. pymemcache by itself inflates nothing, so give no `min_compress_len` before
//! all of its programs have a `CompressedSerde`.
//!
//! # What is promised
//!
//! - A value is stored as the bytes that it is, under the key itself, with the flag that Python's client gives to bytes: 16
//!   in `memcached_binary`, 0 in the others. What has other flags is read too, and inflated where they say so; what they
//!   say is pickled is known to the region as a pickle, which it leaves alone, also if its protocol is 0. Unless
//!   `memcached_expire_time` is given, a server drops it when nobody may want it any more; times of more than 30 days are
//!   converted as memcached wants them.
//! - A key of more than 250 bytes, or with spaces or control characters, is refused by every method, and never sent. The
//!   error names the mangler to use: one that nobody asked for would part programs that share a cache. The name of a key's
//!   lock is 5 bytes longer, so with `distributed_lock` a key has 245 at most.
//! - Each key is where Python's client puts it, for as long as all servers are up. `memcached` does as that client does
//!   while one is down, and asks another. `memcached_ketama` gives an error for the keys of a server that is down, as
//!   pylibmc does; of many keys that are read at once, these are missing. `memcached_binary` reads the first server that is
//!   up and has the key, and stores on all that are up. The host goes on with the servers that are up, however often others
//!   fail.
//! - `get_multi` and the like send each server everything at once, and all servers before any answer is read.
//! - Of all processes one creates a key at a time. The lock is dogpile.cache's: `add` of the key `_lock` and the value's,
//!   here with a token and an end, and only who has the token moves or removes it. It is renewed while a creation goes on,
//!   and when its owner dies, the next begins when it has passed.
//! - What was created under a lost lock is not stored, and what another process deletes meanwhile neither: the deletion
//!   adds a mark to the lock, which lasts as long as the lock. Both are looked at before the value is stored, by
//!   compare-and-set or `add`, and once more afterwards: what should not have been stored is removed again. For as long as
//!   these two steps take, about what a server takes to answer twice, others may see it.
//! - Who waits for a lock looks for itself: after 5 ms at first, and then more and more rarely, up to four times a second,
//!   in uneven steps; and soon again when the value has changed, in the text protocol.
//! - No call takes longer than `socket_timeout`, whatever the servers or the network do, but for resolving a server's name,
//!   which takes as long as the system lets it. Where another server can be asked instead, the first has a part of that
//!   time. A connection that failed is not used again, and each reply repeats the number of its command, so that a late
//!   one is never taken for that of another. The servers need not be there when the region opens.
//! - A server that fails is left alone for `dead_retry`, so that not every call waits for it; after that one call tries it.
//!   What this process changed or deleted meanwhile is deleted there before anything else is asked of it: up to 100,000
//!   keys, in several calls if one has no time for all.
//! - `ping` is answered if any server answers. Passwords are shown nowhere.
//!
//! # What is not
//!
//! - memcached counts in whole seconds, which begin at its own times. A lease of three seconds or more may pass up to a
//!   second early; that does no harm, since it is renewed each third of its length. A shorter one lasts up to three
//!   seconds, so that it never passes too early. The region's default is 30 s.
//! - Locks rely on servers that keep what they said. One that is restarted or evicts a lock has forgotten it, and who holds
//!   it stores nothing. While a server is down, those of its keys that moved may be locked twice.
//! - What other processes changed while this one did not reach a server, it may read there, if that was not restarted. A key
//!   that moved and moved back may be read again as it was, the next time that server is down. Values expire all the
//!   same, by the time that is stored with them.
//! - A store or deletion that timed out may still be done, whenever the server comes to it.
//! - dogpile.cache's own locks are anybody's: a Python process that waited too long may release this one's lock, which
//!   then stores nothing. Give Python a `lock_timeout`: it is endless by default, and a process that dies while it holds
//!   such a lock keeps all others, these too, from creating that key. Python does not renew it, and does not know of marks:
//!   what it creates while somebody deletes is stored.
//! - dogpile.cache's `add` on several servers of `memcached_binary` takes a lock if any server lets it. Two Python processes
//!   may both have it; one of these is kept out by either.
//! - `clear` is refused: memcached can only forget everything, with all locks. Invalidate the region.
//! - A value that a server holds no longer, since another did not fit, is a miss. One that is too large, or that a server
//!   without memory refuses, is an error, and what was there before may be gone. One of more than 1 GiB is not sent, and
//!   more than 256 MiB are neither compressed nor inflated.
//! - Servers that were started with `-C` hold values and no locks: they cannot tell whose a lock is when it is given up.
//! - The crate `memcache` has a client for the text protocol, which this uses the codec of, and not the rest: its
//!   connections know neither TLS nor Unix sockets, dial and ask within times of their own rather than within one, look a
//!   server's name up once, and give up all that follows a value that is refused among many.
//!
//! # When its arguments are changed
//!
//! A live host opens an instance with the new ones beside the old one, sees that a server answers, gives it to the region at
//! once, and closes the old one after its last call: no call fails or waits for that, and what is stored stays where it is,
//! unless the new arguments place keys elsewhere. So no argument is changed in place, not even a time-out. While the old
//! instance has calls, a server may have twice `max_connections`. What is being created just then goes to its callers and is
//! not stored; its lock keeps others from creating it until that ends. The old instance alone knows which keys it could not
//! delete on a server that is down: these may be read there again, so change no arguments while one is.
//!
//! After `fork`, a child makes connections of its own, and has none of its parent's locks.

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
