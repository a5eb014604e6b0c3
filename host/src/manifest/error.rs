use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use unicode_width::UnicodeWidthChar;

use super::Manifest;
use crate::paths;
use crate::secrets::Secrets;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// The manifest cannot be used.
    Error,
    /// The manifest works, but probably not as its author wants.
    Warning,
}

/// One line of a manifest with the part that a finding is about. Secrets are already masked in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// The line, shortened if it is very long, without control characters other than tabs.
    pub(super) text: String,
    /// The first marked character of `text`.
    pub(super) start: usize,
    /// How many characters are marked; at least one.
    pub(super) length: usize,
}

/// One thing that is wrong with a manifest: where, what, and what would be right.
///
/// `Display` gives several lines, without a newline at the end:
///
/// ```text
/// dogpile.toml:3:1: error: unknown key `backnd` in [regions.users]
///   |
/// 3 | backnd = "memory"
///   | ^^^^^^
///   = help: did you mean `backend`?
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ManifestError {
    pub(super) severity: Severity,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<Cow<'static, str>>,
    #[serde(serialize_with = "paths::in_json")]
    pub(super) file: PathBuf,
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) message: String,
    pub(super) remedy: String,
    #[serde(skip)]
    pub(super) excerpt: Option<Excerpt>,
    /// Whether its cause is not what the file says: it may go without a change of that.
    #[serde(skip)]
    pub(super) outside: bool,
}

impl ManifestError {
    /// A finding about a file as a whole, such as one that cannot be read.
    pub(super) fn about_file(
        file: &Path,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            code: None,
            file: file.to_path_buf(),
            line: 0,
            column: 0,
            message: message.into(),
            remedy: remedy.into(),
            excerpt: None,
            outside: false,
        }
    }

    /// As one whose cause is not what the file says: a server that is down, whose file another one is.
    #[must_use]
    pub(crate) fn of_outside(mut self) -> Self {
        self.outside = true;
        self
    }

    /// With what an operator can search for: shown as `error[code]`, and as `code` in JSON.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// What an operator can search for, where a plugin is at fault.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Without secrets.
    pub(super) fn masked(self, secrets: &Secrets) -> Self {
        Self {
            message: secrets.mask(&self.message),
            remedy: secrets.mask(&self.remedy),
            ..self
        }
    }

    /// Error or warning.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// The file, spelled as the caller spelled the manifest's path.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The line, from 1; 0 when the file as a whole is meant (it is missing, say).
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, from 1; 0 when the file as a whole is meant.
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What would be right.
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", paths::in_a_line(&self.file))?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, ": {severity}")?;
        if let Some(code) = &self.code {
            write!(f, "[{code}]")?;
        }
        write!(f, ": {}", self.message)?;
        let mut gutter = 1;
        if let Some(excerpt) = &self.excerpt {
            gutter = self.line.to_string().len();
            // Tabs are repeated under the line, so that the caret stands right at any tab width. Other characters are as
            // wide as a terminal shows them.
            let before = excerpt.text.chars().take(excerpt.start);
            let indent: String = before
                .map(|c| match c {
                    '\t' => "\t".to_owned(),
                    c => " ".repeat(c.width().unwrap_or(0)),
                })
                .collect();
            let marked = excerpt.text.chars().skip(excerpt.start);
            let marked = marked
                .take(excerpt.length)
                .filter_map(UnicodeWidthChar::width);
            write!(f, "\n{:gutter$} |", "")?;
            write!(f, "\n{} | {}", self.line, excerpt.text)?;
            write!(
                f,
                "\n{:gutter$} | {indent}{}",
                "",
                "^".repeat(marked.sum::<usize>().max(1))
            )?;
        }
        if !self.remedy.is_empty() {
            write!(f, "\n{:gutter$} = help: {}", "", self.remedy)?;
        }
        Ok(())
    }
}

impl std::error::Error for ManifestError {}

/// Everything that is wrong with a manifest, in the order of files and lines; never empty.
///
/// `Display` prints all of it, a blank line between two, and the number of errors at the end.
#[derive(Clone, Debug)]
pub struct ManifestErrors {
    errors: Vec<ManifestError>,
    inputs: Vec<PathBuf>,
    content_hash: String,
    readable: Option<Arc<Manifest>>,
}

impl ManifestErrors {
    pub(super) fn new(
        errors: Vec<ManifestError>,
        inputs: Vec<PathBuf>,
        content_hash: String,
    ) -> Self {
        Self {
            errors,
            inputs,
            content_hash,
            readable: None,
        }
    }

    pub(super) fn with_readable(self, manifest: Manifest) -> Self {
        Self {
            readable: Some(Arc::new(manifest)),
            ..self
        }
    }

    /// What could be read in spite of the errors, to look for more of them: the plugins and regions that are right by
    /// themselves. `None` where the text is damaged, since nobody knows then what was meant. It must not be applied.
    pub fn readable(&self) -> Option<&Manifest> {
        self.readable.as_deref()
    }

    /// With what else was found in [`readable`](Self::readable), or in a manifest without errors.
    #[must_use]
    pub fn and(mut self, manifest: &Manifest, more: Vec<ManifestError>) -> Self {
        self.errors.extend(more);
        self.errors.sort_by_key(|error| manifest.order_of(error));
        self
    }

    /// The errors one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, ManifestError> {
        self.errors.iter()
    }

    /// The number of errors; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.errors.len()
    }

    /// Whether all of them may go without a change of what was read.
    pub(crate) fn may_pass(&self) -> bool {
        self.errors.iter().all(|error| error.outside)
    }

    /// What was read, or should have been: what must be watched for the repair.
    pub fn inputs(&self) -> &[PathBuf] {
        &self.inputs
    }

    /// The hash over what was read, as [`Manifest::content_hash`](super::Manifest::content_hash):
    /// while it stays the same, reading again gives the same errors.
    pub fn content_hash(&self) -> &str {
        &self.content_hash
    }
}

impl<'a> IntoIterator for &'a ManifestErrors {
    type Item = &'a ManifestError;
    type IntoIter = std::slice::Iter<'a, ManifestError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for ManifestErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            write!(f, "{error}\n\n")?;
        }
        match self.errors.len() {
            1 => f.write_str("1 error"),
            n => write!(f, "{n} errors"),
        }
    }
}

impl std::error::Error for ManifestErrors {}
