use dogpile::{Argument, KeyArgument};
use dogpile_plugin_api::KeyParts;

use super::{PageOptions, Part, Template, ViewCache};

/// What a call says of a page, whatever its engine.
#[derive(Clone, Debug, Default)]
pub(crate) struct PageCall {
    /// Whether its whole text is kept.
    pub(crate) cached: bool,
    key: KeyParts,
    /// Why a part of the key is none: that is told when it is used.
    fault: Option<String>,
    tags: Vec<String>,
    pub(crate) options: PageOptions,
}

impl PageCall {
    /// One more part of the key.
    pub(crate) fn key<T: KeyArgument>(&mut self, part: &T) {
        self.cached = true;
        let written = self
            .key
            .push_by(|text| Argument::new("key", part).write(text));
        if let Err(error) = written {
            self.fault.get_or_insert_with(|| error.to_string());
        }
    }

    pub(crate) fn tags<T: Into<String>>(&mut self, tags: impl IntoIterator<Item = T>) {
        self.tags.extend(tags.into_iter().map(Into::into));
    }

    /// The page in the cache.
    pub(crate) fn part<'s>(&'s self, cache: &'s ViewCache, template: &'s Template) -> Part<'s> {
        let mut part = cache.page(template).key_parts(&self.key);
        part = part.when(self.cached && !self.options.off);
        if let Some(why) = &self.fault {
            part = part.without_cache(why.clone());
        }
        if let Some(region) = &self.options.region {
            part = part.region(region);
        }
        if let Some(time) = self.options.expiration_time {
            part = part.expiration_time(time);
        }
        part.tags(self.tags.iter().cloned())
    }
}
