use std::fmt;

use abi_stable::StableAbi;
use abi_stable::std_types::{ROption, RSlice, RStr};

use super::{KeyParts, KeyPartsIter, Text};
use crate::Expiration;

/// What of a template a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TemplatePart {
    /// The whole text that a template renders to.
    Page,
    /// A block that templates inherit.
    Block,
    /// A part of a template that was marked to be cached.
    Fragment,
}

impl TemplatePart {
    /// Its name, for people and in keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Block => "block",
            Self::Fragment => "fragment",
        }
    }
}

/// A page, block or fragment that is about to be rendered, or is asked for by name.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct TemplateRequest<'a> {
    engine: RStr<'a>,
    template: RStr<'a>,
    part: u8,
    name: RStr<'a>,
    digest: RStr<'a>,
    escaping: RStr<'a>,
    key_parts: RStr<'a>,
    key: RStr<'a>,
    region: ROption<RStr<'a>>,
    expiration_time: ROption<u64>,
    tags: RSlice<'a, Text<'a>>,
    reserved: [usize; 4],
}

impl<'a> TemplateRequest<'a> {
    /// A request for a template's `part`, which is `name` unless it is the page; `key` must differ wherever two
    /// requests do not have the same text.
    pub fn new(
        engine: &'a str,
        template: &'a str,
        (part, name): (TemplatePart, &'a str),
        key: &'a str,
    ) -> Self {
        Self {
            engine: engine.into(),
            template: template.into(),
            part: part as u8,
            name: name.into(),
            digest: RStr::EMPTY,
            escaping: RStr::EMPTY,
            key_parts: RStr::EMPTY,
            key: key.into(),
            region: ROption::RNone,
            expiration_time: ROption::RNone,
            tags: RSlice::EMPTY,
            reserved: [0; 4],
        }
    }

    /// With the digest of all that the text is made of, and how it is escaped.
    #[must_use]
    pub fn made_of(mut self, digest: &'a str, escaping: &'a str) -> Self {
        (self.digest, self.escaping) = (digest.into(), escaping.into());
        self
    }

    /// With what the text varies by, which is in its key too.
    #[must_use]
    pub fn varies_by(mut self, parts: &'a KeyParts) -> Self {
        self.key_parts = parts.as_str().into();
        self
    }

    /// With what the template, or the program, asks for.
    #[must_use]
    pub fn asks(
        mut self,
        region: Option<&'a str>,
        expiration_time: Option<Expiration>,
        tags: &'a [Text<'a>],
    ) -> Self {
        self.region = region.map(RStr::from).into();
        self.expiration_time = expiration_time.map(Expiration::nanoseconds).into();
        self.tags = tags.into();
        self
    }

    /// The template engine: `tera`, `minijinja`, `askama`.
    pub fn engine(&self) -> &'a str {
        self.engine.as_str()
    }

    /// The template's name, as its engine knows it: `shop/orders.html`.
    pub fn template(&self) -> &'a str {
        self.template.as_str()
    }

    /// What of the template.
    pub fn part(&self) -> TemplatePart {
        match self.part {
            0 => TemplatePart::Page,
            1 => TemplatePart::Block,
            _ => TemplatePart::Fragment,
        }
    }

    /// The name of the block or fragment; empty for a page.
    pub fn name(&self) -> &'a str {
        self.name.as_str()
    }

    /// The digest of all that the text is made of beside its context: the template, its parents, what it includes.
    pub fn digest(&self) -> &'a str {
        self.digest.as_str()
    }

    /// How the text is escaped: `html`, `none`, or another word of the engine's.
    pub fn escaping(&self) -> &'a str {
        self.escaping.as_str()
    }

    /// What the text varies by, in the order of the template. Each is as Rust writes the value: `42`, `"a"`.
    pub fn key_parts(&self) -> KeyPartsIter<'a> {
        KeyPartsIter::of(self.key_parts.as_str())
    }

    /// The key of the text: it holds all of the above, each part behind its length.
    pub fn key(&self) -> &'a str {
        self.key.as_str()
    }

    /// The region that is asked for, if one is.
    pub fn region(&self) -> Option<&'a str> {
        self.region.map(|region| region.as_str()).into_option()
    }

    /// The expiration time that is asked for, if one is.
    pub fn expiration_time(&self) -> Option<Expiration> {
        let nanoseconds = self.expiration_time.into_option();
        nanoseconds.map(Expiration::from_nanoseconds)
    }

    /// The tags that are asked for.
    pub fn tags(&self) -> &'a [Text<'a>] {
        self.tags.as_slice()
    }
}

impl fmt::Debug for TemplateRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemplateRequest")
            .field("engine", &self.engine())
            .field("template", &self.template())
            .field("part", &self.part())
            .field("name", &self.name())
            .field("key", &self.key())
            .finish_non_exhaustive()
    }
}

/// For people: `fragment "row" of shop/orders.html`.
impl fmt::Display for TemplateRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part() {
            TemplatePart::Page => write!(f, "page {}", self.template()),
            part => write!(
                f,
                "{} {:?} of {}",
                part.name(),
                self.name(),
                self.template()
            ),
        }
    }
}
