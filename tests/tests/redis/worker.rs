//! The part that a process plays.

use dogpile::{Host, OnBackendError};
use dogpile_tests::worker::{obey, obey_by_system_clock};

use crate::processes::Part;

#[test]
fn a_worker() {
    let Some(part) = Part::mine() else {
        return;
    };
    let host = Host::builder().plugin(dogpile_plugin_redis::plugin());
    let users = part.region().on_backend_error(OnBackendError::Fail);
    if part.has_system_clock {
        obey_by_system_clock(host, users);
    }
    obey(host, users);
}
