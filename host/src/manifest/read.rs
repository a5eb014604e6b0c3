use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::error::{ManifestError, Severity};
use super::interpolate::{Interpolator, locate};
use super::source::{Place, Source};

/// Where everything of the manifest stands: the key and the value, by path.
pub(super) type Places = BTreeMap<Vec<String>, (Place, Place)>;

/// A finding before it is known whether it is worth telling.
pub(super) struct Finding {
    pub(super) source: usize,
    pub(super) span: Range<usize>,
    /// Says that something is missing: in a file with syntax errors that may be untrue.
    pub(super) absence: bool,
    pub(super) error: ManifestError,
}

/// Reads one file's tree: typed getters that note what is wrong and where, and go on.
pub(super) struct Reader<'a, 'e> {
    pub(super) index: usize,
    pub(super) source: Arc<Source>,
    pub(super) interpolator: &'a mut Interpolator<'e>,
    pub(super) findings: &'a mut Vec<Finding>,
    pub(super) places: &'a mut Places,
    /// Interpolated values by path, as they may be shown.
    pub(super) masked: &'a mut BTreeMap<Vec<String>, String>,
}

/// A key and its value.
#[derive(Clone)]
pub(super) struct Item<'t> {
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) path: Vec<String>,
    pub(super) value: &'t Spanned<DeValue<'t>>,
}

impl Item<'_> {
    pub(super) fn span(&self) -> Range<usize> {
        self.value.span()
    }
}

/// A string after interpolation.
pub(super) struct Text {
    pub(super) value: String,
    /// The string for a message: as written, if it was interpolated.
    pub(super) shown: String,
    pub(super) interpolated: bool,
}

/// A table whose keys are taken one by one; what is left at the end is unknown.
pub(super) struct Table<'t> {
    entries: &'t DeTable<'t>,
    pub(super) path: Vec<String>,
    /// Where to point when a key is missing.
    pub(super) header: Range<usize>,
    taken: Vec<&'static str>,
}

impl<'t> Table<'t> {
    pub(super) fn new(entries: &'t DeTable<'t>, path: Vec<String>, header: Range<usize>) -> Self {
        Self {
            entries,
            path,
            header,
            taken: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, key: &'static str) -> Option<Item<'t>> {
        self.taken.push(key);
        let (key, value) = self.entries.get_key_value(key)?;
        Some(self.item(key, value))
    }

    /// Whether these are the keys that were asked for, given or not.
    pub(super) fn took_exactly(&self, keys: impl Iterator<Item = &'static str>) -> bool {
        let keys: Vec<_> = keys.collect();
        let is_known = |key: &&str| keys.contains(key);
        keys.iter().all(|key| self.taken.contains(key)) && self.taken.iter().all(is_known)
    }

    /// Every key that was not taken.
    pub(super) fn rest(&self) -> Vec<Item<'t>> {
        self.entries
            .iter()
            .filter(|(key, _)| !self.taken.contains(&key.get_ref().as_ref()))
            .map(|(key, value)| self.item(key, value))
            .collect()
    }

    fn item(
        &self,
        key: &Spanned<std::borrow::Cow<'t, str>>,
        value: &'t Spanned<DeValue<'t>>,
    ) -> Item<'t> {
        let name = key.get_ref().to_string();
        let mut path = self.path.clone();
        path.push(name.clone());
        Item {
            key: name,
            key_span: key.span(),
            path,
            value,
        }
    }

    /// `[a.b]`, for messages.
    pub(super) fn title(&self) -> String {
        if self.path.is_empty() {
            "the manifest".into()
        } else {
            format!("[{}]", self.path.join("."))
        }
    }
}

impl Reader<'_, '_> {
    pub(super) fn error(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.finding(Severity::Error, false, span, message.into(), remedy.into());
    }

    /// As [`error`](Self::error), about what is not as the text expects.
    pub(super) fn error_of_outside(
        &mut self,
        span: Range<usize>,
        message: String,
        remedy: impl Into<String>,
    ) {
        let error = self
            .source
            .finding(Severity::Error, &span, message, remedy.into());
        self.findings.push(Finding {
            source: self.index,
            absence: false,
            error: error.of_outside(),
            span,
        });
    }

    /// As [`error`](Self::error), about a key whose value is not shown.
    pub(super) fn error_without_value(
        &mut self,
        span: Range<usize>,
        message: String,
        remedy: String,
    ) {
        let error = self
            .source
            .finding_without_value(Severity::Error, &span, message, remedy);
        self.findings.push(Finding {
            source: self.index,
            absence: false,
            error,
            span,
        });
    }

