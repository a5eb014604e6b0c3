//! The part of a process that uses the store.

use dogpile::{Host, RegionConfig};
use dogpile_tests::worker::obey;

use crate::backend::Remote;
use crate::processes::{lease, part, polls};

#[test]
fn a_worker() {
    let Some(socket) = part("worker") else {
        return;
    };
    let config = RegionConfig::on("users", "remote")
        .argument("socket", socket.to_str().unwrap())
        .argument("polls", polls())
        .lock_timeout(lease());
    obey(Host::builder().backend::<Remote>("remote"), config);
}
