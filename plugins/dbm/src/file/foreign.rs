//! What a file is by its first bytes.

/// What was found where the data file is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing, or an empty file.
    Nothing,
    /// A file of redb's, by its mark.
    Redb,
    /// Room without a mark, which redb writes last when it makes a file.
    Unfinished,
    /// Something else, with its name where that is known.
    Other(Option<&'static str>),
}

const REDB: &[u8] = b"redb\x1A\x0A\xA9\x0D\x0A";
const SQLITE: &[u8] = b"SQLite format 3\0";

/// gdbm's marks: of files with 32 and 64 bits, before and since 1.9, and numbered ones.
const GDBM: [u32; 5] = [
    0x1357_9acd,
    0x1357_9ace,
    0x1357_9acf,
    0x1357_9ad0,
    0x1357_9ad1,
];

/// Berkeley DB's marks, at byte 12: hash, B-tree, queue.
const BERKELEY: [u32; 3] = [0x0006_1561, 0x0005_3162, 0x0004_2253];

/// The most bytes that are looked at.
pub(crate) const HEAD: usize = 32;

pub(crate) fn found(head: &[u8]) -> Found {
    if head.is_empty() {
        return Found::Nothing;
    }
    if head.starts_with(REDB) {
        return Found::Redb;
    }
    let mark = |at: usize| {
        let bytes = head.get(at..)?.first_chunk::<4>()?;
        Some([u32::from_le_bytes(*bytes), u32::from_be_bytes(*bytes)])
    };
    let is = |at: usize, known: &[u32]| {
        mark(at).is_some_and(|marks| marks.iter().any(|mark| known.contains(mark)))
    };
    let name = if head.starts_with(SQLITE) {
        Some("SQLite")
    } else if is(0, &GDBM) {
        Some("gdbm")
    } else if is(12, &BERKELEY) {
        Some("Berkeley DB")
    } else if head.starts_with(b"'") || head.starts_with(b"\"") {
        // Its index is lines of Python: 'key', (place, length).
        Some("dbm.dumb")
    } else if head.iter().take(REDB.len()).all(|byte| *byte == 0) {
        return Found::Unfinished;
    } else {
        None
    };
    Found::Other(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_programs_are_known_by_their_first_bytes() {
        assert_eq!(found(b""), Found::Nothing);
        assert_eq!(found(b"redb\x1A\x0A\xA9\x0D\x0A\0\0"), Found::Redb);
        assert_eq!(
            found(b"SQLite format 3\0...."),
            Found::Other(Some("SQLite"))
        );
        for mark in GDBM {
            assert_eq!(found(&mark.to_le_bytes()), Found::Other(Some("gdbm")));
            assert_eq!(found(&mark.to_be_bytes()), Found::Other(Some("gdbm")));
        }
        let mut berkeley = vec![0; 12];
        berkeley.extend(0x0006_1561_u32.to_le_bytes());
        assert_eq!(found(&berkeley), Found::Other(Some("Berkeley DB")));
        assert_eq!(found(b"'key', (0, 5)\n"), Found::Other(Some("dbm.dumb")));
        assert_eq!(found(b"some notes"), Found::Other(None));
        assert_eq!(found(&[0; HEAD]), Found::Unfinished);
    }
}
