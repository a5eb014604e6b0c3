use std::borrow::Cow;

use super::TemplateRequest;
use crate::Expiration;

/// What is done about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision<'a> {
    /// It is rendered, and neither looked for nor stored.
    Bypass,
    /// The stored text is served; one that is missing or has expired is rendered, once for all who want it.
    Cache(TemplateEntry<'a>),
    /// It is rendered and stored, whatever is there.
    Refresh(TemplateEntry<'a>),
}

/// Where a text is stored, and for how long. Whoever looks for a text asks for it, so that what the request or the
/// template cache holds already is borrowed from there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TemplateEntry<'a> {
    /// The name of the region.
    pub region: Cow<'a, str>,
    /// The key in that region, before its own manglers and prefix.
    pub key: Cow<'a, str>,
    /// None: the region's.
    pub expiration_time: Option<Expiration>,
    /// The tags by which it can be invalidated.
    pub tags: Vec<Cow<'a, str>>,
}

impl<'a> TemplateEntry<'a> {
    /// An entry that expires as its region says and has no tags.
    pub fn new(region: impl Into<Cow<'a, str>>, key: impl Into<Cow<'a, str>>) -> Self {
        Self {
            region: region.into(),
            key: key.into(),
            expiration_time: None,
            tags: Vec::new(),
        }
    }

    /// What the request asks for, in `region` if it names none.
    pub fn asked(request: &TemplateRequest<'a>, region: &'a str) -> Self {
        let tags = request.tags().iter();
        Self {
            region: request.region().unwrap_or(region).into(),
            key: request.key().into(),
            expiration_time: request.expiration_time(),
            tags: tags.map(|tag| tag.as_str().into()).collect(),
        }
    }
}
