use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::include::read_text;
use crate::secrets::{MASK, Secrets, names_a_secret, readable, value_without_credentials};
use crate::trust::Trust;

/// Reads the environment: a value, nothing, or why it cannot be used.
pub(super) type Environment<'e> = dyn Fn(&str) -> Result<Option<String>, String> + 'e;

const FORMS: &str =
    "write ${NAME}, ${NAME:-default}, ${NAME:?message} or ${file:PATH}, and $$ for a dollar";

/// A string after interpolation.
#[derive(Default)]
pub(super) struct Expansion {
    pub(super) value: String,
    /// `value` with every interpolated part replaced by `***`.
    pub(super) masked: String,
    /// The text as it was written, without defaults.
    pub(super) written: String,
    pub(super) interpolated: bool,
    pub(super) problems: Vec<Problem>,
}

/// Something wrong at a place of the string, in bytes.
pub(super) struct Problem {
    pub(super) at: Range<usize>,
    pub(super) fault: Fault,
}

/// Why nothing can be put in.
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) remedy: String,
    /// The text is right, but a variable or a file is not.
    pub(super) outside: bool,
}

impl Fault {
    fn of_text(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            remedy: remedy.into(),
            outside: false,
        }
    }

    fn of_outside(message: String, remedy: impl Into<String>) -> Self {
        Self {
            outside: true,
            ..Self::of_text(message, remedy)
        }
    }
}

/// Replaces `${…}` in strings. A variable and a file are read once for a whole load, so that one
/// manifest never sees two values, and what was read can be hashed.
pub(super) struct Interpolator<'e> {
    environment: &'e Environment<'e>,
    folder: PathBuf,
    variables: BTreeMap<String, Result<Option<String>, String>>,
    files: BTreeMap<String, Result<String, String>>,
    /// All that was put in, and URLs.
    pub(super) secrets: Secrets,
}

impl<'e> Interpolator<'e> {
    pub(super) fn new(environment: &'e Environment<'e>, folder: &Path) -> Self {
        Self {
            environment,
            folder: folder.to_path_buf(),
            variables: BTreeMap::new(),
            files: BTreeMap::new(),
            secrets: Secrets::default(),
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
        let expansion = self.replace(text);
        self.secrets
            .add_variable(&expansion.value, &expansion.masked);
        let shown = value_without_credentials(&expansion.value);
        self.secrets.add(&expansion.value, &shown);
        expansion
    }

    fn replace(&mut self, text: &str) -> Expansion {
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
                    let fault = Fault::of_text("`${` is not closed", FORMS);
                    expansion.problem(dollar..text.len(), fault);
                    return expansion;
                };
                at = dollar + length + 3;
                let inner = &inner[..length];
                match self.resolve_expression(inner) {
                    Ok(value) => {
                        if inner.starts_with("file:") || names_a_secret(inner) {
                            self.secrets.add(&value, MASK);
                        } else {
                            self.secrets.add_variable(&value, MASK);
                        }
                        expansion.interpolated(&value, inner);
                    }
                    Err(fault) => expansion.problem(dollar..at, fault),
                }
            } else {
                let fault = Fault::of_text("a dollar that begins nothing", FORMS);
                expansion.problem(dollar..dollar + 1, fault);
                at = dollar + 1;
            }
        }
        expansion.literal(&text[at..]);
        expansion
    }

    /// What is between the braces.
    fn resolve_expression(&mut self, inner: &str) -> Result<String, Fault> {
        if let Some(path) = inner.strip_prefix("file:") {
            return self.file(path);
        }
        let (name, operator) = match inner.find(':') {
            Some(colon) => inner.split_at(colon),
            None => (inner, ""),
        };
        if !is_name(name) {
            let shown = without_default(name);
            return Err(Fault::of_text(
                format!("`{shown}` is not a variable's name"),
                format!("a name has letters, digits and _, and no digit first; {FORMS}"),
            ));
        }
        if operator.contains("${") {
            return Err(Fault::of_text(
                "`${…}` inside `${…}` is not supported",
                "write the default as plain text",
            ));
        }
        let value = self.variable(name)?;
        if operator.is_empty() {
            return value.ok_or_else(|| {
                Fault::of_outside(
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
                Fault::of_outside(
                    format!("the environment variable `{name}` is required: {message}"),
                    "set it",
                )
            })
        } else {
            let shown = &without_default(inner)[name.len()..];
            Err(Fault::of_text(
                format!("`{shown}` after `{name}` means nothing"),
                FORMS,
            ))
        }
    }

    fn variable(&mut self, name: &str) -> Result<Option<String>, Fault> {
        if !self.variables.contains_key(name) {
            self.variables.insert(name.into(), (self.environment)(name));
        }
        self.variables[name].clone().map_err(|reason| {
            Fault::of_outside(
                format!("the environment variable `{name}` {reason}"),
                "set it to UTF-8 text",
            )
        })
    }

    fn file(&mut self, path: &str) -> Result<String, Fault> {
        if path.is_empty() {
            return Err(Fault::of_text("`${file:}` names no file", FORMS));
        }
        if !self.files.contains_key(path) {
            let text = read_text(&self.resolve(path), Trust::Off).map_err(|error| error.message());
            self.files.insert(path.into(), text);
        }
        match &self.files[path] {
            Ok(text) => {
                let text = text.strip_suffix('\n').unwrap_or(text);
                Ok(text.strip_suffix('\r').unwrap_or(text).into())
            }
            Err(reason) => Err(Fault::of_outside(
                format!("`{path}` {reason}"),
                "name a readable text file; a relative path starts at the manifest's folder",
            )),
        }
    }
}

