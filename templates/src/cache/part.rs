use std::borrow::Cow;
use std::fmt;

use dogpile::{Argument, Expiration, Invalidation, KeyArgument, Region};
use dogpile_plugin_api::{TemplateEntry, TemplatePart, TemplateRequest, Text};

use super::{Rendered, Template, ViewCache, ViewCacheError, key, trace};

/// A page, block or fragment of a template, with what it varies by: one text in the cache.
///
/// Its key holds the engine, the template's name and digest, which part it is, how it is escaped, and each part of the
/// key behind its length: so `("1 2", "3")` is not `("1", "2 3")`, and the number `1` is not the text `"1"`. Whatever
/// the text depends on beside the template must be in the key. What is not in it is the same for all who ask: a page
/// with private data names its user.
#[derive(Clone)]
#[must_use = "a part does nothing until one of its calls is made"]
pub struct Part<'a> {
    pub(super) cache: &'a ViewCache,
    pub(super) template: &'a Template,
    kind: TemplatePart,
    name: &'a str,
    digest: &'a str,
    escaping: &'a str,
    line: Option<usize>,
    key_parts: Vec<Cow<'a, str>>,
    region: Option<&'a str>,
    /// Where it is kept while nothing decides.
    pub(super) default_region: Option<&'a str>,
    expiration_time: Option<Expiration>,
    tags: Vec<String>,
    /// Whether it is cached, as far as the template says.
    pub(super) cached: bool,
    /// Why it cannot be.
    pub(super) fault: Option<String>,
}

impl<'a> Part<'a> {
    pub(super) fn new(
        cache: &'a ViewCache,
        template: &'a Template,
        (kind, name): (TemplatePart, &'a str),
    ) -> Self {
        Self {
            cache,
            template,
            kind,
            name,
            digest: template.digest(),
            escaping: "html",
            line: None,
            key_parts: Vec::new(),
            region: template.region.as_deref(),
            default_region: None,
            expiration_time: template.expiration_time,
            tags: Vec::new(),
            cached: template.enabled,
            fault: None,
        }
    }

    /// Something that the text varies by, as one more part of its key: any type with serde's `Serialize`.
    pub fn key<T: KeyArgument>(mut self, part: &T) -> Self {
        match Argument::new("key", part).to_text() {
            Ok(text) => self.key_parts.push(text.into()),
            Err(error) => self = self.without_cache(error.to_string()),
        }
        self
    }

    /// One more part of the key, as text.
    #[cfg(any(feature = "askama", feature = "minijinja", feature = "tera"))]
    pub(crate) fn key_text(mut self, text: &'a str) -> Self {
        self.key_parts.push(text.into());
        self
    }

    /// How the text is escaped, if not as HTML.
    pub fn escaping(mut self, escaping: &'a str) -> Self {
        self.escaping = escaping;
        self
    }

    /// A digest of its own: of a fragment, of what it alone is made of, so that an edit elsewhere in the template does
    /// not concern it.
    pub fn digest(mut self, digest: &'a str) -> Self {
        self.digest = digest;
        self
    }

    /// The line of the template on which it begins, for messages.
    pub fn line(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }

    /// The region, if not the one that the template, or the template cache, says.
    pub fn region(mut self, region: &'a str) -> Self {
        self.region = Some(region);
        self
    }

    /// The region in which it is kept also while the host has no template cache to decide of it. Without, it is rendered
    /// each time then.
    pub fn default_region(mut self, region: &'a str) -> Self {
        self.default_region = Some(region);
        self
    }

    /// The expiration time, if not the one that the template, the template cache or the region says.
    pub fn expiration_time(mut self, time: impl Into<Expiration>) -> Self {
        self.expiration_time = Some(time.into());
        self
    }

    /// Tags, by which [`Region::invalidate_tags`](dogpile::Region::invalidate_tags) outdates it.
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    /// Whether it is cached this time. Default: yes.
    pub fn when(mut self, cached: bool) -> Self {
        self.cached &= cached;
        self
    }

    /// It is rendered without the cache, and `why` is logged with its place: the template asks for something that
    /// cannot be.
    pub fn without_cache(mut self, why: impl Into<String>) -> Self {
        self.fault.get_or_insert_with(|| why.into());
        self
    }

    /// The text, if a fresh one is stored.
    ///
    /// # Errors
    ///
    /// If the cache cannot tell.
    pub fn get(self) -> Result<Option<Rendered>, ViewCacheError> {
        self.on_entry(|region, entry| {
            let mut call = region.entry(&*entry.key);
            if let Some(time) = entry.expiration_time {
                call = call.expiration_time(time);
            }
            Ok(call.get::<String>()?.map(Rendered::cached))
        })
    }

    /// Stores `text`, which is already escaped, as if it had been rendered now.
    ///
    /// # Errors
    ///
    /// If it cannot be stored.
    pub fn set(self, text: impl Into<String>) -> Result<(), ViewCacheError> {
        let own = self.own_tags();
        self.on_entry(|region, entry| {
            let mut call = region
                .entry(&*entry.key)
                .tags(entry.tags.into_iter().chain(own));
            if let Some(time) = entry.expiration_time {
                call = call.expiration_time(time);
            }
            call.set::<String>(text.into()).map(drop)
        })
    }

    /// Removes the text of exactly this key, with this digest and escaping: Mako's `invalidate_body` for a page,
    /// `invalidate_def` and `invalidate_closure` for a fragment. It need not have been rendered before.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub fn invalidate(self) -> Result<(), ViewCacheError> {
        self.on_entry(|region, entry| region.delete(&*entry.key))
    }

