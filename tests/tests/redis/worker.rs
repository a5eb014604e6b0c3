//! The part that a process plays.

use dogpile::{Host, OnBackendError, RegionConfig};
use dogpile_tests::worker::obey;

use crate::processes::{Place, part};

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
        Place::Cluster(port, layout) => RegionConfig::on("users", "redis_cluster")
            .argument("startup_nodes", vec![format!("127.0.0.1:{port}")])
            .argument("cluster_lock", layout),
    };
    let config = config
        .argument("clear_empties_db", true)
        .on_backend_error(OnBackendError::Fail)
        .lock_timeout(lease);
    obey(
        Host::builder().plugin(dogpile_plugin_redis::plugin()),
        config,
    );
}
