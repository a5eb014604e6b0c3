use std::sync::Arc;

use super::{Assembly, Place, Refusals};
use crate::instance::Recipe;
use crate::manifest::TemplatesConfig;
use crate::registry::Templates;
use crate::template_cache::TemplateCache;

const PLACE: Place<'_> = Place {
    named: &["plugin"],
    given: &["arguments"],
};

impl Assembly<'_> {
    /// The templates' cache: the current one if it is still the one asked for, or a new one.
    pub(crate) fn templates(&self, config: &Arc<TemplatesConfig>) -> Result<Templates, Refusals> {
        let found = self.plugins.template_cache(&config.plugin);
        let (plugin, name) = found.map_err(|error| PLACE.unresolved(error))?;
        let mut offered = plugin.info.template_caches.iter();
        let info = offered.find(|info| info.name == name);
        let recipe = Recipe {
            plugin,
            name,
            arguments: Arc::new(PLACE.typed(
                |path| config.is_interpolated(path),
                &config.arguments,
                info.map(|info| &info.arguments),
            )),
        };
        let current = self.current.templates.as_ref();
        let kept = current.filter(|current| current.cache.serves(&recipe));
        let cache = if let Some(current) = kept {
            Arc::clone(&current.cache)
        } else {
            let opened = TemplateCache::open(&recipe, self.open_timeout, &self.engine.mender);
            opened.map_err(|error| PLACE.not_opened(&recipe, error))?
        };
        Ok(Templates {
            cache,
            config: Arc::clone(config),
            origin: self.origin,
        })
    }
}
