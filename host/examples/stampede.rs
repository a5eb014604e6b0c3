//! Sixteen threads want the same value at once; one of them makes it.
//!
//! `cargo run -p dogpile --example stampede`

use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use dogpile::{Host, RegionConfig, Source};

fn main() -> dogpile::Result<()> {
    let host = Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .region(RegionConfig::on("reports", "memory").expiration_time(Duration::from_mins(1)))
        .build()?;
    let reports = host.region("reports")?;

    let (queries, start) = (AtomicU32::new(0), Barrier::new(16));
    let slow_query = || {
        queries.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(100));
        "the report".to_owned()
    };
    thread::scope(|scope| {
        for number in 0..16 {
            let (reports, start, slow_query) = (&reports, &start, &slow_query);
            scope.spawn(move || {
                start.wait();
                let report = reports
                    .get_or_create("today", slow_query)
                    .expect("memory does not fail");
                let how = match report.source() {
                    Source::Created => "created",
                    Source::Waited => "waited for",
                    Source::Fresh | Source::Stale => "found",
                };
                println!("thread {number:2} {how} {report:?}");
            });
        }
    });
    println!("{} query", queries.load(Ordering::Relaxed));
    Ok(())
}
