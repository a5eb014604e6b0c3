//! Many threads of many processes, and one creation at each expiry.

use crate::processes::{Process, Shared};

#[test]
fn eight_threads_of_eight_processes_create_once_at_each_expiry() {
    let shared = Shared::new();
    let mut workers: Vec<Process> = (0..8).map(|_| shared.worker()).collect();
    let mut seconds = 0;
    for expiry in 0..100 {
        // By turns a value that may be served meanwhile, and none.
        seconds += if expiry % 2 == 0 { 61 } else { 121 };
        for worker in &mut workers {
            worker.tell(&format!("time {seconds}"));
        }
        for worker in &mut workers {
            worker.expect("done");
        }
        for worker in &mut workers {
            worker.tell(&format!("call 8 {expiry} key"));
        }
        let mut created = 0;
        for worker in &mut workers {
            let line = worker.hear();
            let count = line
                .strip_prefix("created ")
                .and_then(|line| line.split(' ').next());
            created += count
                .and_then(|count| count.parse::<u64>().ok())
                .expect(&line);
        }
        assert_eq!(created, 1, "{expiry}");
    }
}
