//! The keys of the manifest's tables: of what the reader takes, what is told of unknown ones, and the schema.

use super::read::{Item, Reader, Table};
use super::schema::OfferKind;
use super::suggest::{nearest, other_letter};

/// The keys of one kind of table.
pub(super) struct Keys {
    pub(super) known: &'static [Key],
    /// Words that people try, with the remedy.
    pub(super) hints: &'static [(&'static str, &'static str)],
    /// What of a plugin's the table names, whose `arguments` it has; and what such a table is called in the schema.
    pub(super) names_an_offer: Option<(OfferKind, &'static str)>,
}

/// A key, as the schema tells of it.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) value: Form,
    pub(super) default: Default,
    /// A sentence or more, for operators.
    pub(super) doc: &'static str,
}

/// What the value of a key is.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// The version of the format.
    Version,
    Text,
    Path,
    FileName,
    Digest,
    /// File names and patterns.
    Patterns,
    Flag,
    Natural,
    /// A number from 0 to 1.
    Share,
    /// The same, or `false`.
    ShareOrOff,
    /// A duration, or one of some words.
    Duration(&'static [&'static str]),
    Words(&'static [&'static str]),
    /// The name of a backend.
    Backend,
    KeyManglers,
    Mangler,
    Proxies,
    Proxy,
    TemplateCache,
    /// What is for a plugin.
    Arguments,
    /// A table with these keys.
    Table(&'static Keys),
    /// Tables with these keys, by name.
    Named(&'static Keys),
}

/// What holds where a key is not given.
#[derive(Clone, Copy)]
pub(super) enum Default {
    /// It must be given.
    Required,
    /// Nothing, which needs no telling.
    Nothing,
    /// A value, as JSON.
    Value(&'static str),
    /// Something that only words tell.
    Told(&'static str),
}

impl Keys {
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.known.iter().map(|key| key.name)
    }
}

impl Reader<'_, '_> {
    /// Refuses what was not taken from a table.
    pub(super) fn refuse_rest(&mut self, table: &Table<'_>, keys: &Keys) {
        debug_assert!(
            table.took_exactly(keys.names()),
            "{}: the reader and the table of keys know different ones",
            table.title()
        );
        for item in table.rest() {
            self.unknown_key(table, &item, keys);
        }
    }

    fn unknown_key(&mut self, table: &Table<'_>, item: &Item<'_>, keys: &Keys) {
        let known: Vec<&str> = keys.names().collect();
        let hint = keys.hints.iter().find(|(word, _)| *word == item.key);
        let near = nearest(&item.key, &known);
        // What any other key holds may be a secret.
        let is_meant = hint.is_some() || near.is_some();
        let remedy = if let Some((_, remedy)) = hint {
            (*remedy).to_owned()
        } else if let Some(word) = near {
            format!("did you mean `{word}`?{}", other_letter(&item.key))
        } else {
            let has_a_backend = known.contains(&"backend");
            let known = match &known[..] {
                [only] => format!("the only key here is {only}"),
                known => format!("the keys here are {}", known.join(", ")),
            };
            if has_a_backend {
                format!("{known}; what is the backend's goes into `arguments`")
            } else {
                known
            }
        };
        let message = format!("unknown key `{}` in {}", item.key, table.title());
        if is_meant {
            self.error(item.key_span.clone(), message, remedy);
        } else {
            self.error_without_value(item.key_span.clone(), message, remedy);
        }
    }
}
