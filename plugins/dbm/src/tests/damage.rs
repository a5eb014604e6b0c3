//! Files with flipped bytes, lost pages and torn ends.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use dogpile_plugin_api::Backend;

use super::support::{Bench, Numbers};
use crate::dbm::Dbm;

const PAGE: usize = 4096;

/// Every value that a key ever had.
type Stored = HashMap<String, Vec<Vec<u8>>>;

/// Fills the file, and gives it as it was in the middle.
fn fill(bench: &Bench, stored: &mut Stored) -> Vec<u8> {
    let on = bench.open().unwrap();
    let mut numbers = Numbers(1);
    let mut middle = Vec::new();
    for step in 0..300 {
        let key = format!("key {}", numbers.below(120));
        let length = [20, 300, 2_000, 9_000][numbers.below(4)];
        let bytes: Vec<u8> = vec![u8::try_from(step % 251).unwrap(); length];
        let keep_until = u64::MAX - numbers.next() % 1_000;
        bench.set_until(&on, &key, &bytes, keep_until).unwrap();
        stored.entry(key).or_default().push(bytes);
        if step == 200 {
            middle = fs::read(bench.data()).unwrap();
        }
    }
    on.close().unwrap();
    middle
}

fn damage(data: &Path, middle: &[u8], kind: usize, numbers: &mut Numbers) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(data)
        .unwrap();
    let length = usize::try_from(file.metadata().unwrap().len()).unwrap();
    let change = |at: usize, bytes: &[u8]| file.write_all_at(bytes, at as u64).unwrap();
    match kind {
        // Some bits anywhere.
        0 => {
            for _ in 0..=numbers.below(20) {
                flip(&file, numbers.below(length), numbers);
            }
        }
        // Some bits where the file says what it is.
        1 => {
            for _ in 0..=numbers.below(4) {
                flip(&file, numbers.below(320), numbers);
            }
        }
        // A page that was never written.
        2 => change(numbers.below(length / PAGE) * PAGE, &[0; PAGE]),
        // A page of something else.
        3 => {
            let page: Vec<u8> = (0..PAGE).map(|_| numbers.byte()).collect();
            change(numbers.below(length / PAGE) * PAGE, &page);
        }
        // An end that is missing.
        4 => file.set_len(numbers.below(length) as u64).unwrap(),
        // Pages as they were before.
        _ => {
            for _ in 0..=numbers.below(30) {
                let at = numbers.below(middle.len() / PAGE) * PAGE;
                change(at, &middle[at..at + PAGE]);
            }
        }
    }
}

fn flip(file: &File, at: usize, numbers: &mut Numbers) {
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).unwrap();
    byte[0] ^= 1 << numbers.below(8);
    file.write_all_at(&byte, at as u64).unwrap();
}

fn all_are_right(bench: &Bench, on: &Dbm, stored: &Stored) -> usize {
    let mut there = 0;
    for (key, values) in stored {
        if let Some(found) = bench.get(on, key).unwrap() {
            assert!(
                values.contains(&found),
                "{key}: {} bytes that were never stored",
                found.len()
            );
            there += 1;
        }
    }
    there
}

#[test]
fn two_hundred_damaged_files_give_no_wrong_value_and_go_on() {
    let (full, mut all) = (Bench::new(), Stored::new());
    let middle = fill(&full, &mut all);
    let whole = fs::read(full.data()).unwrap();
    let (mut moved, mut kept, mut lost) = (0, 0, 0);
    for image in 0..200 {
        let (bench, mut stored) = (Bench::new(), all.clone());
        bench.open().unwrap().close().unwrap();
        // The file that is known there, with that content.
        fs::write(bench.data(), &whole).unwrap();
        let mut numbers = Numbers(image as u64);
        damage(&bench.data(), &middle, image % 6, &mut numbers);
        let on = bench.open().unwrap();
        kept += all_are_right(&bench, &on, &stored);
        // Writes go through what is damaged as well.
        for step in 0..60 {
            let key = format!("key {}", numbers.below(120));
            if step % 5 == 4 {
                bench.delete(&on, &key).unwrap();
                continue;
            }
            let bytes = vec![step; 500];
            bench.set(&on, &key, &bytes).unwrap();
            stored.entry(key.clone()).or_default().push(bytes.clone());
            // Where a page is in use twice, the next write can damage what the last one wrote.
            let found = bench.get(&on, &key).unwrap();
            assert!(found.is_none() || found == Some(bytes), "image {image}");
            lost += usize::from(found.is_none());
        }
        all_are_right(&bench, &on, &stored);
        on.close().unwrap();
        drop(on);
        let on = bench.open().unwrap();
        all_are_right(&bench, &on, &stored);
        on.clear().unwrap();
        assert_eq!(all_are_right(&bench, &on, &stored), 0);
        moved += usize::from(bench.folder.path().join("cache.damaged").exists());
    }
    // Both happen: what can be kept is, and what cannot is moved aside.
    assert!(
        moved > 10 && kept > 1_000,
        "{moved} moved aside, {kept} values kept"
    );
    assert!(lost < 100, "{lost} of 9600 stores are gone at once");
}
