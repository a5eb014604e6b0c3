//! What a template refers to. In Tera 2 the names in `extends` and `include` are literals and a component is called by
//! its name, so a scan of the tokens finds every template. Data is found by the name `data`; where it is used in
//! another way than `data.stem` or `data["stem"]`, all data files count as used.
//!
//! A page is rendered with exactly what the scan found and nothing else. So if the scan missed something, the page
//! would fail and never be served old.

use std::collections::BTreeSet;

use super::data;
use super::error::Position;
use super::lexer::{Token, position};
use super::tags::Tag;

/// What one template refers to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct References {
    /// The parent and the includes, in the order of the text.
    pub(crate) templates: Vec<Reference>,
    /// The components that the template defines.
    pub(crate) defines: BTreeSet<String>,
    /// Names that may be calls of components; `a < b` counts too, which does no harm.
    pub(crate) calls: BTreeSet<String>,
    pub(crate) data: DataUse,
    /// The members of `query` that it uses, likewise.
    pub(crate) query: DataUse,
    /// Names that may be variables; keywords, filters and arguments count too, which does no harm.
    pub(crate) names: BTreeSet<String>,
}

/// One `extends` or `include`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) name: String,
    pub(crate) position: Position,
}

/// What of `data` a template uses, by the names of its members.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct DataUse {
    pub(crate) all: bool,
    pub(crate) stems: BTreeSet<String>,
}

/// What these tags of `source` refer to.
pub(crate) fn scan_tags(source: &str, tags: &[Tag<'_>]) -> References {
    let mut found = References::default();
    for tag in tags {
        scan_tag(source, tag, &mut found);
    }
    found
}

fn scan_tag(source: &str, tag: &Tag<'_>, found: &mut References) {
    let tokens = &tag.tokens;
    match (tag.keyword(), tag.token(1)) {
        (Some("extends" | "include"), Some(Token::Text(name))) => {
            found.templates.push(Reference {
                name: name.clone(),
                position: position(source, tokens[1].1),
            });
        }
        (Some("component"), Some(Token::Name(_))) => {
            found.defines.insert(dotted(tokens, 1));
        }
        (Some("cache"), _) => found.data.add(&tagged_data(tag)),
        _ => {}
    }
    for (index, (at, _)) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| tag.token(before));
        let Token::Name(name) = at else {
            continue;
        };
        if before != Some(&Token::Other('.')) {
            found.names.insert((*name).to_owned());
        }
        match (*name, before) {
            ("__tera_context", _) => {
                found.data.all = true;
                found.query.all = true;
            }
            ("query", before) if before != Some(&Token::Other('.')) => {
                scan_data(tokens, index, &mut found.query);
            }
            ("data", before) if before != Some(&Token::Other('.')) => {
                scan_data(tokens, index, &mut found.data);
            }
            (_, Some(Token::Other('<'))) => {
                found.calls.insert(dotted(tokens, index));
            }
            _ => {}
        }
    }
}

impl DataUse {
    /// Whether it uses that member.
    pub(crate) fn has(&self, member: &str) -> bool {
        self.all || self.stems.contains(member)
    }

    /// All that either uses.
    pub(crate) fn add(&mut self, other: &Self) {
        self.all |= other.all;
        self.stems.extend(other.stems.iter().cloned());
    }
}

/// The data files that a cache tag names by their tags: its text changes with them, however they come into it.
pub(crate) fn tagged_data(tag: &Tag<'_>) -> DataUse {
    let mut data = DataUse::default();
    for (token, _) in &tag.tokens {
        if let Token::Text(text) = token
            && let Some(stem) = data::stem(text)
        {
            data.stems.insert(stem.to_owned());
        }
    }
    data
}

