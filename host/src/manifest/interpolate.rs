use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::include::read_text;

/// Reads the environment: a value, nothing, or why it cannot be used.
pub(super) type Environment<'e> = dyn Fn(&str) -> Result<Option<String>, String> + 'e;

/// What stands for an interpolated part where secrets must not appear.
const MASK: &str = "***";

const FORMS: &str =
    "write ${NAME}, ${NAME:-default}, ${NAME:?message} or ${file:PATH}, and $$ for a dollar";

/// A string after interpolation.
#[derive(Default)]
pub(super) struct Expansion {
    pub(super) value: String,
    /// `value` with every interpolated part replaced by `***`.
    pub(super) masked: String,
    pub(super) interpolated: bool,
    pub(super) problems: Vec<Problem>,
}

/// Something wrong at a place of the string, in bytes.
pub(super) struct Problem {
    pub(super) at: Range<usize>,
    pub(super) message: String,
    pub(super) remedy: String,
}

/// Replaces `${…}` in strings. A variable and a file are read once for a whole load, so that one
/// manifest never sees two values, and what was read can be hashed.
pub(super) struct Interpolator<'e> {
    environment: &'e Environment<'e>,
    folder: PathBuf,
    variables: BTreeMap<String, Result<Option<String>, String>>,
    files: BTreeMap<String, Result<String, String>>,
}

impl<'e> Interpolator<'e> {
    pub(super) fn new(environment: &'e Environment<'e>, folder: &Path) -> Self {
        Self {
            environment,
            folder: folder.to_path_buf(),
            variables: BTreeMap::new(),
            files: BTreeMap::new(),
        }
    }

    /// Every variable asked for, with what was found.
    pub(super) fn variables(&self) -> &BTreeMap<String, Result<Option<String>, String>> {
        &self.variables
    }

    /// Every file asked for, as the manifest spells it, with its text.
    pub(super) fn files(&self) -> &BTreeMap<String, Result<String, String>> {
        &self.files
    }

    /// Where the files of [`files`](Self::files) are.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    pub(super) fn expand(&mut self, text: &str) -> Expansion {
        let mut expansion = Expansion::default();
        let mut at = 0;
        while let Some(found) = text[at..].find('$') {
            let dollar = at + found;
            expansion.literal(&text[at..dollar]);
            let rest = &text[dollar + 1..];
            if rest.starts_with('$') {
                expansion.literal("$");
                at = dollar + 2;
            } else if let Some(inner) = rest.strip_prefix('{') {
                let Some(length) = inner.find('}') else {
                    expansion.problem(dollar..text.len(), "`${` is not closed", FORMS);
                    return expansion;
                };
                at = dollar + length + 3;
                match self.resolve_expression(&inner[..length]) {
                    Ok(value) => {
                        expansion.value.push_str(&value);
                        expansion.masked.push_str(MASK);
                        expansion.interpolated = true;
                    }
                    Err((message, remedy)) => expansion.problem(dollar..at, message, remedy),
                }
            } else {
                expansion.problem(dollar..dollar + 1, "a dollar that begins nothing", FORMS);
                at = dollar + 1;
            }
        }
        expansion.literal(&text[at..]);
        expansion
    }

    /// What is between the braces.
    fn resolve_expression(&mut self, inner: &str) -> Result<String, (String, String)> {
        if let Some(path) = inner.strip_prefix("file:") {
            return self.file(path);
        }
        let (name, operator) = match inner.find(':') {
            Some(colon) => inner.split_at(colon),
            None => (inner, ""),
        };
        if !is_name(name) {
            return Err((
                format!("`{name}` is not a variable's name"),
                format!("a name has letters, digits and _, and no digit first; {FORMS}"),
            ));
        }
        if operator.contains("${") {
            return Err((
                "`${…}` inside `${…}` is not supported".into(),
                "write the default as plain text".into(),
            ));
        }
        let value = self.variable(name)?;
        if operator.is_empty() {
            return value.ok_or_else(|| {
                (
                    format!("the environment variable `{name}` is not set"),
                    format!("set it, or give a default: ${{{name}:-default}}"),
                )
            });
        }
        // As in the shell: with a colon, an empty variable counts as not set.
        let value = value.filter(|value| !value.is_empty());
        if let Some(default) = operator.strip_prefix(":-") {
            Ok(value.unwrap_or_else(|| default.into()))
        } else if let Some(message) = operator.strip_prefix(":?") {
            value.ok_or_else(|| {
                let message = if message.is_empty() {
                    "it is not set or empty"
                } else {
                    message
                };
                (
                    format!("the environment variable `{name}` is required: {message}"),
                    "set it".into(),
                )
            })
        } else {
            Err((
                format!("`{operator}` after `{name}` means nothing"),
                FORMS.into(),
            ))
        }
    }

    fn variable(&mut self, name: &str) -> Result<Option<String>, (String, String)> {
        if !self.variables.contains_key(name) {
            self.variables.insert(name.into(), (self.environment)(name));
        }
        self.variables[name].clone().map_err(|reason| {
            (
                format!("the environment variable `{name}` {reason}"),
                "set it to UTF-8 text".into(),
            )
        })
    }

    fn file(&mut self, path: &str) -> Result<String, (String, String)> {
        if path.is_empty() {
            return Err(("`${file:}` names no file".into(), FORMS.into()));
        }
        if !self.files.contains_key(path) {
            let text = read_text(&self.resolve(path)).map_err(|error| error.message());
            self.files.insert(path.into(), text);
        }
        match &self.files[path] {
            Ok(text) => {
                let text = text.strip_suffix('\n').unwrap_or(text);
                Ok(text.strip_suffix('\r').unwrap_or(text).into())
            }
            Err(reason) => Err((
                format!("`{path}` {reason}"),
                "name a readable text file; a relative path starts at the manifest's folder".into(),
            )),
        }
    }
}

impl Expansion {
    fn literal(&mut self, text: &str) {
        self.value.push_str(text);
        self.masked.push_str(text);
    }

    fn problem(&mut self, at: Range<usize>, message: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(Problem {
            at,
            message: message.into(),
            remedy: remedy.into(),
        });
    }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Where a part of a decoded string stands in its source. `raw` is the source of the whole value
/// with its quotes. Found by counting dollars; if escapes hide some of them, the whole value.
pub(super) fn locate(raw: &str, decoded: &str, at: &Range<usize>) -> Range<usize> {
    let whole = 0..raw.len();
    let dollars = |text: &str| text.bytes().filter(|&b| b == b'$').count();
    if dollars(raw) != dollars(decoded) {
        return whole;
    }
    let before = dollars(&decoded[..at.start]);
    let Some((start, _)) = raw.match_indices('$').nth(before) else {
        return whole;
    };
    let part = &decoded[at.clone()];
    if raw[start..].starts_with(part) {
        start..start + part.len()
    } else {
        start..start + 1
    }
}
