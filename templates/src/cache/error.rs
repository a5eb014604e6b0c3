use std::fmt;

use dogpile::{Error, ErrorKind};

/// Why a text could not be got, set or invalidated by name. Rendering never ends with one: what the cache cannot do is
/// rendered without it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ViewCacheError {
    /// The host has no template cache, or the cache was made without a host.
    NoTemplateCache,
    /// The key has a part that cannot be one.
    Key(String),
    /// The template has no such fragment.
    #[cfg(feature = "askama")]
    NoFragment(String),
    /// There is no such page; it is told by its render too.
    #[cfg(feature = "tera")]
    View(crate::ViewError),
    /// MiniJinja has no such template; its error, which the render of the page ends with too.
    #[cfg(feature = "minijinja")]
    MiniJinja(std::sync::Arc<minijinja::Error>),
    /// The template cache decided that there is no such region, or the region's backend failed.
    Host(Error),
}

impl ViewCacheError {
    /// The kind of the host's error, if it is one.
    pub fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Host(error) => Some(error.kind()),
            _ => None,
        }
    }
}

impl From<Error> for ViewCacheError {
    fn from(error: Error) -> Self {
        Self::Host(error)
    }
}

impl fmt::Display for ViewCacheError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTemplateCache => f.write_str(
                "nothing decides what of templates is cached: list a plugin such as template-cache and name it in \
                 [templates], or call `templates` on the host's builder",
            ),
            Self::Key(why) => f.write_str(why),
            #[cfg(feature = "askama")]
            Self::NoFragment(why) => f.write_str(why),
            #[cfg(feature = "tera")]
            Self::View(error) => error.fmt(f),
            #[cfg(feature = "minijinja")]
            Self::MiniJinja(error) => error.fmt(f),
            Self::Host(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ViewCacheError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Host(error) => Some(error),
            #[cfg(feature = "tera")]
            Self::View(error) => Some(error),
            #[cfg(feature = "minijinja")]
            Self::MiniJinja(error) => Some(&**error),
            _ => None,
        }
    }
}
