//! What the plugins that speak with servers share: times, secrets, TLS, and what is to be known across forks and lost
//! replies.

#![forbid(unsafe_code)]

pub mod dial;
pub mod doubtful;
pub mod per_process;
pub mod pool;
pub mod seconds;
pub mod secret;
pub mod stream;
pub mod tls;
