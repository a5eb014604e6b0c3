use std::collections::{BTreeMap, BTreeSet};

use super::expression::expression;
use super::uses::{Templates, Use};
use crate::views::fragments::{Finding, key_tokens};
use crate::views::lexer::{Token, position};
use crate::views::tags::Tag;

/// What is known of the variables that a folder's pages are given.
pub(crate) struct Given<'a> {
    /// Whether a variable needs no key: it is the same for all, or part of digests.
    pub(crate) is_same: &'a dyn Fn(&str) -> bool,
    /// Variables whose members do not follow from each other.
    pub(crate) apart: &'a [&'a str],
}

/// What the cached bodies of a page use and their keys do not name, each with its template.
///
/// A key names a variable by itself or by a member of it: from `p.id` follows what `p` is. Where members have nothing to
/// do with each other, as those of a query, each is named by itself.
pub(crate) fn unnamed<'a>(
    texts: &BTreeMap<&'a str, &'a str>,
    given: &Given<'_>,
) -> Vec<(&'a str, Finding)> {
    let templates = Templates::new(texts);
    let mut findings = Vec::new();
    for &template in texts.keys() {
        let tags = templates.tags(template);
        for (start, end) in bodies(tags) {
            let key = key(&tags[start]);
            let mut told = BTreeSet::new();
            for used in templates.uses(template, &tags[start + 1..end]) {
                let root = &used.path[0];
                let is_apart = given.apart.contains(&root.as_str());
                let names = |key: &Vec<String>| {
                    if is_apart {
                        used.path.starts_with(key)
                    } else {
                        key[0] == *root
                    }
                };
                let is_named = key.iter().any(names);
                if is_named || (given.is_same)(root) {
                    continue;
                }
                let of = if is_apart {
                    &used.path[..]
                } else {
                    &used.path[..1]
                };
                if told.insert(of.to_vec()) {
                    let place = place(&used, template, texts);
                    let finding = finding(&tags[start], &written(&used.path), &place);
                    findings.push((template, finding));
                }
            }
        }
    }
    findings
}

/// The tags that begin and end each cached body, by their places.
fn bodies(tags: &[Tag<'_>]) -> Vec<(usize, usize)> {
    let (mut open, mut bodies) = (Vec::new(), Vec::new());
    for (index, tag) in tags.iter().enumerate() {
        match tag.keyword() {
            Some("cache") => open.push(index),
            Some("endcache") => bodies.extend(open.pop().map(|start| (start, index))),
            _ => {}
        }
    }
    bodies.sort_unstable();
    bodies
}

/// What a cache tag's key names.
fn key(tag: &Tag<'_>) -> Vec<Vec<String>> {
    let Some(tokens) = key_tokens(tag) else {
        return Vec::new();
    };
    let (looked, _) = expression(tag, tokens);
    looked.into_iter().map(|looked| looked.path).collect()
}

fn place(used: &Use, template: &str, texts: &BTreeMap<&str, &str>) -> String {
    let text = texts
        .get(used.template.as_str())
        .copied()
        .unwrap_or_default();
    let line = position(text, used.at).line;
    if used.template == template {
        format!("on line {line}")
    } else {
        format!("at {}:{line}", used.template)
    }
}

fn finding(tag: &Tag<'_>, path: &str, place: &str) -> Finding {
    let name = match tag.token(1) {
        Some(Token::Text(name)) => name.as_str(),
        _ => "",
    };
    let message = format!("fragment {name:?} uses `{path}` {place}, which its key does not name");
    let remedy = format!(
        "All see what whoever is first is shown. Name in the key what it varies by, as in key={path} or \
         key=[…, {path}], or set it within the body. What is the same for all costs nothing in a key."
    );
    Finding::new(tag.start, message, &remedy)
}

/// As it is written in a template.
fn written(path: &[String]) -> String {
    let mut text = path[0].clone();
    for member in &path[1..] {
        let is_name = member
            .chars()
            .all(|character| character == '_' || character.is_ascii_alphanumeric());
        let member = if is_name && !member.is_empty() {
            format!(".{member}")
        } else {
            format!("[{member:?}]")
        };
        text.push_str(&member);
    }
    text
}
