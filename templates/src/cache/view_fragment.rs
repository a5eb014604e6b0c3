use std::borrow::Cow;
use std::fmt;

use dogpile::Expiration;

use super::{Part, Template, ViewCache};

/// One fragment of a template, to get, set or invalidate its texts by their keys, whether it was rendered before or not.
pub struct ViewFragment {
    pub(crate) cache: ViewCache,
    pub(crate) template: Template,
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) escaping: Cow<'static, str>,
    pub(crate) region: Option<String>,
    pub(crate) expiration_time: Option<Expiration>,
}

impl ViewFragment {
    /// Its texts in the cache, with the key yet to be named. Each part of the key is given by [`Part::key`], in the order
    /// of the template. Region and expiration time are those of the template, where they are written out there; it is
    /// escaped as the template is that is rendered by itself: where another includes it that is escaped otherwise, say so
    /// by [`Part::escaping`].
    pub fn part(&self) -> Part<'_> {
        let mut part = self
            .cache
            .fragment(&self.template, &self.name)
            .line(self.line)
            .escaping(&self.escaping);
        if let Some(region) = &self.region {
            part = part.region(region);
        }
        if let Some(time) = self.expiration_time {
            part = part.expiration_time(time);
        }
        part
    }
}

impl fmt::Debug for ViewFragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ViewFragment")
            .field("template", &self.template.name())
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
