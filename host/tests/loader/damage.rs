//! Files damaged in any place are refused or not, but never bring the checks down.

use std::thread;

use dogpile::loader::inspect;

use crate::fixtures::{file, rust};

#[test]
fn no_damaged_byte_of_the_tables_brings_the_checks_down() {
    let sound = rust("wrong_layout");
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
                            outcomes[usize::from(inspect(&path).is_err())] += 1;
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
