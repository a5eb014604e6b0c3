//! The part that a process plays.

use dogpile::{Host, OnBackendError, RegionConfig};
use dogpile_tests::worker::obey;

use crate::processes::part;

#[test]
fn a_worker() {
    let Some((port, lease)) = part() else {
        return;
    };
    let config = RegionConfig::on("users", "redis")
        .argument("host", "127.0.0.1")
        .argument("port", port)
        .argument("clear_empties_db", true)
        .on_backend_error(OnBackendError::Fail)
        .lock_timeout(lease);
    obey(
        Host::builder().plugin(dogpile_plugin_redis::plugin()),
        config,
    );
}
