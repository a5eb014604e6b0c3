use std::fmt;

use dogpile::{Host, HostBuilder, ManualClock, RegionConfig, TemplatesConfig};
use dogpile_templates::{Part, Rendered, Template, ViewCache};
use std::time::Duration;

/// A renderer's own error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) &'static str);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Broken {}

/// A host with the regions `pages`, in which a text is fresh for 100 seconds, and `other`.
pub(crate) fn builder() -> HostBuilder {
    let region = |name| RegionConfig::on(name, "memory").expiration_time(Duration::from_secs(100));
    Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .plugin(dogpile_plugin_template_cache::plugin())
        .region(region("pages"))
        .region(region("other"))
}

pub(crate) fn cache() -> (Host, ViewCache) {
    let host = builder()
        .templates(TemplatesConfig::new("template-cache"))
        .build()
        .unwrap();
    let cache = ViewCache::new(&host);
    (host, cache)
}

/// As [`cache`], with a clock that the test moves.
pub(crate) fn timed_cache() -> (Host, ViewCache, ManualClock) {
    let (clock, manual) = dogpile::Clock::manual(1_700_000_000_000_000_000);
    let host = builder()
        .clock(clock)
        .templates(TemplatesConfig::new("template-cache"))
        .build()
        .unwrap();
    let cache = ViewCache::new(&host);
    (host, cache, manual)
}

pub(crate) fn template(name: &str) -> Template {
    Template::new("mine", name, "digest")
}

/// What a part renders to, if rendering gives `text`.
pub(crate) fn text(part: Part<'_>, text: &str) -> Rendered {
    part.get_or_create(|| Ok::<_, Broken>(text.to_owned()))
        .unwrap()
}
