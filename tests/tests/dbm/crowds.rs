//! Many threads of many processes, and one creation at each expiry.

use dogpile_tests::process::Process;
use dogpile_tests::worker::create_once_at_each;

use crate::processes::Shared;

#[test]
fn eight_threads_of_eight_processes_create_once_at_each_expiry() {
    let shared = Shared::new();
    let mut workers: Vec<Process> = (0..8).map(|_| shared.worker()).collect();
    create_once_at_each(100, &mut workers);
}
