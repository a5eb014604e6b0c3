//! Writers that are killed.

use std::env;
use std::io::{BufRead, BufReader};
use std::thread;
use std::time::{Duration, Instant};

use crate::parts::{Cache, is_right, part, program, value};

const WRITERS: u64 = 4;
const KEYS: u64 = 200;

/// Over all writers. A tenth, unless `DOGPILE_TEST_FULL` is set.
fn kills() -> u64 {
    match env::var_os("DOGPILE_TEST_FULL") {
        Some(_) => 500,
        None => 50,
    }
}

/// Numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Reads and writes until it is killed; tells `done` after each, or what it found wrong.
#[test]
fn a_writer() {
    let Some(file) = part("writer") else {
        return;
    };
    let cache = Cache::open(&file);
    let mut numbers = Numbers(u64::from(std::process::id()) << 20 | 1);
    loop {
        let key = format!("key {}", numbers.below(KEYS));
        match numbers.below(10) {
            0..7 => {
                if let Some(found) = cache.get(&key).unwrap()
                    && !is_right(&key, &found)
                {
                    eprintln!("wrong {key}");
                }
            }
            7 => cache.delete(&key).unwrap(),
            8 => {
                let entries: Vec<_> = (0..5)
                    .map(|_| {
                        let key = format!("key {}", numbers.below(KEYS));
                        let value = value(&key, numbers.below(10_000));
                        (key, value)
                    })
                    .collect();
                cache.set_all(&entries).unwrap();
            }
            _ => cache
                .set(&key, &value(&key, numbers.below(10_000)))
                .unwrap(),
        }
        eprintln!("done");
    }
}

/// Starts a writer and kills it again and again, after any number of its steps.
fn kill_writers(file: &std::path::Path, times: u64, mut numbers: Numbers) {
    for _ in 0..times {
        let mut child = program("kills::a_writer", "writer", file).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        for _ in 0..numbers.below(150) {
            assert_eq!(lines.next().expect("it goes on").unwrap(), "done");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines {
            // The last line may have been cut short.
            let line = line.unwrap();
            assert!("done".starts_with(&line), "{line}");
        }
    }
}

#[test]
fn after_writers_were_killed_at_any_moment_every_value_is_right_or_absent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cache");
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let file = &file;
            let numbers = Numbers(writer * 7919 + 1);
            scope.spawn(move || kill_writers(file, kills() / WRITERS, numbers));
        }
    });
    let began = Instant::now();
    let cache = Cache::open(&file);
    let mut there = 0;
    for number in 0..KEYS {
        let key = format!("key {number}");
        if let Some(found) = cache.get(&key).unwrap() {
            assert!(is_right(&key, &found), "{key}");
            there += 1;
        }
        cache.set(&key, &value(&key, number)).unwrap();
        assert_eq!(cache.get(&key).unwrap(), Some(value(&key, number)));
        if number == 0 {
            let reopened = began.elapsed();
            assert!(reopened < Duration::from_secs(1), "{reopened:?}");
        }
    }
    assert!(there > KEYS / 4, "{there} of {KEYS} keys have a value");
    // Nothing was taken for damaged.
    assert!(!folder.path().join("cache.damaged").exists());
}
