use super::TemplateRequest;
use crate::Expiration;

/// What is done about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// It is rendered, and neither looked for nor stored.
    Bypass,
    /// The stored text is served; one that is missing or has expired is rendered, once for all who want it.
    Cache(TemplateEntry),
    /// It is rendered and stored, whatever is there.
    Refresh(TemplateEntry),
}

/// Where a text is stored, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TemplateEntry {
    /// The name of the region.
    pub region: String,
    /// The key in that region, before its own manglers and prefix.
    pub key: String,
    /// None: the region's.
    pub expiration_time: Option<Expiration>,
    /// The tags by which it can be invalidated.
    pub tags: Vec<String>,
}

impl TemplateEntry {
    /// An entry that expires as its region says and has no tags.
    pub fn new(region: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            region: region.into(),
            key: key.into(),
            expiration_time: None,
            tags: Vec::new(),
        }
    }

    /// What the request asks for, in `region` if it names none.
    pub fn asked(request: &TemplateRequest<'_>, region: &str) -> Self {
        let tags = request.tags().iter();
        Self {
            region: request.region().unwrap_or(region).to_owned(),
            key: request.key().to_owned(),
            expiration_time: request.expiration_time(),
            tags: tags.map(|tag| tag.as_str().to_owned()).collect(),
        }
    }
}
