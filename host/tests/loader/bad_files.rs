//! Files that are no plugins at all: each is refused with its own error, and the process lives.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use dogpile::loader::{LoadError, LoadErrorKind, Loader};

use crate::fixtures::{file, rust};

/// Refused for that reason, with a text that names the file and the remedy, by loading and by inspection.
pub(crate) fn refused(path: &Path, kind: LoadErrorKind) -> LoadError {
    let error = Loader::new().load(path).err().expect("it is refused");
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(error.path(), path);
    let text = error.to_string();
    for part in [
        &*path.display().to_string(),
        error.message(),
        error.remedy(),
    ] {
        assert!(!part.is_empty() && text.contains(part), "{text}");
    }
    assert!(!text.contains('\n'), "{text}");
    error
}

fn refused_bytes(bytes: &[u8], kind: LoadErrorKind) -> LoadError {
    let (_folder, path) = file(bytes);
    assert_eq!(Loader::new().inspect(&path).unwrap_err().kind(), kind);
    refused(&path, kind)
}

/// The good plugin with some bytes replaced.
fn patched(at: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = rust("good");
    bytes[at..at + with.len()].copy_from_slice(with);
    bytes
}

#[test]
fn a_missing_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    refused(&folder.path().join("libgone.so"), LoadErrorKind::NotFound);
    let link = folder.path().join("link.so");
    std::os::unix::fs::symlink("libgone.so", &link).unwrap();
    refused(&link, LoadErrorKind::NotFound);
}

#[test]
fn an_empty_file_is_refused() {
    refused_bytes(b"", LoadErrorKind::Empty);
}

#[test]
fn a_text_is_refused() {
    refused_bytes(b"#!/bin/sh\necho 1\n", LoadErrorKind::NotElf);
    refused_bytes(b"x", LoadErrorKind::NotElf);
}

#[test]
fn a_directory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = refused(folder.path(), LoadErrorKind::NotAFile);
    assert!(error.message().contains("directory"), "{error}");
}

#[test]
fn a_fifo_a_socket_and_a_device_are_refused_without_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo.so");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).unwrap();
    let error = refused(&fifo, LoadErrorKind::NotAFile);
    assert!(error.message().contains("FIFO"), "{error}");
    let socket = folder.path().join("socket.so");
    let _listener = UnixListener::bind(&socket).unwrap();
    refused(&socket, LoadErrorKind::NotAFile);
    refused(Path::new("/dev/zero"), LoadErrorKind::NotAFile);
}

#[test]
fn a_file_larger_than_any_plugin_is_refused_unread() {
    let (_folder, path) = file(b"");
    let sparse = fs::File::create(&path).unwrap();
    sparse.set_len(1 << 40).unwrap();
    refused(&path, LoadErrorKind::TooLarge);
}

#[test]
fn a_file_that_is_being_written_is_refused_and_loaded_once_it_is_whole() {
    let good = rust("good");
    let (_folder, path) = file(&good);
    let stop = AtomicBool::new(false);
    let (started, start) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = fs::File::options().append(true).open(&path).unwrap();
            while !stop.load(Ordering::Relaxed) {
                file.write_all(b"more").unwrap();
                let _ = started.send(());
                thread::yield_now();
            }
        });
        start.recv().unwrap();
        // A writer that gets no time to write is not seen.
        let error = (0..100).find_map(|_| Loader::new().load(&path).err());
        stop.store(true, Ordering::Relaxed);
        assert_eq!(error.unwrap().kind(), LoadErrorKind::Changing);
    });
    Loader::new().load(&path).unwrap();
}

#[test]
fn a_truncated_plugin_is_refused_wherever_it_ends() {
    let good = rust("good");
    thread::scope(|scope| {
        for part in 0..60 {
            let good = &good;
            scope.spawn(move || {
                let length = good.len() * part / 60;
                let (_folder, path) = file(&good[..length]);
                let expected = match length {
                    0 => LoadErrorKind::Empty,
                    _ => LoadErrorKind::Truncated,
                };
                refused(&path, expected);
            });
        }
    });
    for length in [1, 3] {
        refused_bytes(&good[..length], LoadErrorKind::NotElf);
    }
    for length in [4, 5, 6, 18, 63, 64, good.len() - 1] {
        refused_bytes(&good[..length], LoadErrorKind::Truncated);
    }
}

#[test]
fn a_32_bit_file_is_refused() {
    refused_bytes(&patched(4, &[1]), LoadErrorKind::WrongClass);
}

#[test]
fn a_file_of_the_other_byte_order_is_refused() {
    refused_bytes(&patched(5, &[2]), LoadErrorKind::WrongMachine);
}

#[test]
fn a_file_for_another_processor_is_refused_and_both_are_named() {
    let riscv = 243_u16.to_le_bytes();
    let error = refused_bytes(&patched(18, &riscv), LoadErrorKind::WrongMachine);
    assert!(error.message().contains("riscv"), "{error}");
    assert!(error.remedy().contains(std::env::consts::ARCH), "{error}");
}

#[test]
fn a_program_and_an_object_file_are_refused() {
    for (kind, name) in [
        (2_u16, "a program"),
        (1, "an object file"),
        (4, "a core dump"),
    ] {
        let error = refused_bytes(
            &patched(16, &kind.to_le_bytes()),
            LoadErrorKind::NotALibrary,
        );
        assert!(error.message().contains(name), "{error}");
    }
    // This test itself is a program that can lie anywhere, which is of the same ELF type as a library.
    let own = std::env::current_exe().unwrap();
    refused(&own, LoadErrorKind::NotALibrary);
}
