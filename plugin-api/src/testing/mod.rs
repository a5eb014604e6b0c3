//! What tests of plugins need: a host to open them with.

mod host;

pub use self::host::{TestHost, host};
