use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use tera::ErrorKind;

use super::error::{Position, ViewError, ViewErrorKind};
use super::files::{Body, Content};
use super::fragments::{Finding, Rewritten};
use super::lexer::position;

const REMEDY: &str = "Correct the template and save it; the next request reads it again.";

/// What a page's engine is made of, as its author wrote it.
pub(crate) struct Sources {
    pub(crate) page: String,
    pub(crate) templates: BTreeMap<String, Arc<Content>>,
    pub(crate) data: BTreeMap<String, Arc<Content>>,
    /// Which fragment of which template each body is that the engine has as a template of its own.
    pub(crate) bodies: HashMap<String, (String, usize)>,
}

impl Sources {
    /// An error of the engine, with the file and the place in it.
    pub(crate) fn explain(&self, error: &tera::Error) -> ViewError {
        let (kind, report) = match error.kind() {
            ErrorKind::SyntaxError(report) => (ViewErrorKind::Template, report),
            ErrorKind::RenderingError(report) => (ViewErrorKind::Render, report),
            other => {
                let text = other.to_string();
                let kind = ViewErrorKind::Template;
                return match report_of(&text) {
                    Some((message, name, position)) => self.located(kind, name, position, message),
                    None => ViewError::new(kind, &self.shown(&self.page), text, REMEDY),
                };
            }
        };
        let position = Position {
            line: report.span().start_line.max(1),
            column: report.span().start_col + 1,
        };
        self.located(kind, report.filename(), position, report.message())
    }

    /// Something about a template of the author's.
    pub(crate) fn found(&self, template: &str, finding: &Finding) -> ViewError {
        let at = |source: &str| position(source, finding.at);
        self.at(template, &at, &finding.message, &finding.remedy)
    }

    /// Something about a place in a template of the author's.
    pub(crate) fn placed(
        &self,
        kind: ViewErrorKind,
        template: &str,
        position: Position,
        (message, remedy): (&str, &str),
    ) -> ViewError {
        let (shown, text) = (self.shown(template), self.text(template));
        ViewError::at(kind, &shown, text, position, message, remedy)
    }

    fn at(
        &self,
        template: &str,
        position: &dyn Fn(&str) -> Position,
        message: &str,
        remedy: &str,
    ) -> ViewError {
        let position = position(self.text(template));
        let told = (message, remedy);
        self.placed(ViewErrorKind::Template, template, position, told)
    }

    /// `position` is in what the engine has under that name.
    fn located(
        &self,
        kind: ViewErrorKind,
        name: &str,
        position: Position,
        message: &str,
    ) -> ViewError {
        let body = self.bodies.get(name);
        let template = body.map_or(name, |(template, _)| template);
        let position = match self.rewritten(template, body.map(|(_, index)| *index)) {
            Some(rewritten) => rewritten.original(self.text(template), position),
            None => position,
        };
        self.placed(kind, template, position, (message, REMEDY))
    }

    fn rewritten(&self, template: &str, fragment: Option<usize>) -> Option<&Rewritten> {
        match &self.templates.get(template)?.body {
            Body::Template { extracted, .. } => match fragment {
                Some(index) => Some(&extracted.fragments.get(index)?.body),
                None => Some(&extracted.rewritten),
            },
            Body::Data(_) | Body::Bad(_) => None,
        }
    }

    fn text(&self, template: &str) -> &str {
        match self.templates.get(template).map(|content| &content.body) {
            Some(Body::Template { text, .. }) => text,
            _ => "",
        }
    }

    /// The file of a template as a person spells it.
    pub(crate) fn shown(&self, template: &str) -> PathBuf {
        let content = self.templates.get(template);
        content.map_or_else(|| template.into(), |content| content.shown.clone())
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
