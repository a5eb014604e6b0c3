//! Many threads of many processes, and one creation at each expiry.

use dogpile_tests::process::Process;
use dogpile_tests::worker::{created, set_time};

use crate::processes::Shared;

#[test]
fn eight_threads_of_eight_processes_create_once_at_each_expiry() {
    let shared = Shared::new();
    let mut workers: Vec<Process> = (0..8).map(|_| shared.worker()).collect();
    let mut seconds = 0;
    for expiry in 0..100 {
        // By turns a value that may be served meanwhile, and none.
        seconds += if expiry % 2 == 0 { 61 } else { 121 };
        set_time(&mut workers, seconds);
        for worker in &mut workers {
            worker.tell(&format!("call 8 {expiry} key"));
        }
        let created: u64 = workers.iter_mut().map(created).sum();
        assert_eq!(created, 1, "{expiry}");
    }
}
