use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use dogpile::{Argument, Expiration, Invalidation, KeyArgument};
#[cfg(feature = "tera")]
use dogpile_plugin_api::TemplateEntry;
use dogpile_plugin_api::{KeyParts, TemplatePart, TemplateRequest, Text};

use super::known::KnownPart;
use super::place::Place;
use super::reused::Reused;
use super::{Rendered, Template, ViewCache, ViewCacheError, trace};

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
    pub(super) kind: TemplatePart,
    pub(super) name: &'a str,
    /// None: the template's.
    pub(super) own_digest: Option<&'a str>,
    pub(super) escaping: &'a str,
    line: Option<usize>,
    key_parts: Parts<'a>,
    pub(super) region: Option<&'a str>,
    /// Where it is kept while nothing decides.
    pub(super) default_region: Option<&'a str>,
    pub(super) expiration_time: Option<Expiration>,
    pub(super) tags: Vec<String>,
    /// Whether it is cached, as far as the template says.
    pub(super) cached: bool,
    /// Why it cannot be.
    pub(super) fault: Option<String>,
}

/// What a part's text varies by.
#[derive(Clone, Default)]
struct Parts<'a> {
    own: Reused<KeyParts>,
    /// In their place, those of the call for its page.
    of_page: Option<&'a KeyParts>,
}

impl Parts<'_> {
    /// To write more into.
    fn room(&mut self) -> &mut KeyParts {
        let own = self.own.room();
        if let Some(parts) = self.of_page.take() {
            own.append(parts);
        }
        own
    }
}

impl Deref for Parts<'_> {
    type Target = KeyParts;

    fn deref(&self) -> &KeyParts {
        self.of_page.unwrap_or(&self.own)
    }
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
            own_digest: None,
            escaping: "html",
            line: None,
            key_parts: Parts::default(),
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
        let parts = self.key_parts.room();
        let written = parts.push_by(|text| Argument::new("key", part).write(text));
        match written {
            Ok(()) => self,
            Err(error) => self.without_cache(error.to_string()),
        }
    }

    /// One more part of the key, as text.
    #[cfg(any(feature = "minijinja", feature = "tera"))]
    pub(crate) fn key_text(mut self, text: &str) -> Self {
        self.key_parts.room().push(text);
        self
    }

    /// All parts of the key.
    #[cfg(any(feature = "askama", feature = "minijinja", feature = "tera"))]
    pub(super) fn key_parts(mut self, parts: &'a KeyParts) -> Self {
        self.key_parts.of_page = Some(parts);
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
        self.own_digest = Some(digest);
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
        self.on_place(|_, place| Ok(place.entry().get::<String>()?.map(Rendered::cached)))
    }

    /// Stores `text`, which is already escaped, as if it had been rendered now.
    ///
    /// # Errors
    ///
    /// If it cannot be stored.
    pub fn set(self, text: impl Into<String>) -> Result<(), ViewCacheError> {
        self.on_place(|part, place| {
            let call = place.entry().tags(place.tags(part));
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
        self.on_place(|_, place| place.region.delete(&*place.key))
    }

    /// Outdates its texts of all keys, whatever their digest and escaping, in the region that it has: all rows of a
    /// list, or a page for all users. Other processes see it as they see [tags](dogpile::Region::invalidate_tags).
    ///
    /// # Errors
    ///
    /// Those of [`Region::invalidate_tags`](dogpile::Region::invalidate_tags).
    pub fn invalidate_all(self, how: Invalidation) -> Result<(), ViewCacheError> {
        self.on_place(|part, place| {
            let [_, own] = part.own_tags();
            place.region.invalidate_tags([own], how)
        })
    }

    /// Outdates all texts of its template, in the region that it has.
    ///
    /// # Errors
    ///
    /// As [`Part::invalidate_all`].
    pub fn invalidate_template(self, how: Invalidation) -> Result<(), ViewCacheError> {
        self.on_place(|part, place| {
            let [template, _] = part.own_tags();
            place.region.invalidate_tags([template], how)
        })
    }

    /// A tag that all texts of the template have, and one that all of this part have.
    pub(super) fn own_tags(&self) -> [String; 2] {
        let part = self.row(&[self.kind.name(), self.name]);
        [self.template.head.as_str().to_owned(), part.into()]
    }

    /// What is wrong with the region that it would be in, if the host knows: nothing is held of it, or stored.
    #[cfg(feature = "tera")]
    pub(crate) fn region_fault(&self) -> Option<dogpile::Error> {
        let host = self.cache.host()?;
        let fault = |entry: TemplateEntry<'_>| host.region(&entry.region).err();
        let own = self.own_key();
        self.with_request(&own, &self.tags, |request| host.key_for(request, fault))
            .ok()??
    }

    pub(super) fn named(&self) -> trace::Named<'_> {
        (&self.template.name, self.kind, self.name)
    }

    fn on_place<T>(
        self,
        call: impl FnOnce(&Self, &Place<'_>) -> dogpile::Result<T>,
    ) -> Result<T, ViewCacheError> {
        if let Some(why) = &self.fault {
            return Err(ViewCacheError::Key(why.clone()));
        }
        let host = self.cache.host().ok_or(ViewCacheError::NoTemplateCache)?;
        let mut key = Reused::default();
        let place = self.found(host, &mut key)?;
        let place = place.ok_or(ViewCacheError::NoTemplateCache)?;
        Ok(call(&self, &place)?)
    }

    /// The text of its key.
    pub(super) fn own_key(&self) -> Reused<String> {
        let mut key = Reused::default();
        self.write_key("", self.known(), &mut key);
        key
    }

    /// The text of its key behind a prefix, with room made once.
    pub(super) fn write_key(
        &self,
        prefix: &str,
        known: Option<&KnownPart>,
        key: &mut Reused<String>,
    ) {
        let head = match known {
            Some(known) => Cow::Borrowed(&known.key),
            None => Cow::Owned(self.key_head()),
        };
        let row = [prefix, head.as_str(), self.key_parts.as_str()];
        let key = key.room();
        key.reserve(row.iter().map(|text| text.len()).sum());
        for text in row {
            key.push_str(text);
        }
    }

    /// All of its key but what it varies by.
    pub(super) fn key_head(&self) -> KeyParts {
        let digest = self.own_digest.unwrap_or(self.template.digest());
        self.row(&[self.kind.name(), self.name, digest, self.escaping])
    }

    /// Behind the template's own parts these.
    fn row(&self, parts: &[&str]) -> KeyParts {
        let mut row = KeyParts::default();
        row.append(&self.template.head);
        for part in parts {
            row.push(part);
        }
        row
    }

    /// What the template cache is asked, or told; `key` is its own, and of the tags those that it is to know.
    pub(super) fn with_request<T>(
        &self,
        key: &str,
        tags: &[String],
        ask: impl FnOnce(&TemplateRequest<'_>) -> T,
    ) -> T {
        let tags: Vec<Text<'_>> = tags.iter().map(|tag| tag.as_str().into()).collect();
        let what = (self.kind, self.name);
        let digest = self.own_digest.unwrap_or(self.template.digest());
        let request = TemplateRequest::new(self.template.engine, self.template.name(), what, key)
            .made_of(digest, self.escaping)
            .varies_by(&self.key_parts)
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
            .field("key_parts", &self.key_parts.iter())
            .finish_non_exhaustive()
    }
}
