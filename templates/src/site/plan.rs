use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};
use tera::{Context, ErrorKind, Map, Tera, Value};

use super::closure::{Closure, Providers, Templates};
use super::error::{Position, SiteError, SiteErrorKind};
use super::files::{Body, Content, Tracked};
use super::filters;

/// Bytes of stack for the engine, of which only what is used takes memory. It recurses by about 80 KiB a level in a
/// debug build, and templates, blocks and components can be nested deeper than a thread's own stack bears.
const STACK: usize = 64 << 20;

pub(crate) type DataFiles = BTreeMap<String, Tracked>;

/// A page: all that it is made of, and the engine compiled from that when it is first rendered.
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) digest: String,
    templates: BTreeMap<String, Arc<Content>>,
    data: BTreeMap<String, Arc<Content>>,
    fault: Option<SiteError>,
    compiled: OnceLock<Result<Compiled, SiteError>>,
}

struct Compiled {
    tera: Tera,
    data: Value,
}

impl Plan {
    pub(crate) fn new(
        name: &str,
        path: String,
        templates: &Templates,
        providers: &Providers,
        data: &DataFiles,
    ) -> Self {
        let closure = Closure::of(name, templates, providers);
        let templates = closure
            .members
            .iter()
            .map(|member| (member.clone(), Arc::clone(&templates[member].content)))
            .collect();
        let used = &closure.data;
        let data = data
            .iter()
            .filter(|(stem, _)| used.all || used.stems.contains(*stem))
            .map(|(stem, tracked)| (stem.clone(), Arc::clone(&tracked.content)))
            .collect();
        Self {
            digest: digest(name, &templates, &closure.missing, &data),
            name: name.to_owned(),
            path,
            templates,
            data,
            fault: closure.fault,
            compiled: OnceLock::new(),
        }
    }

    /// What is wrong with the page, as far as it shows without rendering.
    pub(crate) fn check(&self) -> Option<SiteError> {
        self.compiled().err()
    }

    fn compiled(&self) -> Result<&Compiled, SiteError> {
        let compiled = self.compiled.get_or_init(|| self.compile());
        compiled.as_ref().map_err(SiteError::clone)
    }

    pub(crate) fn render(&self, mut context: Context) -> Result<String, SiteError> {
        let compiled = self.compiled()?;
        context.insert_value("data", compiled.data.clone());
        self.guarded(|| {
            let rendered = compiled.tera.render(&self.name, &context);
            rendered.map_err(|error| self.explain(&error))
        })
    }

    fn compile(&self) -> Result<Compiled, SiteError> {
        let mut sources = Vec::new();
        for (name, content) in &self.templates {
            match &content.body {
                Body::Template { text, .. } => sources.push((name, text)),
                Body::Bad(error) => return Err(error.clone()),
                Body::Data(_) => {}
            }
        }
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let mut data = Map::new();
        for (stem, content) in &self.data {
            match &content.body {
                Body::Data(value) => data.insert(stem.clone().into(), value.clone()),
                Body::Bad(error) => return Err(error.clone()),
                Body::Template { .. } => None,
            };
        }
        let tera = self.guarded(|| {
            let mut tera = Tera::new();
            filters::register(&mut tera);
            let added = tera.add_raw_templates(sources);
            added.map_err(|error| self.explain(&error))?;
            Ok(tera)
        })?;
        Ok(Compiled {
            tera,
            data: Value::from(data),
        })
    }

    /// Runs the engine on this thread, with a stack of its own. A panic of the engine or a filter is an error of this
    /// page.
    fn guarded<T>(&self, work: impl FnOnce() -> Result<T, SiteError>) -> Result<T, SiteError> {
        // Nothing that is used again is left half-changed: the engine is built whole or not at all, and rendering
        // does not change it.
        let caught = catch_unwind(AssertUnwindSafe(|| stacker::grow(STACK, work)));
        caught.unwrap_or_else(|panic| {
            let message = format!("the template engine panicked: {}", panic_message(&*panic));
            Err(SiteError::new(
                SiteErrorKind::Render,
                &self.shown(&self.name),
                message,
                "Write the template in another way, and report this.",
            ))
        })
    }

    fn shown(&self, template: &str) -> PathBuf {
        let content = self.templates.get(template);
        content.map_or_else(|| template.into(), |content| content.shown.clone())
    }

    /// An error of the engine, with the file and the place in it.
    fn explain(&self, error: &tera::Error) -> SiteError {
        let remedy = "Correct the template and save it; the next request reads it again.";
        let (kind, report) = match error.kind() {
            ErrorKind::SyntaxError(report) => (SiteErrorKind::Template, report),
            ErrorKind::RenderingError(report) => (SiteErrorKind::Render, report),
            other => {
                let text = other.to_string();
                let kind = SiteErrorKind::Template;
                return match report_of(&text) {
                    Some((message, name, position)) => {
                        self.located(kind, name, position, message, remedy)
                    }
                    None => SiteError::new(kind, &self.shown(&self.name), text, remedy),
                };
            }
        };
        let position = Position {
            line: report.span().start_line.max(1),
            column: report.span().start_col + 1,
        };
        self.located(kind, report.filename(), position, report.message(), remedy)
    }

    fn located(
        &self,
        kind: SiteErrorKind,
        template: &str,
        position: Position,
        message: &str,
        remedy: &str,
    ) -> SiteError {
        let text = match self.templates.get(template).map(|content| &content.body) {
            Some(Body::Template { text, .. }) => text.as_str(),
            _ => "",
        };
        let shown = self.shown(template);
        SiteError::at(kind, &shown, text, position, message, remedy)
    }
}

/// Some errors of the engine are only text: `error: message`, then `--> name:line:column`. This reads the first.
fn report_of(text: &str) -> Option<(&str, &str, Position)> {
    let (message, rest) = text.strip_prefix("error: ")?.split_once('\n')?;
    let place = rest.lines().next()?.trim_start().strip_prefix("--> ")?;
    let (place, column) = place.rsplit_once(':')?;
    let (name, line) = place.rsplit_once(':')?;
    let position = Position {
        line: line.parse().ok()?,
        column: column.parse().ok()?,
    };
    Some((message, name, position))
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// Over the version of this crate, the page's name, and names and contents of all that it reaches. Lengths stand
/// before names, so that no two lists look the same.
fn digest(
    page: &str,
    templates: &BTreeMap<String, Arc<Content>>,
    missing: &BTreeSet<String>,
    data: &BTreeMap<String, Arc<Content>>,
) -> String {
    let mut hash = Sha256::new();
    let mut item = |kind: u8, name: &str, digest: &[u8]| {
        hash.update([kind]);
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update(digest);
    };
    item(0, concat!("tera2 ", env!("CARGO_PKG_VERSION")), &[]);
    item(1, page, &[]);
    for (name, content) in templates {
        item(2, name, &content.digest);
    }
    for name in missing {
        item(3, name, &[]);
    }
    for (stem, content) in data {
        item(4, stem, &content.digest);
    }
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}
