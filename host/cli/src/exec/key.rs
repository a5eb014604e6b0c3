//! Under what a run is kept.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::{Mode, OFlags, open};
use sha2::{Digest, Sha256};

use super::line::Line;
use super::options::Options;

/// The key of what a run printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    digest: String,
}

const ENTRY: &str = "exec:";

impl Key {
    /// Of the name, or of folder, command and arguments; and of the named variables and the contents of the named files.
    /// None where a folder is needed and there is none any more.
    pub(super) fn new(line: &Line, options: &Options) -> Result<Option<Self>> {
        let mut parts = Parts::default();
        if let Some(name) = &options.key {
            parts.add(b'k', name.as_bytes());
        } else {
            let Some(folder) = line.folder() else {
                return Ok(None);
            };
            parts.add(b'd', folder.as_os_str().as_bytes());
            for word in line.words() {
                parts.add(b'a', word.as_bytes());
            }
        }
        for name in &options.env {
            parts.variable(name, env::var_os(name).as_deref());
        }
        for file in &options.file {
            parts.file(file)?;
        }
        Ok(Some(Self {
            digest: parts.digest(),
        }))
    }

    /// Where the output lies.
    pub(super) fn entry(&self) -> String {
        format!("{ENTRY}{}", self.digest)
    }

    /// Where a run that is not kept leaves word for those who wait for it.
    pub(super) fn word(&self) -> String {
        format!("exec-word:{}", self.digest)
    }

    pub(super) fn is_entry(text: &str) -> bool {
        text.starts_with(ENTRY)
    }

    /// It, for others than the cache.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }
}

/// What goes into the digest: each part with its kind and its length, so that no two lists of parts look the same.
#[derive(Default)]
struct Parts(Sha256);

impl Parts {
    fn add(&mut self, kind: u8, bytes: &[u8]) {
        self.0.update([kind]);
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// One that is not set is another thing than an empty one.
    fn variable(&mut self, name: &OsString, value: Option<&OsStr>) {
        self.add(b'e', name.as_bytes());
        match value {
            Some(value) => self.add(b'v', value.as_bytes()),
            None => self.add(b'u', b""),
        }
    }

    fn file(&mut self, path: &Path) -> Result<()> {
        let digest = content(path).with_context(|| format!("--file {}", path.display()))?;
        self.add(b'f', &digest);
        Ok(())
    }

    fn digest(self) -> String {
        self.0
            .finalize()
            .iter()
            .fold(String::new(), |mut text, byte| {
                let _infallible = write!(text, "{byte:02x}");
                text
            })
    }
}

/// Of a regular file: from others, such as `/dev/fd/63`, the run behind would read something else.
fn content(path: &Path) -> io::Result<Vec<u8>> {
    // To open a pipe would wait for a writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mut file = File::from(open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest.finalize().to_vec()),
            length => digest.update(&buffer[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::options::tests::options;

    fn key(arguments: &[&str]) -> Key {
        let options = options(arguments);
        let line = Line::here(options.command.clone());
        Key::new(&line, &options).unwrap().unwrap()
    }

    #[test]
    fn other_words_are_another_key() {
        let all = [
            key(&["--", "a", "b"]),
            key(&["--", "a b"]),
            key(&["--", "ab"]),
            key(&["--", "aab"]),
            key(&["--", "a", "b", ""]),
            key(&["--key", "a", "--", "a", "b"]),
            key(&["--env", "DOGPILE_NO_SUCH", "--", "a", "b"]),
        ];
        for (at, one) in all.iter().enumerate() {
            for other in &all[at + 1..] {
                assert_ne!(one, other);
            }
        }
    }

    #[test]
    fn a_name_takes_the_place_of_the_command() {
        assert_eq!(
            key(&["--key", "k", "--", "a"]),
            key(&["--key", "k", "--", "b"])
        );
    }

    #[test]
    fn times_are_no_part_of_the_key() {
        assert_eq!(
            key(&["--", "a"]),
            key(&["--expiration-time", "1h", "--refresh", "--", "a"])
        );
    }
}
