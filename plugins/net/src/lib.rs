//! What the plugins that speak with servers share: times and secrets in arguments, connections and pools of them, with TLS
//! or without, and what is to be known across forks and lost replies.

#![forbid(unsafe_code)]

pub mod clock;
mod dial;
pub mod doubtful;
pub mod endpoint;
pub mod halves;
pub mod per_process;
pub mod pool;
pub mod seconds;
pub mod secret;
pub mod socket;
pub mod stream;
pub mod tls;