    /// Outdates its texts of all keys, whatever their digest and escaping, in the region that it has: all rows of a
    /// list, or a page for all users. Other processes see it as they see [tags](dogpile::Region::invalidate_tags).
    ///
    /// # Errors
    ///
    /// Those of [`Region::invalidate_tags`](dogpile::Region::invalidate_tags).
    pub fn invalidate_all(self, how: Invalidation) -> Result<(), ViewCacheError> {
        let [_, own] = self.own_tags();
        self.on_entry(|region, _| region.invalidate_tags([own], how))
    }

    /// Outdates all texts of its template, in the region that it has.
    ///
    /// # Errors
    ///
    /// As [`Part::invalidate_all`].
    pub fn invalidate_template(self, how: Invalidation) -> Result<(), ViewCacheError> {
        let [template, _] = self.own_tags();
        self.on_entry(|region, _| region.invalidate_tags([template], how))
    }

    /// A tag that all texts of the template have, and one that all of this part have.
    pub(super) fn own_tags(&self) -> [String; 2] {
        let (engine, template) = (self.template.engine, self.template.name());
        let part = [engine, template, self.kind.name(), self.name];
        let of = |parts: &[&str]| key::of(parts.iter().copied());
        [of(&part[..2]), of(&part)]
    }

    /// What is wrong with the region that it would be in, if the host knows: nothing is held of it, or stored.
    #[cfg(feature = "tera")]
    pub(crate) fn region_fault(&self) -> Option<dogpile::Error> {
        let host = self.cache.host()?;
        let entry = self.with_request(|request| host.key_for(request));
        let entry = entry.ok()??;
        host.region(&entry.region).err()
    }

    pub(super) fn named(&self) -> trace::Named<'_> {
        (&self.template.name, self.kind, self.name)
    }

    fn on_entry<T>(
        self,
        call: impl FnOnce(&Region, TemplateEntry) -> dogpile::Result<T>,
    ) -> Result<T, ViewCacheError> {
        if let Some(why) = self.fault {
            return Err(ViewCacheError::Key(why));
        }
        let host = self.cache.host().ok_or(ViewCacheError::NoTemplateCache)?;
        let entry = self.with_request(|request| {
            let by_default = || Some(TemplateEntry::asked(request, self.default_region?));
            Ok::<_, dogpile::Error>(host.key_for(request)?.or_else(by_default))
        })?;
        let entry = entry.ok_or(ViewCacheError::NoTemplateCache)?;
        let region = self.cache.region(host, &entry.region)?;
        Ok(call(region, entry)?)
    }

    /// What the template cache is asked.
    pub(super) fn with_request<T>(&self, ask: impl FnOnce(&TemplateRequest<'_>) -> T) -> T {
        let own = [
            self.template.engine,
            self.template.name(),
            self.kind.name(),
            self.name,
            self.digest,
            self.escaping,
        ];
        let key_parts = self.key_parts.iter().map(|part| &**part);
        let text = key::of(own.into_iter().chain(key_parts.clone()));
        let key_parts: Vec<Text<'_>> = key_parts.map(Text::from).collect();
        let tags: Vec<Text<'_>> = self.tags.iter().map(|tag| tag.as_str().into()).collect();
        let what = (self.kind, self.name);
        let request = TemplateRequest::new(self.template.engine, self.template.name(), what, &text)
            .made_of(self.digest, self.escaping)
            .varies_by(&key_parts)
            .asks(self.region, self.expiration_time, &tags);
        ask(&request)
    }
}

/// For messages: `shop/orders.html:12: fragment "row"`.
impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.template.name())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        match self.kind {
            TemplatePart::Page => f.write_str(": the page"),
            kind => write!(f, ": {} {:?}", kind.name(), self.name),
        }
    }
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("part", &format_args!("{self}"))
            .field("key_parts", &self.key_parts)
            .finish_non_exhaustive()
    }
}
