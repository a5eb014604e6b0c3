//! What is known of the data file, in a small file beside it that any process can read with one call.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use super::boot::BootId;
use super::range::Range;
use crate::arguments::Durability;

const MARK: &[u8; 8] = b"dbmstat2";
const LENGTH: usize = 8 + 8 + 8 + 1 + 36;

/// While a process has the data file open, it has one of these bytes of the state file, shared.
const PROCESS: Range = Range::byte(1 << 62);
const POWER: Range = Range::byte((1 << 62) + 1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// Counts the data files that stood in this place: who has another one open must open anew.
    pub(crate) generation: u64,
    /// The number of the data file.
    pub(crate) file: u64,
    pub(crate) durability: Durability,
    /// The run of the machine in which it was last opened.
    pub(crate) boot: BootId,
}

impl State {
    /// `None` if nothing is known.
    pub(crate) fn read(file: &File) -> io::Result<Option<Self>> {
        let mut bytes = [0; LENGTH];
        match file.read_exact_at(&mut bytes, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        Ok(Self::decode(&bytes))
    }

    pub(crate) fn write(&self, file: &File) -> io::Result<()> {
        file.write_all_at(&self.encode(), 0)?;
        if self.durability == Durability::Power {
            file.sync_all()?;
        }
        Ok(())
    }

    fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(MARK);
        bytes[8..16].copy_from_slice(&self.generation.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.file.to_le_bytes());
        bytes[24] = match self.durability {
            Durability::Process => 0,
            Durability::Power => 1,
        };
        bytes[25..].copy_from_slice(&self.boot);
        bytes
    }

    fn decode(bytes: &[u8; LENGTH]) -> Option<Self> {
        let number = |at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(number)
        };
        let mut boot = [0; 36];
        boot.copy_from_slice(&bytes[25..]);
        let durability = match bytes[24] {
            0 => Durability::Process,
            1 => Durability::Power,
            _ => return None,
        };
        (bytes[..8] == MARK[..]).then_some(Self {
            generation: number(8),
            file: number(16),
            durability,
            boot,
        })
    }
}

/// The number by which a file is known in its folder while it lives. The device is left out: many file systems have
/// another one each time they are mounted.
pub(crate) fn identity(metadata: &Metadata) -> u64 {
    metadata.ino()
}

/// Whether it holds what this plugin never wrote there, not even in part.
pub(crate) fn is_foreign(file: &File) -> io::Result<bool> {
    let length = file.metadata()?.len();
    let mut head = [0; MARK.len() - 1];
    let own = &MARK[..head
        .len()
        .min(usize::try_from(length).unwrap_or(usize::MAX))];
    file.read_exact_at(&mut head[..own.len()], 0)?;
    Ok(length != LENGTH as u64 && head[..own.len()] != *own)
}

/// Whether it names that data file at this moment. One short read. The count alone does not tell: it begins anew where
/// the state was lost.
pub(crate) fn names(file: &File, generation: u64, number: u64) -> io::Result<bool> {
    let mut bytes = [0; 16];
    match file.read_exact_at(&mut bytes, 8) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        read => read?,
    }
    Ok(bytes[..8] == generation.to_le_bytes() && bytes[8..] == number.to_le_bytes())
}

/// Announces what this process relies on, until the file is closed. False if another relies on something else.
pub(crate) fn announce(file: &File, durability: Durability) -> io::Result<bool> {
    let (own, other) = match durability {
        Durability::Process => (PROCESS, POWER),
        Durability::Power => (POWER, PROCESS),
    };
    if other.is_locked_elsewhere(file)? {
        return Ok(false);
    }
    own.try_lock_shared(file)
}

/// Whether another opening has the data file in use.
pub(crate) fn is_used_elsewhere(file: &File) -> io::Result<bool> {
    Ok(PROCESS.is_locked_elsewhere(file)? || POWER.is_locked_elsewhere(file)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_torn_is_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let file = File::create_new(&path).unwrap();
        let file_again = File::open(&path).unwrap();
        assert_eq!(State::read(&file_again).unwrap(), None);
        assert!(!names(&file_again, 0, 0).unwrap());
        let state = State {
            generation: 5,
            file: 2,
            durability: Durability::Power,
            boot: *b"01234567-89ab-cdef-0123-456789abcdef",
        };
        state.write(&file).unwrap();
        assert_eq!(State::read(&file_again).unwrap(), Some(state));
        assert!(names(&file_again, 5, 2).unwrap());
        assert!(!names(&file_again, 4, 2).unwrap());
        assert!(!names(&file_again, 5, 1).unwrap());
        for length in 0..LENGTH as u64 {
            file.set_len(length).unwrap();
            assert_eq!(State::read(&file_again).unwrap(), None);
            assert!(!is_foreign(&file_again).unwrap(), "{length}");
            state.write(&file).unwrap();
        }
        file.write_all_at(&[0; LENGTH], 0).unwrap();
        assert_eq!(State::read(&file_again).unwrap(), None);
    }
}
