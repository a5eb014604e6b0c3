//! Processes that share servers, and the part that each plays.

use std::time::Duration;

use dogpile_tests::memcached_server::MemcachedServer;
use dogpile_tests::part::Part;
use dogpile_tests::process::Process;

use crate::support::at;

/// A process with a region of that backend on those servers, whose clock is moved.
pub(crate) fn worker(backend: &str, servers: &[MemcachedServer], lease: Duration) -> Process {
    Part::of(backend, at(servers, "{}"), lease).start()
}

#[test]
fn a_worker() {
    Part::play(dogpile_plugin_memcached::plugin());
}
