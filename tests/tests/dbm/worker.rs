//! The part that a process plays.

use std::path::Path;

use dogpile::{Host, RegionConfig};
use dogpile_tests::worker::obey;

use crate::processes::part;

#[test]
fn a_worker() {
    let Some((file, patience)) = part() else {
        return;
    };
    let config = RegionConfig::on("users", "dbm")
        .argument("filename", Path::new(&file).to_str().unwrap())
        .lock_timeout(patience);
    obey(Host::builder().plugin(dogpile_plugin_dbm::plugin()), config);
}
