//! The backends `redis` and `valkey`: a server that processes and machines share, with a creation lock for each key. Both
//! names mean the same: whatever speaks the protocol of Redis 6 or later is spoken to alike. `redis_sentinel` and
//! `valkey_sentinel` are the same on a master and its replicas, which sentinels watch; `redis_cluster` and `valkey_cluster`
//! in a cluster, over all its masters.
//!
//! ```toml
//! [plugins.redis]
//!
//! [regions.users]
//! backend = "redis"
//! expiration_time = "5m"
//!
//! [regions.users.arguments]
//! url = "redis://cache:6379/0"
//! password = "${file:/run/secrets/redis}"
//! ```
//!
//! | argument | default | meaning |
//! |---|---|---|
//! | `url` | none | `redis://USER:PASSWORD@HOST:PORT/DB`, `rediss://…` for TLS, or `unix:///PATH?db=DB`; `valkey` and `valkeys` mean the same |
//! | `host`, `port` | `localhost`, 6379 | where the server is, without a `url` |
//! | `db` | 0 | the number of the database |
//! | `username`, `password` | none | who logs in |
//! | `ssl` | `false`, or what the `url` says | whether to speak TLS; the server's certificate is always checked |
//! | `ssl_ca_certs` | the system's | a PEM file with the authorities that may have signed that certificate |
//! | `ssl_certfile`, `ssl_keyfile` | none | PEM files with our own certificate and its key, for a server that wants one |
//! | `socket_timeout` | 3 s | how long a call may take at most, with the wait for a connection and connecting |
//! | `socket_connect_timeout` | 1 s | how long connecting may take of that |
//! | `socket_keepalive` | `false` | whether the kernel looks now and then whether an idle connection still stands |
//! | `max_connections` | 64 | how many connections there may be, beside the one on which the server tells of locks |
//! | `multiplex` | `false` | whether all calls share one connection instead, and are under way on it at once: see below |
//! | `redis_expiration_time` | as long as anybody may want it | how long the server keeps what is stored; 0: for ever |
//! | `distributed_lock` | `true` | whether creations are locked for other processes; `false`: within the process alone |
//! | `lock_prefix` | `_lock` | what the name of a lock begins with, before the key's: 2 to 10 letters, digits, and `_-.:` |
//! | `lock_sleep` | 0.1 s | how often a waiter looks, about, where the server cannot tell it |
//! | `clear_empties_db` | `false` | whether `clear` may remove everything in the database, whoever stored it; `false`: it is refused |
//!
//! `redis_sentinel` and `valkey_sentinel` have no `url`, `host` and `port`, but these, which the others refuse:
//!
//! | argument | default | meaning |
//! |---|---|---|
//! | `sentinels` | none: it must be given | the sentinels, each as `"HOST:PORT"`, `["HOST", PORT]` or `{ host = "HOST", port = PORT }`; without a port it is 26379 |
//! | `service_name` | `mymaster` | what the sentinels call the master |
//! | `sentinel_username`, `sentinel_password` | none | who logs in at the sentinels, which never get the password of the servers |
//! | `sentinel_ssl` | `false` | whether to speak TLS with the sentinels, by the files that are named for the servers |
//! | `sentinel_timeout` | 0.5 s | how long a sentinel may take to answer before the next is asked, within `socket_timeout` |
//! | `read_from_replicas` | `true` | whether `get` and `get_multi` ask replicas, by turns, where there are some, as dogpile.cache does |
//!
//! `redis_cluster` and `valkey_cluster` have no `host` and `port`, no `db` but 0, and none of the sentinels', but these,
//! which the others refuse:
//!
//! | argument | default | meaning |
//! |---|---|---|
//! | `startup_nodes` | none: it must be given, or `url` | some nodes, each written as a sentinel is; without a port it is 6379. The others are found by them |
//! | `url` | none | one node, with who logs in |
//! | `cluster_lock` | `"dogpile"` | where locks are: `"dogpile"`, under dogpile.cache's names, for fleets with Python; `"hashtag"`, beside the value, for those without |
//!
//! All others are the servers', each of which has `max_connections` of its own. dogpile.cache's `sentinel_kwargs` are
//! the arguments that begin with `sentinel_`.
//!
//! Times are numbers of seconds, or texts such as `"250ms"`, `"1.5s"`, `"5m"`. dogpile.cache's `lock_timeout` and
//! `lock_blocking_timeout` are the region's own `lock_timeout` and `lock_wait`, and are read by those names too.
//! `lock_blocking` can only be `true`. `thread_local_lock`, `connection_pool`, `connection_kwargs` and
//! `socket_keepalive_options` are Python's alone: any thread may release a lock here, what the next two can say has
//! arguments of its own, and the times of keepalive are the system's.
//!
//! Programs in Python with dogpile.cache share values, locks and invalidations: `docs/python.md` in the repository tells
//! how a region moves from one language to the other.
//!
//! # One connection for all calls
//!
//! With `multiplex = true` a process has two connections to a server, whatever it does: one for all calls, those of locks
//! too, and the one on which the server tells of them. While many calls are under way at once, each of its packets holds
//! several, which costs both ends less; it has no thread of its own, and a caller who is alone has the connection to
//! himself. All that is promised below holds: a call's time is its own, and where it is over the call leaves its place
//! for the reply that may come late, ends no other that is under way, and calls from then on have a new connection. Where
//! the connection breaks, all calls that are under way on it fail. Where a call's time is over while its own commands are
//! written, those that were to be written behind them go on on a new connection, but for the one whose caller reads for all
//! just then: unless a reply comes, it fails when its time is over.
//!
//! Choose it for many threads, or for many processes on a server that is short of connections. Do not where values are
//! large, since a reply of megabytes holds up those behind it, nor for a few threads, for whom it gains nothing.
//! `benches/README.md` in the repository says what was measured.
//!
//! # What is promised
//!
//! - A value is stored as the bytes that it is, under the key itself: what dogpile.cache reads and writes. Unless
//!   `redis_expiration_time` is given, the server drops it when nobody may want it any more. A list or the like, which
//!   another program has under that key, is a miss, and is replaced by the next store.
//! - `get_multi` is one `MGET` on one server; several stores, and several deletions, are one exchange. Each of those is done or not for
//!   itself: where the connection breaks in the middle, some may be.
//! - Of all processes one creates a key at a time. The lock is redis-py's: the key `_lock` and the value's, with a token
//!   of 32 digits and an end, which only who has the token moves or removes. It is renewed while a creation goes on, and
//!   when its owner dies, the next begins when it has passed. What was created under a lost lock is not stored, in one
//!   step with that look.
//! - A deletion while the value is created keeps what is created from being stored, whichever process deletes: it leaves
//!   the note `_dogpile_del` and the key, which lasts as long as the lock and goes with it. Where nobody creates there is
//!   no note. So does `clear`, for all keys.
//! - Who waits for a lock is told by the server (client tracking, on one connection for each instance, made by the first
//!   wait) when anybody releases it, or it passes. Where the server cannot tell, or its ACL does not let it, waiters look
//!   for themselves.
//! - No call takes longer than `socket_timeout`, whatever the server or the network does, but for resolving the server's
//!   name, which takes as long as the system lets it. A connection that failed is not used again, so that a late reply is
//!   never taken for that of another call; an idle one is looked at before it is used. The server need not be there when
//!   the region opens.
//! - Behind sentinels, the master is who they name, and who says so itself. They are asked at the first call, when a call
//!   fails because the server is gone, stores nothing or loads, and once a second by one of the calls. So each process
//!   uses the next master a second after it was elected at the latest. One call asks at a time; the others go on, or wait
//!   for it where the master is gone. What the old master did not do is asked of the next one, once, and within the
//!   call's time. Who waits for a lock goes on waiting there. While no sentinel answers, the servers that were known are
//!   used. A replica that is down, or does not hear from the master, is not read.
//! - In a cluster, a key is asked for at the master that has its slot (CRC16, with hashtags). Which that is, any node says,
//!   by the name or address that the nodes announce (`CLUSTER SLOTS`): at the first call, when a call fails, and when a node
//!   says that a slot has moved. One call asks at a time, at most ten times a second; the others go on, or wait for it where
//!   their own master is gone. A node that has heard of less than is known already is believed only if no other answers.
//!   While a slot moves (`ASK`), its keys are read and stored on both sides. All nodes are spoken to with the same login, and
//!   with TLS or without. Masters alone read.
//! - Many keys are one exchange with each master, and all masters are asked at the same time, within the time of one call:
//!   `MGET` for the keys of a slot, and stores and deletions each for itself. What was not done because its slot has moved is
//!   asked for again by itself.
//! - Waiters are told of a lock by the master that has it: each master has a connection and a thread of its own for that, once
//!   somebody waits for a lock there. A server tells only of its own keys, and to poll costs each waiter 50 ms. When the lock
//!   moves to another master, its waiters go on there within a second.
//! - A master of a cluster that dies or hangs costs its callers an error each, within the call's time, until a replica is in
//!   its place; what that is, the next call finds.
//! - Passwords are shown nowhere.
//!
//! # What is not
//!
//! - Locks rely on one server that keeps what it said. One that is restarted without its data has forgotten them, and the
//!   creators of that moment store nothing; a replica that takes over may have missed some.
//! - A failover loses what the old master had not told the next one: values, deletions and locks. Two may create a key
//!   then; who has no lock at the next one stores nothing. Until a master is elected, stores and locks fail, while replicas
//!   go on reading. A master that is cut off from the sentinels, together with some of its clients, goes on storing for
//!   them, and that is lost: `min-replicas-to-write` limits it. One that was replaced and comes back is used by nobody,
//!   if the failover took longer than a second (`down-after-milliseconds`).
//! - A replica may not have heard of the last stores and deletions yet: even who deleted a value may read it once more.
//!   What a creation finds after it got the lock is read from the master. `read_from_replicas = false` reads all of it
//!   there.
//! - With TLS, a server's certificate must hold the name or address that the sentinels give, or the nodes announce.
//! - In a cluster, dogpile.cache's name of a lock is in another slot than the value, unless the key has a hashtag. So a store
//!   under a lock looks at the lock and at the note of a deletion, stores, and looks again, and takes back what it should not
//!   have stored; a deletion leaves its note first. What is stored in vain can be read for that moment, in which it may have
//!   replaced a newer value, which is created once more then; it stays if the storing process dies just there, or the second
//!   look fails and the value's master with it. With `cluster_lock = "hashtag"` there is no such moment, unless the key's slot
//!   is just on its way to another node, and stores and deletions are one exchange instead of three and two. The names are
//!   then `_lock{TAG}KEY` and `_dogpile_del{TAG}KEY`, which Python does not know: all programs that share the keys must say
//!   the same.
//! - A failover within a cluster loses what the old master had not told its replica, as with sentinels. While a slot has no
//!   master, and all of the cluster unless `cluster-require-full-coverage no`, calls fail. A ping wants one master to answer.
//! - In a cluster, `clear` may miss keys of slots that move meanwhile.
//! - `lock_timeout` is finite, 30 s unless the region says otherwise, where that of dogpile.cache is endless by default: a
//!   Python process that dies while it holds such a lock keeps all others, these too, from creating that key until
//!   somebody deletes the lock. Give Python a `lock_timeout`. Python does not renew: what takes it longer is created
//!   twice, and its release raises an error.
//! - Python does not know of the notes of deletions: what it creates while somebody deletes is stored.
//! - A server without memory (`OOM`) reads and deletes; stores and new locks are refused, so that each process creates for
//!   itself. Let a cache evict: `maxmemory-policy allkeys-lru`. A lock that is evicted is lost.
//! - A lock that was taken, or given up, by a call whose reply never came is given up by this process's next call for that
//!   key, or passes.
//! - A user whose ACL lets him run no scripts (`+evalsha`, `+script|load`) reads and sets, and takes no locks: creations and
//!   deletions are errors that say so.
//! - `clear` looks at all keys of the database, or of all masters, a thousand at a time, and is not one step: what is
//!   stored meanwhile without a lock may stay.
//!
//! # When its arguments are changed
//!
//! A live host opens an instance with the new ones beside the old one, sees that it answers, gives it to the region at
//! once, and closes the old one after its last call: no call fails or waits for that, and all that is stored stays where it
//! is. So no argument is changed in place, not even a time-out: that would gain nothing but the connections, which are made
//! anew as they are needed. While the old instance has calls, a server may have twice `max_connections`. What is being
//! created just then goes to its callers and is not stored; its lock keeps others from creating it until that ends.
//!
//! After `fork`, a child makes connections of its own.

#![forbid(unsafe_code)]

mod arguments;
mod backend;
mod calls;
mod clear;
mod cluster;
mod connection;
mod failure;
mod guard;
mod inquiry;
mod kinds;
mod known;
mod locks;
mod many;
mod multiplexed;
mod multiplexer;
mod names;
mod node;
mod redirect;
mod replies;
mod script;
mod sentinel;
mod sentinels;
mod server;
mod servers;
mod shared_call;
mod slot_map;
mod slots;
mod target;
mod topology;
mod waiters;
mod watch;
mod wire;

use dogpile_plugin_api::export_plugin;

pub use dogpile_net::seconds::Seconds;
pub use dogpile_net::secret::Secret;

pub use self::arguments::{ClusterLock, RedisArguments};
pub use self::backend::{Backed, Redis, RedisCluster, RedisSentinel};
pub use self::kinds::{BySentinels, InCluster, OneServer};
pub use self::node::Node;

export_plugin! {
    backends: {
        "redis" => Redis,
        "redis_cluster" => RedisCluster,
        "redis_sentinel" => RedisSentinel,
        "valkey" => Redis,
        "valkey_cluster" => RedisCluster,
        "valkey_sentinel" => RedisSentinel,
    }
}
