//! A plugin's file swapped for new code, again and again.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use dogpile::{Host, Trust};
use tempfile::TempDir;

use crate::fixtures::{full, only, rust};
use crate::own_process::is_outer_of_figures;

/// What a process has mapped that is in memory, in bytes: of everything, and of that what is no file's.
fn memory() -> [u64; 2] {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    ["VmRSS:", "RssAnon:"].map(|name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
        kilobytes.parse::<u64>().unwrap() * 1024
    })
}

#[test]
fn each_swap_of_a_plugins_file_is_new_code_and_costs_the_memory_of_one_image() {
    // Nothing else is loaded, or counted, in that process.
    if is_outer_of_figures(
        "swaps::each_swap_of_a_plugins_file_is_new_code_and_costs_the_memory_of_one_image",
    ) {
        return;
    }
    let site = Site::new();
    let host = Host::builder()
        .manifest(site.path("dogpile.toml"))
        .trust(Trust::Off)
        .watch(false)
        .build()
        .unwrap();
    let counter = host.region("a").unwrap();
    let (swaps, first) = (full(1000), host.status());
    let (mut slowest, mut warm) = (Duration::ZERO, (0, memory()));
    for swap in 1..=swaps {
        site.put(swap);
        let began = Instant::now();
        let reload = host.reload().unwrap();
        slowest = slowest.max(began.elapsed());
        assert_eq!(reload.generation, first.generation + swap);
        // The new code answers, under the handle of old.
        assert_eq!(counter.backend_stats().unwrap().entries, Some(swap));
        if swap == swaps / 10 {
            // What is made once is there.
            warm = (swap, memory());
        }
    }
    let mapped = host.status().loaded_images - first.loaded_images;
    assert_eq!(u64::try_from(mapped).unwrap(), swaps);
    let now = memory();
    let each = |at: usize| (now[at].saturating_sub(warm.1[at])) / (swaps - warm.0) / 1024;
    println!(
        "{swaps} swaps of a plugin of {} KiB, new code {mapped} times, slowest reload {} ms: each image left keeps {} KiB \
         resident, {} KiB of it anonymous",
        site.good.len() / 1024,
        slowest.as_millis(),
        each(0),
        each(1)
    );
    // The file itself, its relocated pages, and what the host knows of it.
    let most = site.good.len() as u64 / 1024 * 2;
    assert!(each(0) < most, "more than {most} KiB each");
}

const MARK: &str = "dogpile mark 0000000";

/// A manifest, and a plugin that is told by a number.
struct Site {
    folder: TempDir,
    good: Vec<u8>,
    mark: usize,
}

impl Site {
    fn new() -> Self {
        let good = rust("good");
        let site = Self {
            folder: tempfile::tempdir().unwrap(),
            mark: only(&good, MARK.as_bytes()),
            good,
        };
        site.put(0);
        let manifest = "version = 1\nhost.plugin_dir = \".\"\nplugins.good.file = \"libgood.so\"\n\
                        regions.a = { backend = \"counter\", expiration_time = 1 }\n";
        fs::write(site.path("dogpile.toml"), manifest).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Renames the plugin of that number over the old one.
    fn put(&self, number: u64) {
        let mark = format!("dogpile mark {number:07}");
        let mut bytes = self.good.clone();
        bytes[self.mark..self.mark + MARK.len()].copy_from_slice(mark.as_bytes());
        fs::write(self.path("beside"), bytes).unwrap();
        fs::rename(self.path("beside"), self.path("libgood.so")).unwrap();
    }
}
