//! Reads a file through one descriptor, and not while somebody is writing to it.

use std::fs::{File, FileType, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use super::{Fault, LoadErrorKind};
use crate::trust::{Distrust, Trust, Unopened};

/// Twenty times the size of the largest plugin that was ever met, with its debug information.
const LARGEST: u64 = 1 << 30;

/// How often a file that changes is read before it is given up.
const LOOKS: u32 = 3;

/// The time between two looks at a file that changed a moment ago.
const APART: Duration = Duration::from_millis(20);

/// A file untouched for so long is not being copied; it needs no second look.
const SETTLED: Duration = Duration::from_secs(2);

/// All bytes of the regular file at `path`, if `trust` lets it pass.
pub(super) fn read(path: &Path, trust: Trust) -> Result<Vec<u8>, Fault> {
    let mut file = open(path, trust)?;
    let mut before = look(&file)?;
    for _ in 0..LOOKS {
        let bytes = bytes(&mut file, before.len()).map_err(|error| unreadable(&error))?;
        if !is_settled(&before) {
            thread::sleep(APART);
        }
        let after = look(&file)?;
        if is_same(&before, &after) && u64::try_from(bytes.len()) == Ok(after.len()) {
            return match bytes.len() {
                0 => Err(Fault::new(
                    LoadErrorKind::Empty,
                    "the file is empty",
                    "copy the plugin again",
                )),
                _ => Ok(bytes),
            };
        }
        before = after;
    }
    Err(Fault::new(
        LoadErrorKind::Changing,
        "the file changed while it was read",
        "finish writing it; better, write it beside and rename it into place",
    ))
}

fn open(path: &Path, trust: Trust) -> Result<File, Fault> {
    trust.open(path).map_err(|unopened| match unopened {
        Unopened::Distrusted(distrust) => untrusted(distrust),
        Unopened::Io(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Fault::new(
                LoadErrorKind::NotFound,
                "no such file",
                "put the plugin there, or correct the name or the folder",
            ),
            _ => unreadable(&error),
        },
        Unopened::NotAFile => not_a_file("a socket or a device"),
    })
}

pub(super) fn untrusted(distrust: Distrust) -> Fault {
    Fault::new(LoadErrorKind::Untrusted, distrust.message, distrust.remedy)
}

/// The file's state, if it is a regular file of a size that can be.
fn look(file: &File) -> Result<Metadata, Fault> {
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(not_a_file(name(metadata.file_type())));
    }
    if metadata.len() > LARGEST {
        return Err(Fault::new(
            LoadErrorKind::TooLarge,
            format!("the file has {} bytes", metadata.len()),
            "a plugin has less than 1 GiB; strip its debug information",
        ));
    }
    Ok(metadata)
}

/// The file's bytes from its start; one more than `length` at most, which tells that it grew.
fn bytes(file: &mut File, length: u64) -> io::Result<Vec<u8>> {
    io::Seek::rewind(file)?;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1);
    file.take(length + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn is_same(before: &Metadata, after: &Metadata) -> bool {
    let key = |metadata: &Metadata| (metadata.len(), metadata.mtime(), metadata.mtime_nsec());
    key(before) == key(after)
}

/// Whether nobody touched the file lately. `cp -p` sets the modification time back, but not the change time.
fn is_settled(metadata: &Metadata) -> bool {
    let now = SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |elapsed| elapsed.as_secs());
    let touched = metadata.mtime().max(metadata.ctime());
    u64::try_from(touched).is_ok_and(|touched| touched + SETTLED.as_secs() < now)
}

fn not_a_file(found: &str) -> Fault {
    Fault::new(
        LoadErrorKind::NotAFile,
        format!("it is {found}"),
        "name the plugin's own file, lib….so",
    )
}

fn name(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_block_device() || kind.is_char_device() {
        "a device"
    } else {
        "not a regular file"
    }
}

fn unreadable(error: &io::Error) -> Fault {
    Fault::new(
        LoadErrorKind::Io,
        format!("cannot be read: {error}"),
        "make it readable for the user that runs this process",
    )
}
