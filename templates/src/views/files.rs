use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use tera::Value;

use super::error::{Position, ViewError, ViewErrorKind};
use super::fragments::{Extracted, extract};
use super::lexer::position;
use super::scan::{References, scan_tags};
use super::stamp::Stamp;
use super::tags::tags;

/// No file of a site is larger, in bytes.
pub(crate) const MAX_FILE: u64 = 64 << 20;

/// What is in a file, parsed once per content.
pub(crate) struct Content {
    /// The file as a person spells it.
    pub(crate) shown: PathBuf,
    pub(crate) digest: [u8; 32],
    pub(crate) body: Body,
}

pub(crate) enum Body {
    Template {
        text: String,
        references: References,
        /// What the engine gets of it.
        extracted: Box<Extracted>,
    },
    Data(Value),
    /// It cannot be read or parsed. What uses it answers with this.
    Bad(ViewError),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Template,
    Data,
}

/// A file that was found in a folder of the site.
pub(crate) struct Found {
    pub(crate) role: Role,
    /// A template's name, a data file's stem.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) shown: PathBuf,
    /// Where the file is, if it was found as a symbolic link.
    pub(crate) target: Option<PathBuf>,
}

impl Found {
    /// Where the file is.
    pub(crate) fn place(&self) -> &Path {
        self.target.as_deref().unwrap_or(&self.path)
    }
}

/// A file's content with what tells whether it is still that.
#[derive(Clone)]
pub(crate) struct Tracked {
    path: PathBuf,
    target: Option<PathBuf>,
    stamp: Option<Stamp>,
    pub(crate) content: Arc<Content>,
}

impl Tracked {
    /// Reads a file, or takes what `previous` has if that is certainly the same.
    pub(crate) fn read(found: Found, previous: Option<&Tracked>, now: SystemTime) -> Self {
        let previous = previous
            .filter(|previous| previous.path == found.path && previous.target == found.target);
        if let Some(previous) = previous
            && previous.is_current(now)
        {
            return previous.clone();
        }
        let (stamp, bytes) = match read(found.place(), now) {
            Ok((stamp, bytes)) => (Some(stamp), Ok(bytes)),
            Err(error) => (None, Err(error)),
        };
        let digest: [u8; 32] = match &bytes {
            Ok(bytes) => Sha256::digest(bytes).into(),
            Err(error) => Sha256::digest(format!("\0unreadable: {error}")).into(),
        };
        let content = match previous {
            Some(previous) if previous.content.digest == digest => Arc::clone(&previous.content),
            _ => Arc::new(Content {
                body: parse(found.role, &found.name, &found.shown, bytes),
                shown: found.shown,
                digest,
            }),
        };
        Self {
            path: found.path,
            target: found.target,
            stamp,
            content,
        }
    }

    /// Whether it was read: what keeps it from that may end without a change of the file.
    pub(crate) fn is_readable(&self) -> bool {
        self.stamp.is_some()
    }

    /// Whether the file is certainly what was read. One `stat`; for a symbolic link also the walk to its target.
    pub(crate) fn is_current(&self, now: SystemTime) -> bool {
        let Some(stamp) = &self.stamp else {
            return false;
        };
        if let Some(target) = &self.target
            && !fs::canonicalize(&self.path).is_ok_and(|path| path == *target)
        {
            return false;
        }
        fs::symlink_metadata(self.target.as_ref().unwrap_or(&self.path))
            .is_ok_and(|metadata| stamp.proves_unchanged(&Stamp::new(&metadata, now)))
    }
}

/// The stamp from before the read: what is written meanwhile shows as a difference at the next look.
fn read(path: &Path, now: SystemTime) -> io::Result<(Stamp, Vec<u8>)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("larger than {MAX_FILE} bytes"),
        ));
    }
    Ok((Stamp::new(&metadata, now), bytes))
}

fn parse(role: Role, name: &str, shown: &Path, bytes: io::Result<Vec<u8>>) -> Body {
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) => {
            return Body::Bad(ViewError::new(
                ViewErrorKind::File,
                shown,
                format!("cannot be read: {error}"),
                "Make it readable for this user, or remove it; the next request tries again.",
            ));
        }
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Body::Bad(not_utf8(shown, &error)),
    };
    // Some editors put it before a text; it is no part of that.
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    };
    match role {
        Role::Template => {
            let tags = tags(&text);
            Body::Template {
                references: scan_tags(&text, &tags),
                extracted: Box::new(extract(name, &text, &tags)),
                text,
            }
        }
        Role::Data => match parse_json(shown, &text) {
            Ok(value) => Body::Data(value),
            Err(error) => Body::Bad(error),
        },
    }
}

fn not_utf8(shown: &Path, error: &FromUtf8Error) -> ViewError {
    let valid = error.utf8_error().valid_up_to();
    // Up to `valid` this is the text unchanged, so the place is the same in it.
    let text = String::from_utf8_lossy(error.as_bytes());
    ViewError::at(
        ViewErrorKind::File,
        shown,
        &text,
        position(&text, valid),
        "this is not UTF-8",
        "Save the file as UTF-8; the next request reads it again.",
    )
}

fn parse_json(shown: &Path, text: &str) -> Result<Value, ViewError> {
    let parsed = serde_json::from_str::<serde_json::Value>(text).map_err(|error| {
        let position = Position {
            line: error.line().max(1),
            column: error.column().max(1),
        };
        let message = error.to_string();
        // The place is shown in the error's own way.
        let message = message.split(" at line ").next().unwrap_or(&message);
        ViewError::at(
            ViewErrorKind::Data,
            shown,
            text,
            position,
            format!("this is not JSON: {message}"),
            "Correct the data and save it; the next request reads it again.",
        )
    })?;
    Value::try_from_serializable(&parsed).map_err(|error| {
        ViewError::new(
            ViewErrorKind::Data,
            shown,
            format!("the template engine cannot take this data: {error}"),
            "Use objects, arrays, strings, numbers, true, false and null.",
        )
    })
}