/// `data` stands at `index`, or `query`: which members of it does it reach?
fn scan_data(tokens: &[(Token<'_>, usize)], index: usize, data: &mut DataUse) {
    let mut after = tokens[index + 1..]
        .iter()
        .map(|(token, _)| token)
        .peekable();
    after.next_if_eq(&&Token::Other('?'));
    let stem = match (after.next(), after.next(), after.next()) {
        (Some(Token::Other('.')), Some(Token::Name(stem)), _) => Some((*stem).to_owned()),
        (Some(Token::Other('[')), Some(Token::Text(stem)), Some(Token::Other(']'))) => {
            Some(stem.clone())
        }
        _ => None,
    };
    match stem {
        Some(stem) => {
            data.stems.insert(stem);
        }
        None => data.all = true,
    }
}

/// The name at `index` with its `.parts`: components may have dots in their names.
fn dotted(tokens: &[(Token<'_>, usize)], index: usize) -> String {
    let mut name = String::new();
    let mut rest = tokens[index..].iter().map(|(token, _)| token);
    while let Some(Token::Name(part)) = rest.next() {
        name.push_str(part);
        if rest.next() != Some(&Token::Other('.')) {
            break;
        }
        name.push('.');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::tags::tags;

    fn scan(source: &str) -> References {
        scan_tags(source, &tags(source))
    }

    fn names(found: &References) -> Vec<&str> {
        found.templates.iter().map(|r| r.name.as_str()).collect()
    }

    #[test]
    fn parents_and_includes_are_found_and_comments_and_raw_text_are_not() {
        let found = scan(concat!(
            "{%- extends \"a.html\" -%}\n{# {% include \"no.html\" %} #}\n",
            "{% raw %}{% include \"no.html\" %}{% if %}{%- endraw %}",
            "  {% include 'sub/b.html' %}{{ \"{% include 'no.html' %}\" }}",
            "{% include `c\\\"d.html` %}",
        ));
        assert_eq!(names(&found), ["a.html", "sub/b.html", "c\"d.html"]);
        assert_eq!(
            found.templates[0].position,
            Position {
                line: 1,
                column: 13
            }
        );
        assert_eq!(found.templates[1].position.line, 3);
    }

    #[test]
    fn components_are_found_where_they_are_defined_and_called() {
        let found = scan(
            "{% component ui.Card(a) %}{{<Icon name=\"x\"/>}}{% endcomponent %}{% <ui.Box> %}x{% </ui.Box> %}",
        );
        assert_eq!(found.defines, BTreeSet::from(["ui.Card".to_owned()]));
        assert_eq!(
            found.calls,
            BTreeSet::from(["Icon".to_owned(), "ui.Box".to_owned()])
        );
    }

    #[test]
    fn data_files_are_found_one_by_one_unless_data_is_used_as_a_whole() {
        let stems = |source| scan(source).data;
        let one = |stem: &str| DataUse {
            all: false,
            stems: BTreeSet::from([stem.to_owned()]),
        };
        assert_eq!(stems("{{ data.peaks[0].data }}"), one("peaks"));
        assert_eq!(stems("{{ data?.peaks }}"), one("peaks"));
        assert_eq!(
            stems("{{ data[\"tall-peaks\"] | length }}"),
            one("tall-peaks")
        );
        assert_eq!(stems("{{ data?['peaks'] }} data {# data #}"), one("peaks"));
        assert_eq!(stems("{{ x.data }}"), DataUse::default());
        for whole in [
            "{{ data[query.x] }}",
            "{{ data[\"a\" ~ query.x] }}",
            "{% set d = data %}",
            "{{ <C d={data}/> }}",
            "{{ __tera_context }}",
        ] {
            assert!(stems(whole).all, "{whole}");
        }
    }

    #[test]
    fn a_template_cut_off_anywhere_is_scanned_without_a_panic() {
        let source = "{%- extends 'ä.html' -%}{{ data?.x[\"ü\\n\"] }}{# ö #}{% raw -%} ß {%- endraw %}{{<A.b/>}}";
        for end in (0..=source.len()).filter(|&end| source.is_char_boundary(end)) {
            scan(&source[..end]);
        }
    }
}
