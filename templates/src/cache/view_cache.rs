use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dogpile::{Host, Invalidation, Region, Templates};
use dogpile_plugin_api::{TemplateChange, TemplatePart};

use super::regions::Regions;
use super::warnings::Warnings;
use super::{Part, Template, ViewCacheError};

/// The cache of a program's templates, whatever engine they are for: a host's regions, and its template cache, which
/// decides of each page, block and fragment. A clone is the same cache.
///
/// ```
/// use dogpile::{Host, RegionConfig, TemplatesConfig};
/// use dogpile_templates::{Template, ViewCache};
///
/// let host = Host::builder()
///     .plugin(dogpile_plugin_memory::plugin())
///     .plugin(dogpile_plugin_template_cache::plugin())
///     .region(RegionConfig::on("pages", "memory"))
///     .templates(TemplatesConfig::new("template-cache"))
///     .build()?;
/// let cache = ViewCache::new(&host);
///
/// let orders = Template::new("mine", "orders.html", "digest of its source");
/// let row = || cache.fragment(&orders, "row").key(&42);
/// let text = row().get_or_create(|| Ok::<_, std::fmt::Error>("<li>42</li>".to_owned()))?;
/// assert_eq!(&*text, "<li>42</li>");
/// row().invalidate()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Its regions count as held once they were used, as those of cached functions do: a reload cannot remove them.
#[derive(Clone)]
pub struct ViewCache(Arc<Inner>);

struct Inner {
    /// None: everything is rendered.
    host: Option<Templates>,
    enabled: AtomicBool,
    regions: Regions,
    warnings: Warnings,
}

impl ViewCache {
    /// The cache of a host. While the host has no template cache, everything is rendered, and a warning says so once.
    pub fn new(host: &Host) -> Self {
        Self::of(Some(host.templates()))
    }

    /// A cache that caches nothing: everything is rendered, and nothing is said about it.
    pub fn off() -> Self {
        let cache = Self::of(None);
        cache.set_enabled(false);
        cache
    }

    fn of(host: Option<Templates>) -> Self {
        Self(Arc::new(Inner {
            host,
            enabled: AtomicBool::new(true),
            regions: Regions::default(),
            warnings: Warnings::default(),
        }))
    }

    /// Whether anything is cached from now on: Mako's `cache_enabled`, for all templates. What is stored stays.
    pub fn set_enabled(&self, enabled: bool) {
        self.0.enabled.store(enabled, Ordering::Relaxed);
    }

    /// Whether anything is cached.
    pub fn is_enabled(&self) -> bool {
        self.0.enabled.load(Ordering::Relaxed)
    }

    /// The whole text of a template: Mako's body.
    pub fn page<'a>(&'a self, template: &'a Template) -> Part<'a> {
        Part::new(self, template, (TemplatePart::Page, ""))
    }

    /// A block of a template.
    pub fn block<'a>(&'a self, template: &'a Template, name: &'a str) -> Part<'a> {
        Part::new(self, template, (TemplatePart::Block, name))
    }

    /// A fragment of a template: Mako's def or closure.
    pub fn fragment<'a>(&'a self, template: &'a Template, name: &'a str) -> Part<'a> {
        Part::new(self, template, (TemplatePart::Fragment, name))
    }

    /// Outdates all texts with one of these tags, in every region that this cache has used. Regions that it has yet to
    /// use are not known to it: where other processes fill them, or earlier ones did, call
    /// [`Region::invalidate_tags`](dogpile::Region::invalidate_tags) on those.
    ///
    /// # Errors
    ///
    /// The first of those of the regions, after all were asked.
    pub fn invalidate_tags<T: AsRef<str>>(
        &self,
        tags: impl IntoIterator<Item = T>,
        how: Invalidation,
    ) -> Result<(), ViewCacheError> {
        let tags: Vec<T> = tags.into_iter().collect();
        let mut outcome = Ok(());
        for region in self.0.regions.all() {
            outcome = outcome.and(region.invalidate_tags(tags.iter().map(AsRef::as_ref), how));
        }
        Ok(outcome?)
    }

    /// Tells the template cache that a template has another digest now, or, without one, is gone. Nothing depends on
    /// it: keys hold the digest.
    pub fn template_changed(&self, before: &Template, after: Option<&Template>) {
        let Some(host) = &self.0.host else {
            return;
        };
        let digests = (before.digest(), after.map_or("", Template::digest));
        let change = TemplateChange::new(before.engine, before.name(), digests);
        if let Err(error) = host.template_changed(&change) {
            self.warn(&format_args!("{}: {error}", before.name()));
        }
    }

    pub(super) fn host(&self) -> Option<&Templates> {
        self.0.host.as_ref()
    }

    /// A region by name. Its handle is kept: taking one locks out whoever changes regions.
    pub(super) fn region(&self, host: &Templates, name: &str) -> dogpile::Result<&Region> {
        self.0.regions.get(host, name)
    }

    /// Says something: once as a warning.
    pub(crate) fn warn(&self, message: &fmt::Arguments<'_>) {
        self.0.warnings.say(message);
    }
}

impl fmt::Debug for ViewCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ViewCache")
            .field("enabled", &self.is_enabled())
            .finish_non_exhaustive()
    }
}