impl Expansion {
    fn literal(&mut self, text: &str) {
        self.value.push_str(text);
        self.masked.push_str(text);
        self.written.push_str(if text == "$" { "$$" } else { text });
    }

    fn interpolated(&mut self, value: &str, inner: &str) {
        self.value.push_str(value);
        self.masked.push_str(MASK);
        self.written.extend(["${", &without_default(inner), "}"]);
        self.interpolated = true;
    }

    fn problem(&mut self, at: Range<usize>, fault: Fault) {
        self.problems.push(Problem { at, fault });
    }
}

/// What is between the braces, with a default replaced by `***`.
fn without_default(inner: &str) -> String {
    let (shown, hidden) = inner.split_at(readable(inner));
    let mask = if hidden.is_empty() { "" } else { MASK };
    format!("{shown}{mask}")
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

#[cfg(test)]
mod tests {
    use super::{Expansion, Interpolator, locate};
    use std::cell::Cell;
    use std::path::Path;

    fn expand(text: &str) -> Expansion {
        let environment = |name: &str| match name {
            "A" => Ok(Some("one".to_owned())),
            "EMPTY" => Ok(Some(String::new())),
            "DOLLARS" => Ok(Some("${A}$$".to_owned())),
            "BAD" => Err("is not UTF-8 text".to_owned()),
            _ => Ok(None),
        };
        Interpolator::new(&environment, Path::new("")).expand(text)
    }

    #[test]
    fn variables_are_replaced() {
        for (text, value, masked) in [
            ("plain", "plain", "plain"),
            ("", "", ""),
            ("${A}", "one", "***"),
            ("x${A}y${A}z", "xoneyonez", "x***y***z"),
            ("${NONE:-two}", "two", "***"),
            ("${NONE:-}", "", "***"),
            ("${EMPTY:-two}", "two", "***"),
            ("${EMPTY}", "", "***"),
            ("${A:-two}${A:?needed}", "oneone", "******"),
            ("${NONE:-a:-b?c}", "a:-b?c", "***"),
            ("$$", "$", "$"),
            ("$${A}", "${A}", "${A}"),
            ("$$${A}", "$one", "$***"),
            ("ä${A}ö", "äoneö", "ä***ö"),
        ] {
            let expansion = expand(text);
            assert!(expansion.problems.is_empty(), "{text}");
            assert_eq!(expansion.value, value, "{text}");
            assert_eq!(expansion.masked, masked, "{text}");
            assert_eq!(
                expansion.interpolated,
                text != masked && masked.contains("***")
            );
        }
    }

    #[test]
    fn what_a_variable_holds_is_not_interpolated_again() {
        assert_eq!(expand("${DOLLARS}").value, "${A}$$");
    }

    #[test]
    fn every_problem_of_a_string_is_told_with_its_place() {
        let text = "a $ ${NONE} ${1} ${A:+x} ${BAD} ${NONE:?say why} ${";
        let problems = expand(text).problems;
        let places: Vec<&str> = problems.iter().map(|p| &text[p.at.clone()]).collect();
        assert_eq!(
            places,
            [
                "$",
                "${NONE}",
                "${1}",
                "${A:+x}",
                "${BAD}",
                "${NONE:?say why}",
                "${"
            ]
        );
        let outside: Vec<bool> = problems.iter().map(|p| p.fault.outside).collect();
        assert_eq!(outside, [false, true, false, false, true, true, false]);
        assert!(problems[5].fault.message.ends_with("say why"));
        assert!(problems[4].fault.message.ends_with("is not UTF-8 text"));
    }

    #[test]
    fn a_variable_is_asked_for_once() {
        let asked = Cell::new(0);
        let environment = |_: &str| {
            asked.set(asked.get() + 1);
            Ok(Some(asked.get().to_string()))
        };
        let mut interpolator = Interpolator::new(&environment, Path::new(""));
        assert_eq!(interpolator.expand("${A}${A}").value, "11");
        assert_eq!(interpolator.expand("${A}").value, "1");
        assert_eq!(asked.get(), 1);
    }

    #[test]
    fn one_newline_at_the_end_of_a_file_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let environment = |_: &str| Ok(None);
        for (content, value) in [
            ("x", "x"),
            ("x\n", "x"),
            ("x\n\n", "x\n"),
            ("x\r\n", "x"),
            ("\n", ""),
        ] {
            std::fs::write(folder.path().join("secret"), content).unwrap();
            let mut interpolator = Interpolator::new(&environment, folder.path());
            let expansion = interpolator.expand("<${file:secret}>");
            assert_eq!(expansion.value, format!("<{value}>"));
            assert_eq!(expansion.masked, "<***>");
        }
    }

    #[test]
    fn places_are_found_behind_escapes() {
        let raw = r#""a\t\"${A} ${B}""#;
        let decoded = "a\t\"${A} ${B}";
        assert_eq!(&raw[locate(raw, decoded, &(3..7))], "${A}");
        assert_eq!(&raw[locate(raw, decoded, &(8..12))], "${B}");
        assert_eq!(locate("\"\\u0024{A}\"", "${A}", &(0..4)), 0..11);
    }
}
