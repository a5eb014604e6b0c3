use std::collections::BTreeSet;

use super::Rewritten;
use super::arguments::Literals;
use super::arguments::TagArguments;
use super::nesting::Nesting;
use crate::views::error::Position;
use crate::views::lexer::{Lexer, Token, position};
use crate::views::scan::{References, scan_tags, tagged_data};
use crate::views::tags::Tag;

/// A template without its cached bodies.
#[derive(Debug, Default)]
pub(crate) struct Extracted {
    pub(crate) rewritten: Rewritten,
    /// Those that are nested in others are before them.
    pub(crate) fragments: Vec<Fragment>,
    /// What keeps it from being rendered.
    pub(crate) faults: Vec<Finding>,
    /// What is probably not meant.
    pub(crate) warnings: Vec<Finding>,
}

/// One cached body.
#[derive(Debug)]
pub(crate) struct Fragment {
    pub(crate) name: String,
    /// Of its tag.
    pub(crate) position: Position,
    /// The body as a template.
    pub(crate) body: Rewritten,
    /// The body as it was written, with the marks around it that say whether its white space is cut.
    pub(crate) text: String,
    pub(crate) references: References,
    pub(crate) has_key: bool,
    pub(crate) key_is_list: bool,
    pub(crate) literals: Literals,
}

/// Something to tell about a place, by its byte in the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) at: usize,
    pub(crate) message: String,
    pub(crate) remedy: String,
}

impl Finding {
    pub(crate) fn new(at: usize, message: String, remedy: &str) -> Self {
        Self {
            at,
            message,
            remedy: remedy.to_owned(),
        }
    }
}

/// Takes the cached bodies out of the template `name`. In their places stand calls which name them by
/// [`Fragment::call_name`].
pub(crate) fn extract(name: &str, source: &str, tags: &[Tag<'_>]) -> Extracted {
    let mut extracted = Extracted::default();
    let mut nesting = Nesting::default();
    let mut names = BTreeSet::new();
    // The text around the bodies that are open, the innermost last, and what has begun each of them.
    let mut open: Vec<(Opened<'_>, Rewritten)> = Vec::new();
    let mut current = Rewritten::default();
    let mut copied = 0;
    for (index, tag) in tags.iter().enumerate() {
        let is_end = nesting.step(tag, &mut extracted.faults);
        if tag.keyword() == Some("cache") {
            current.copy(&source[copied..tag.start], copied);
            copied = tag.end;
            let arguments = TagArguments::read(tag, &mut extracted.faults);
            extracted.look_at(&arguments, tag, &nesting, &mut names);
            let opened = Opened {
                index,
                tag,
                arguments,
            };
            open.push((opened, std::mem::take(&mut current)));
            if tag.trims_behind() {
                current.write("{# -#}", tag.start);
            }
        } else if is_end && let Some((opened, around)) = open.pop() {
            current.copy(&source[copied..tag.start], copied);
            copied = tag.end;
            if tag.trims_before() {
                current.write("{#- #}", tag.start);
            }
            let body = std::mem::replace(&mut current, around);
            let mut references = scan_tags(source, &tags[opened.index + 1..index]);
            references.data.add(&tagged_data(opened.tag));
            let literals = opened.arguments.literals(&mut extracted.faults);
            let fragment = Fragment {
                position: position(source, opened.tag.start),
                body,
                text: opened.text(source, tag),
                references,
                has_key: opened.arguments.has_key(),
                key_is_list: opened.arguments.key_is_list(),
                literals,
                name: opened.arguments.name.clone(),
            };
            opened.call(&mut current, &fragment.call_name(name), tag.trims_behind());
            extracted.fragments.push(fragment);
        }
    }
    nesting.finish(&mut extracted.faults);
    if extracted.fragments.is_empty() {
        // Nothing is in another place.
        current = Rewritten::default();
        copied = 0;
    }
    current.copy(&source[copied..], copied);
    extracted.rewritten = current;
    extracted
}

impl Extracted {
    fn look_at<'a>(
        &mut self,
        arguments: &TagArguments<'a>,
        tag: &Tag<'a>,
        nesting: &Nesting<'a>,
        names: &mut BTreeSet<String>,
    ) {
        let name = &arguments.name;
        if !name.is_empty() && !names.insert(name.clone()) {
            self.faults.push(Finding::new(
                tag.start,
                format!("this template has another fragment {name:?}"),
                "Give one of them another name: it is by their names that they are invalidated.",
            ));
        }
        if nesting.is_in_loop() && !arguments.has_key() {
            self.warnings.push(Finding::new(
                tag.start,
                format!("fragment {name:?} is in a loop and has no key: every round shows the text of the first"),
                "Name what a round varies by, as in key=item.id, or write the cache tag around the loop.",
            ));
        }
    }
}

/// A cache tag whose end is yet to come.
struct Opened<'a> {
    index: usize,
    tag: &'a Tag<'a>,
    arguments: TagArguments<'a>,
}

impl Opened<'_> {
    fn text(&self, source: &str, end: &Tag<'_>) -> String {
        let mark = |trims: bool| if trims { "-" } else { "" };
        let body = &source[self.tag.end..end.start];
        let (behind, before) = (mark(self.tag.trims_behind()), mark(end.trims_before()));
        format!("{behind}%}}{body}{{%{before}")
    }

    /// Writes what stands in the place of tag and body.
    fn call(&self, text: &mut Rewritten, name: &str, trims_behind: bool) {
        let trims = |cut: bool| if cut { "-" } else { "" };
        let start = self.tag.start;
        // A path has no backslash of its own.
        let name = name.replace('"', "\\\"");
        let call = format!(
            "{{{{{} cached(template=\"{name}\"",
            trims(self.tag.trims_before())
        );
        text.write(&call, start);
        for (name, expression, at) in &self.arguments.given {
            text.write(&format!(", {name}="), start);
            let mut copied = 0;
            for at_brace in adjacent_braces(expression) {
                text.copy(&expression[copied..at_brace], at + copied);
                text.write(" ", at + at_brace);
                copied = at_brace;
            }
            text.copy(&expression[copied..], at + copied);
        }
        text.write(&format!(") {}}}}}", trims(trims_behind)), start);
    }
}

/// The bytes of an expression at which two closing braces would be taken for the end of a variable.
fn adjacent_braces(expression: &str) -> Vec<usize> {
    let tag = format!("{{% {expression} %}}");
    let mut lexer = Lexer::new(&tag);
    let mut found = Vec::new();
    let mut before = None;
    while let Some((token, at)) = lexer.next() {
        let is_brace = token == Token::Other('}');
        if is_brace && before == Some(at) {
            found.push(at - "{% ".len());
        }
        before = is_brace.then_some(at + 1);
    }
    found
}

impl Fragment {
    /// By which a call names it, as a fragment of the template `name`.
    pub(crate) fn call_name(&self, name: &str) -> String {
        format!("{}:{}:{name}", self.position.line, self.position.column)
    }
}
