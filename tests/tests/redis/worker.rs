//! The part that a process plays.

use dogpile::{Host, OnBackendError, RegionConfig};
use dogpile_tests::worker::obey;

use crate::processes::{Place, multiplexes, part};

#[test]
fn a_worker() {
    let Some((place, lease)) = part() else {
        return;
    };
    let config = match place {
        Place::Port(port) => RegionConfig::on("users", "redis")
            .argument("host", "127.0.0.1")
            .argument("port", port),
        Place::Sentinels(ports) => {
            let sentinels = ports.iter().map(|port| format!("127.0.0.1:{port}"));
            RegionConfig::on("users", "redis_sentinel")
                .argument("sentinels", sentinels.collect::<Vec<_>>())
        }
    };
    let config = config
        .argument("clear_empties_db", true)
        .argument("multiplex", multiplexes())
        .on_backend_error(OnBackendError::Fail)
        .lock_timeout(lease);
    obey(
        Host::builder().plugin(dogpile_plugin_redis::plugin()),
        config,
    );
}
