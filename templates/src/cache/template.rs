use std::sync::Arc;

use dogpile::Expiration;
use dogpile_plugin_api::KeyParts;

use super::few::Few;
use super::known::KnownPart;

/// A template as the cache tells it from others: its engine, its name, and the digest of all that its text is made of.
///
/// Two templates with one region never share a text, and neither do two states of one: whoever edits a template, a
/// parent of it or something that it includes gives it another digest. What it says of region, expiration time and
/// whether it is cached at all holds for its blocks and fragments too, unless they say otherwise. A clone is cheap.
#[derive(Clone, Debug)]
pub struct Template {
    pub(super) engine: &'static str,
    pub(super) name: Arc<str>,
    pub(super) digest: Arc<str>,
    /// The engine and the name, with which all its keys begin.
    pub(super) head: Arc<KeyParts>,
    pub(super) known: Arc<Few<KnownPart>>,
    pub(super) enabled: bool,
    pub(super) region: Option<Arc<str>>,
    pub(super) expiration_time: Option<Expiration>,
}

impl Template {
    /// The template `name` of `engine`, in the state that `digest` stands for.
    pub fn new(
        engine: &'static str,
        name: impl Into<Arc<str>>,
        digest: impl Into<Arc<str>>,
    ) -> Self {
        let name = name.into();
        let mut head = KeyParts::default();
        head.push(engine);
        head.push(&name);
        Self {
            engine,
            name,
            head: Arc::new(head),
            known: Arc::default(),
            digest: digest.into(),
            enabled: true,
            region: None,
            expiration_time: None,
        }
    }

    /// Whether anything of it is cached: Mako's `cache_enabled`. Default: yes.
    #[must_use]
    pub fn cache_enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// The region of all of it that names none.
    #[must_use]
    pub fn region(mut self, region: impl Into<Arc<str>>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// The expiration time of all of it that names none.
    #[must_use]
    pub fn expiration_time(mut self, time: impl Into<Expiration>) -> Self {
        self.expiration_time = Some(time.into());
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its digest.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}
