use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dogpile::paths::in_a_line;

/// What went wrong in a site: the file, the place in it, what is wrong there and what to do.
///
/// Its text is for a person and has several lines: `file:line:column: message`, the line itself with a caret, and the
/// remedy. It is one pointer, and a clone is cheap.
#[derive(Clone)]
pub struct ViewError(Arc<Details>);

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ViewErrorKind {
    /// The folder is not a site, or cannot be read.
    Folder,
    /// A file cannot be read, is too large, or is not UTF-8.
    File,
    /// A template is not well-formed, or refers to something that does not exist.
    Template,
    /// A data file is not JSON.
    Data,
    /// A template failed while it was rendered.
    Render,
}

struct Details {
    kind: ViewErrorKind,
    file: PathBuf,
    place: Option<Place>,
    message: String,
    remedy: String,
}

/// A place in a file, with the text of its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in characters.
    pub(crate) column: usize,
}

struct Place {
    position: Position,
    source: String,
}

impl ViewError {
    pub(crate) fn new(
        kind: ViewErrorKind,
        file: &Path,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self(Arc::new(Details {
            kind,
            file: file.to_owned(),
            place: None,
            message: message.into(),
            remedy: remedy.into(),
        }))
    }

    /// The same, at a place in `text`, which is the content of the file.
    pub(crate) fn at(
        kind: ViewErrorKind,
        file: &Path,
        text: &str,
        position: Position,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let source = text
            .lines()
            .nth(position.line.saturating_sub(1))
            .unwrap_or("")
            .to_owned();
        Self(Arc::new(Details {
            kind,
            file: file.to_owned(),
            place: Some(Place { position, source }),
            message: message.into(),
            remedy: remedy.into(),
        }))
    }

    /// The kind.
    pub fn kind(&self) -> ViewErrorKind {
        self.0.kind
    }

    /// The file or folder, spelled as the site's folder was given.
    pub fn file(&self) -> &Path {
        &self.0.file
    }

    /// The line in the file, from 1, where the error has one.
    pub fn line(&self) -> Option<usize> {
        self.0.place.as_ref().map(|place| place.position.line)
    }

    /// The column in the line, from 1 and in characters, where the error has one.
    pub fn column(&self) -> Option<usize> {
        self.0.place.as_ref().map(|place| place.position.column)
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it.
    pub fn remedy(&self) -> &str {
        &self.0.remedy
    }
}

impl fmt::Display for ViewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", in_a_line(&self.0.file))?;
        let Some(place) = &self.0.place else {
            return write!(f, ": {}\n{}", self.0.message, self.0.remedy);
        };
        let Position { line, column } = place.position;
        writeln!(f, ":{line}:{column}: {}", self.0.message)?;
        let gutter = line.to_string().len();
        writeln!(f, "{line} | {}", place.source)?;
        // Tabs are kept, so that the caret stands under its character.
        let indent: String = place
            .source
            .chars()
            .take(column.saturating_sub(1))
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        writeln!(f, "{:gutter$} | {indent}^", "")?;
        f.write_str(&self.0.remedy)
    }
}

impl fmt::Debug for ViewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ViewError")
            .field("kind", &self.kind())
            .field("file", &self.file())
            .field("line", &self.line())
            .field("message", &self.message())
            .finish_non_exhaustive()
    }
}

impl std::error::Error for ViewError {}
