//! The backends `redis` and `valkey`: a server that processes and machines share, with a creation lock for each key.
#![forbid(unsafe_code)]

mod arguments;
mod backend;
mod clear;
mod connection;
mod doubtful;
mod failure;
mod locks;
mod names;
mod pool;
mod script;
mod seconds;
mod secret;
mod server;
mod stream;
mod target;
mod tls;
mod watch;

use dogpile_plugin_api::export_plugin;

pub use self::arguments::RedisArguments;
pub use self::backend::Redis;
pub use self::seconds::Seconds;
pub use self::secret::Secret;

export_plugin! { backends: { "redis" => Redis, "valkey" => Redis } }
