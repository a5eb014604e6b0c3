use std::num::NonZeroU64;

use dogpile::Expiration;
use dogpile_plugin_api::{Decision, KeyParts, TemplateEntry, TemplatePart};

use super::Part;
use super::few::Few;

/// So many parts are remembered of a template, and so many rulings of a part: a program could make up their names, their
/// digests and what they ask for. Of the others keys are put together, and the template cache is asked, at each call.
const MOST: usize = 64;

/// What is the same of a page, block or fragment at all its calls.
#[derive(Debug)]
pub(super) struct KnownPart {
    kind: TemplatePart,
    name: Box<str>,
    digest: Option<Box<str>>,
    escaping: Box<str>,
    /// All of its key but what it varies by.
    pub(super) key: KeyParts,
    rulings: Few<Ruling>,
}

impl KnownPart {
    fn new(part: &Part<'_>) -> Self {
        Self {
            kind: part.kind,
            name: part.name.into(),
            digest: part.own_digest.map(Box::from),
            escaping: part.escaping.into(),
            key: part.key_head(),
            rulings: Few::default(),
        }
    }

    fn is(&self, part: &Part<'_>) -> bool {
        self.kind == part.kind
            // Not two empty ones: to compare nothing at an address where nothing is takes some processors, by glibc's
            // `memcmp` for them, as long as all else of a hit.
            && (self.name.is_empty() && part.name.is_empty() || *self.name == *part.name)
            && self.digest.as_deref() == part.own_digest
            && *self.escaping == *part.escaping
    }

    /// What `decider` has decided of it, if that was remembered.
    pub(super) fn ruling(&self, decider: NonZeroU64, part: &Part<'_>) -> Option<&Ruling> {
        let mut rulings = self.rulings.iter();
        rulings.find(|ruling| ruling.is_of(decider, part))
    }

    /// Remembers what `decider` has decided of it under one key.
    pub(super) fn rule(
        &self,
        decider: NonZeroU64,
        part: &Part<'_>,
        key: &str,
        decision: &Decision<'_>,
    ) {
        let is_it = |ruling: &Ruling| ruling.is_of(decider, part);
        let make = || Ruling::new(decider, part, key, decision).ok_or(());
        let _ = self.rulings.get_or_add(MOST, is_it, make);
    }
}

impl<'a> Part<'a> {
    /// What is remembered of it.
    pub(super) fn known(&self) -> Option<&'a KnownPart> {
        let known = &self.template.known;
        let found = known.get_or_add(
            MOST,
            |known| known.is(self),
            || Ok::<_, ()>(KnownPart::new(self)),
        );
        found.ok().flatten()
    }
}

/// What the template cache has decided of a part, whatever its key.
#[derive(Debug)]
pub(super) struct Ruling {
    decider: NonZeroU64,
    asked_region: Option<Box<str>>,
    asked_time: Option<Expiration>,
    /// None: it is rendered without the cache.
    pub(super) standing: Option<Standing>,
}

/// A [place](super::place::Place) but for the key and the part's own tags.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) region: Box<str>,
    /// What stands before the key.
    pub(super) prefix: Box<str>,
    pub(super) expiration_time: Option<Expiration>,
    /// Those beside the part's own.
    pub(super) tags: Vec<String>,
    pub(super) anew: bool,
}

impl Ruling {
    /// Of a decision about a part with this key; none if the entry's key is not that, behind something or nothing.
    fn new(
        decider: NonZeroU64,
        part: &Part<'_>,
        key: &str,
        decision: &Decision<'_>,
    ) -> Option<Self> {
        let standing = match decision {
            Decision::Cache(entry) => Some(Standing::new(key, entry, false)?),
            Decision::Refresh(entry) => Some(Standing::new(key, entry, true)?),
            _ => None,
        };
        Some(Self {
            decider,
            asked_region: part.region.map(Box::from),
            asked_time: part.expiration_time,
            standing,
        })
    }

    fn is_of(&self, decider: NonZeroU64, part: &Part<'_>) -> bool {
        self.decider == decider
            && self.asked_region.as_deref() == part.region
            && self.asked_time == part.expiration_time
    }
}

impl Standing {
    fn new(key: &str, entry: &TemplateEntry<'_>, anew: bool) -> Option<Self> {
        Some(Self {
            region: (*entry.region).into(),
            prefix: entry.key.strip_suffix(key)?.into(),
            expiration_time: entry.expiration_time,
            tags: entry.tags.iter().map(|tag| (**tag).to_owned()).collect(),
            anew,
        })
    }
}
