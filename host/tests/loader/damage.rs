//! Files damaged in any place are refused or not, but never bring the checks down.

use std::thread;

use dogpile::loader::{LoadErrorKind, Loader};

use crate::fixtures::{file, rust};

#[test]
fn no_damaged_byte_of_the_tables_brings_the_checks_down() {
    let sound = rust("changed_layout");
    let section_table = u64::from_le_bytes(sound[40..48].try_into().unwrap());
    let section_table = usize::try_from(section_table).unwrap();
    // Of the ELF header, the program headers, the first dynamic tables, and the section table.
    let places: Vec<_> = (6..1200)
        .step_by(5)
        .chain((section_table..sound.len()).step_by(9))
        .collect();
    let mut outcomes = [0, 0];
    thread::scope(|scope| {
        let threads: Vec<_> = places
            .chunks(places.len() / 32)
            .map(|places| {
                let sound = &sound;
                scope.spawn(move || {
                    let mut outcomes = [0, 0];
                    for place in places {
                        for value in [sound[*place] ^ 0x80, 0xff] {
                            let mut damaged = sound.clone();
                            damaged[*place] = value;
                            let (_folder, path) = file(&damaged);
                            outcomes[usize::from(Loader::new().inspect(&path).is_err())] += 1;
                        }
                    }
                    outcomes
                })
            })
            .collect();
        for thread in threads {
            let [fine, refused] = thread.join().expect("no check panics");
            outcomes[0] += fine;
            outcomes[1] += refused;
        }
    });
    assert!(outcomes[0] > 0 && outcomes[1] > 50, "{outcomes:?}");
}

/// Where a field of a program header is, in bytes from the header's start.
const TYPE: usize = 0;
const FLAGS: usize = 4;
const OFFSET: usize = 8;
const ADDRESS: usize = 16;
const IN_FILE: usize = 32;
const IN_MEMORY: usize = 40;
const ALIGN: usize = 48;

const LOAD: u32 = 1;
const DYNAMIC: u32 = 2;
const PHDR: u32 = 6;
const TLS: u32 = 7;
const EH_FRAME: u32 = 0x6474_e550;
const RELRO: u32 = 0x6474_e552;

const FAR: u64 = 0x7fff_ffff_ffff;

/// Where the program headers of that type are.
fn headers(bytes: &[u8], kind: u32) -> Vec<usize> {
    let half = |at: usize| usize::from(u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()));
    let (start, length, number) = (word(bytes, 32), half(54), half(56));
    let start = usize::try_from(start).unwrap();
    let all = (0..number).map(|index| start + index * length);
    all.filter(|at| bytes[*at..at + 4] == kind.to_le_bytes())
        .collect()
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Whether the checks refuse the bytes with `new` at `at`, as damaged or as cut off.
fn is_refused(sound: &[u8], at: usize, new: &[u8]) -> bool {
    let mut damaged = sound.to_owned();
    damaged[at..at + new.len()].copy_from_slice(new);
    let (_folder, path) = file(&damaged);
    match Loader::new().inspect(&path) {
        Ok(_) => false,
        Err(error) => {
            let kind = error.kind();
            let kinds = [LoadErrorKind::Damaged, LoadErrorKind::Truncated];
            assert!(kinds.contains(&kind), "{at:#x}: {error}");
            true
        }
    }
}

#[test]
fn a_program_header_that_maps_something_else_is_refused() {
    let sound = rust("good");
    for (kind, field, change) in [
        (LOAD, TYPE, (|_| 0x1001) as fn(u64) -> u64),
        (LOAD, OFFSET, |old| old ^ 0x1000),
        (LOAD, ADDRESS, |old| old ^ 0x1000),
        (LOAD, ADDRESS, |old| old ^ 1),
        (LOAD, IN_FILE, |_| 0),
        (LOAD, IN_MEMORY, |_| 0),
        (LOAD, IN_MEMORY, |_| FAR),
        (LOAD, IN_MEMORY, |_| u64::MAX),
        (LOAD, ALIGN, |_| 0),
        (LOAD, ALIGN, |old| old + 1),
        (LOAD, ALIGN, |_| 1 << 40),
        (DYNAMIC, TYPE, |_| 0),
        (DYNAMIC, OFFSET, |old| old + 16),
        (DYNAMIC, ADDRESS, |old| old + 1),
        (DYNAMIC, IN_FILE, |old| old - 16),
        (PHDR, ADDRESS, |_| u64::MAX),
        (PHDR, OFFSET, |old| old + 8),
        (TLS, TYPE, |_| 0),
        (TLS, ADDRESS, |old| old + 0x1000),
        (TLS, IN_MEMORY, |_| FAR),
        (TLS, ALIGN, |old| old + 1),
        (EH_FRAME, TYPE, |_| 0),
        (EH_FRAME, ADDRESS, |old| old + 0x1000),
        (RELRO, ADDRESS, |_| 0),
        (RELRO, IN_MEMORY, |old| old + 0x2000),
    ] {
        let found = headers(&sound, kind);
        assert!(!found.is_empty(), "{kind:#x}");
        for at in found {
            let refused = if field == TYPE {
                let new = u32::try_from(change(u64::from(kind))).unwrap();
                is_refused(&sound, at, &new.to_le_bytes())
            } else {
                let new = change(word(&sound, at + field));
                is_refused(&sound, at + field, &new.to_le_bytes())
            };
            assert!(refused, "{kind:#x} at {at:#x}: field {field}");
        }
    }
    // What may not be read, written or run cannot hold what is to be.
    for at in headers(&sound, LOAD) {
        assert!(is_refused(&sound, at + FLAGS, &[0; 4]), "{at:#x}");
    }
}

#[test]
fn a_dynamic_table_that_leads_elsewhere_is_refused() {
    const NULL: u64 = 0;
    const NEEDED: u64 = 1;
    const PLTGOT: u64 = 3;
    const INIT: u64 = 12;
    const FINI: u64 = 13;
    const FLAGS: u64 = 30;
    const FLAGS_1: u64 = 0x6fff_fffb;
    const RELACOUNT: u64 = 0x6fff_fff9;
    let sound = rust("good");
    let (_folder, path) = file(&sound);
    Loader::new().inspect(&path).unwrap();
    let table = headers(&sound, DYNAMIC)[0];
    let start = usize::try_from(word(&sound, table + OFFSET)).unwrap();
    let length = usize::try_from(word(&sound, table + IN_FILE)).unwrap();
    let mut seen = 0;
    for at in (start..start + length).step_by(16) {
        let (tag, value) = (word(&sound, at), word(&sound, at + 8));
        let wrong: &[u64] = match tag {
            NULL => break,
            FLAGS | FLAGS_1 => &[],
            // Some other function, or fewer of the relocations that are alike, cannot be told from the right one.
            NEEDED | INIT | FINI | RELACOUNT => &[FAR],
            _ => &[0, value ^ 0x10, FAR],
        };
        for new in wrong {
            let refused = is_refused(&sound, at + 8, &new.to_le_bytes());
            assert!(refused, "{tag:#x}: {value:#x} -> {new:#x}");
            seen += 1;
        }
        // It is missing: no linker knows this tag.
        if ![NEEDED, FLAGS, FLAGS_1, RELACOUNT, INIT, FINI, PLTGOT].contains(&tag) {
            let refused = is_refused(&sound, at, &0x6000_0001_u64.to_le_bytes());
            assert!(refused, "{tag:#x} is missing");
        }
    }
    assert!(seen > 40, "{seen}");
}
