use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::trust::{Distrust, Trust, Unopened};

/// The largest file that is read, in bytes: a manifest is written by hand.
const LARGEST: u64 = 1 << 20;

/// Why a file could not be read as text.
#[derive(Debug)]
pub(super) enum ReadError {
    Io(io::Error),
    Distrusted(Distrust),
    /// Neither a file nor a link to one.
    NotAFile(&'static str),
    TooLarge,
    /// The text before the first byte that is not UTF-8.
    NotUtf8(String),
}

impl ReadError {
    /// Goes on after the file's name.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::NotFound => "does not exist".into(),
            Self::Io(error) => format!("cannot be read: {error}"),
            Self::Distrusted(distrust) => distrust.message.clone(),
            Self::NotAFile(kind) => format!("is {kind}, not a file"),
            Self::TooLarge => format!("is larger than {} MiB", LARGEST >> 20),
            Self::NotUtf8(_) => "is not UTF-8 text".into(),
        }
    }

    /// The remedy, if it knows a better one than `usual`.
    pub(super) fn remedy(&self, usual: &str) -> String {
        match self {
            Self::Distrusted(distrust) => distrust.remedy.clone(),
            _ => usual.to_owned(),
        }
    }
}

/// Reads a regular file of reasonable size, if `trust` lets it pass. Never blocks on a pipe or a device.
pub(super) fn read_text(path: &Path, trust: Trust) -> Result<String, ReadError> {
    let file = trust.open(path).map_err(|unopened| match unopened {
        Unopened::Io(error) => ReadError::Io(error),
        Unopened::NotAFile => ReadError::NotAFile("a pipe, socket or device"),
        Unopened::Distrusted(distrust) => ReadError::Distrusted(distrust),
    })?;
    let metadata = file.metadata().map_err(ReadError::Io)?;
    if metadata.is_dir() {
        return Err(ReadError::NotAFile("a directory"));
    }
    if !metadata.is_file() {
        return Err(ReadError::NotAFile("a pipe, socket or device"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(ReadError::Io)?;
    if bytes.len() as u64 > LARGEST {
        return Err(ReadError::TooLarge);
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let mut bytes = error.into_bytes();
        bytes.truncate(valid);
        ReadError::NotUtf8(String::from_utf8_lossy(&bytes).into_owned())
    })
}

/// The files that one `include` entry names.
#[derive(Debug)]
pub(super) struct Matches {
    pub(super) files: Vec<PathBuf>,
    /// The folder to watch, if files may appear in it.
    pub(super) folder: Option<PathBuf>,
}

/// Finds the files of a pattern, sorted by name. `*` and `?` work in the last part of the path and
/// match no leading dot; a pattern without them is one file, whether it exists or not.
pub(super) fn find(folder: &Path, pattern: &str) -> Result<Matches, String> {
    let path = folder.join(pattern);
    let is_glob = |text: &OsStr| text.to_string_lossy().contains(['*', '?']);
    let Some(last) = Path::new(pattern).file_name() else {
        return Err("this names no file".into());
    };
    if Path::new(pattern)
        .parent()
        .is_some_and(|parent| is_glob(parent.as_os_str()))
    {
        return Err("`*` and `?` work in the last part of the path only".into());
    }
    if !is_glob(last) {
        return Ok(Matches {
            files: vec![path],
            folder: None,
        });
    }
    let folder = path.parent().unwrap_or(folder).to_path_buf();
    let read = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        &folder
    };
    let mut names = Vec::new();
    match fs::read_dir(read) {
        Ok(entries) => {
            for entry in entries {
                let name = entry
                    .map_err(|error| format!("`{}` cannot be read: {error}", read.display()))?
                    .file_name();
                if matches(&last.to_string_lossy(), &name.to_string_lossy()) {
                    names.push(name);
                }
            }
        }
        // A folder that is not there yet has no files yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(format!("`{}` cannot be read: {error}", read.display())),
    }
    names.sort();
    Ok(Matches {
        files: names.iter().map(|name| folder.join(name)).collect(),
        folder: Some(folder),
    })
}

/// Whether a file's name matches a pattern of `*` and `?`. In time linear in the product of both.
fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_question_marks_match_names() {
        for (pattern, name) in [
            ("*.toml", "a.toml"),
            ("*.toml", "a.b.toml"),
            ("a?.toml", "ab.toml"),
            ("*", "x"),
            ("**a*", "bab"),
            (".*", ".hidden"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*.toml", "a.tom"),
            ("*.toml", ".hidden.toml"),
            ("a?.toml", "a.toml"),
            ("?", ""),
            ("*a", "ab"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