    pub(super) fn missing(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.finding(Severity::Error, true, span, message.into(), remedy.into());
    }

    pub(super) fn warning(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.finding(Severity::Warning, true, span, message.into(), remedy.into());
    }

    fn finding(
        &mut self,
        severity: Severity,
        absence: bool,
        span: Range<usize>,
        message: String,
        remedy: String,
    ) {
        self.findings.push(Finding {
            source: self.index,
            absence,
            error: self.source.finding(severity, &span, message, remedy),
            span,
        });
    }

    pub(super) fn wrong_type(&mut self, item: &Item<'_>, wanted: &str, remedy: &str) {
        let found = item.value.get_ref().type_str();
        let article = if "aeiou".contains(&found[..1]) {
            "an"
        } else {
            "a"
        };
        self.error(
            item.span(),
            format!("`{}` must be {wanted}, not {article} {found}", item.key),
            remedy,
        );
    }

    pub(super) fn table<'t>(&mut self, item: &Item<'t>, remedy: &str) -> Option<Table<'t>> {
        if let DeValue::Table(table) = item.value.get_ref() {
            let header = self.header(item);
            return Some(Table::new(table, item.path.clone(), header));
        }
        self.wrong_type(item, "a table", remedy);
        None
    }

    /// `[a.b]` where the table has a header, else its key.
    fn header(&self, item: &Item<'_>) -> Range<usize> {
        let span = item.span();
        if self.source.text()[span.start..].starts_with('[') {
            span
        } else {
            item.key_span.clone()
        }
    }

    pub(super) fn text(&mut self, item: &Item<'_>, remedy: &str) -> Option<Text> {
        if let DeValue::String(text) = item.value.get_ref() {
            return self.expand(&item.path, item.span(), text);
        }
        self.wrong_type(item, "a string", remedy);
        None
    }

    /// Interpolates one string; `None` if that failed.
    pub(super) fn expand(
        &mut self,
        path: &[String],
        span: Range<usize>,
        text: &str,
    ) -> Option<Text> {
        let expansion = self.interpolator.expand(text);
        if expansion.problems.is_empty() {
            if expansion.interpolated {
                self.masked.insert(path.to_vec(), expansion.masked);
            }
            return Some(Text {
                shown: if expansion.interpolated {
                    expansion.written
                } else {
                    expansion.value.clone()
                },
                value: expansion.value,
                interpolated: expansion.interpolated,
            });
        }
        let source = Arc::clone(&self.source);
        let raw = &source.text()[span.clone()];
        for problem in expansion.problems {
            let at = locate(raw, text, &problem.at);
            let at = span.start + at.start..span.start + at.end;
            let (message, remedy) = (problem.fault.message, problem.fault.remedy);
            if problem.fault.outside {
                self.error_of_outside(at, message, remedy);
            } else {
                self.error(at, message, remedy);
            }
        }
        None
    }

    pub(super) fn array<'t>(&mut self, item: &Item<'t>, remedy: &str) -> Option<Vec<Item<'t>>> {
        if let DeValue::Array(items) = item.value.get_ref() {
            return Some(elements(item, items));
        }
        self.wrong_type(item, "an array", remedy);
        None
    }

    /// Remembers where everything below a table stands. What is defined first stays.
    pub(super) fn remember(&mut self, table: &Table<'_>) {
        for item in table.rest() {
            self.remember_item(&item);
        }
    }

    fn remember_item(&mut self, item: &Item<'_>) {
        let place = |span| Place {
            source: self.index,
            span,
        };
        let value = match item.value.get_ref() {
            DeValue::Table(_) => self.header(item),
            _ => item.span(),
        };
        let (key, value) = (place(item.key_span.clone()), place(value));
        self.places.entry(item.path.clone()).or_insert((key, value));
        match item.value.get_ref() {
            DeValue::Table(table) => {
                self.remember(&Table::new(table, item.path.clone(), item.span()));
            }
            DeValue::Array(items) => {
                for element in elements(item, items) {
                    self.remember_item(&element);
                }
            }
            _ => {}
        }
    }
}

pub(super) fn elements<'t>(item: &Item<'t>, items: &'t DeArray<'t>) -> Vec<Item<'t>> {
    items
        .iter()
        .enumerate()
        .map(|(index, value)| {
            let mut path = item.path.clone();
            path.push(index.to_string());
            Item {
                key: format!("{}[{index}]", item.key),
                key_span: value.span(),
                path,
                value,
            }
        })
        .collect()
}
