use std::any::Any;
use std::borrow::Cow;
use std::sync::{LazyLock, PoisonError, RwLock};

use ::askama::Values;

use super::identity::Identity;
use crate::cache::{PageOptions, ViewCache};

/// The name of the value by which fragments find the cache.
const KEY: &str = "dogpile";

/// What a page tells the fragments in it.
#[derive(Clone)]
pub(super) struct Handle {
    pub(super) cache: ViewCache,
    /// The template that is being rendered.
    pub(super) root: Option<&'static Identity>,
    pub(super) options: PageOptions,
}

impl Handle {
    /// Of the page that is being rendered, else of the program.
    pub(super) fn of(values: &dyn Values) -> Cow<'_, Self> {
        let own = values.get_value(KEY).and_then(<dyn Any>::downcast_ref);
        own.map_or_else(|| Cow::Owned(Self::installed()), Cow::Borrowed)
    }

    fn installed() -> Self {
        Self {
            cache: installed(),
            root: None,
            options: PageOptions::default(),
        }
    }
}

/// A page's values, with the handle.
pub(super) struct WithHandle<'v> {
    pub(super) handle: Handle,
    pub(super) values: &'v dyn Values,
}

impl Values for WithHandle<'_> {
    fn get_value<'a>(&'a self, key: &str) -> Option<&'a dyn Any> {
        if key == KEY {
            Some(&self.handle)
        } else {
            self.values.get_value(key)
        }
    }
}

static INSTALLED: RwLock<Option<ViewCache>> = RwLock::new(None);

/// Makes `cache` the one of all templates that are rendered without another: by askama's own `render`, and by
/// [`CachedTemplate::render_cached`](super::CachedTemplate::render_cached). The last call counts.
pub fn install(cache: ViewCache) {
    let mut installed = INSTALLED.write().unwrap_or_else(PoisonError::into_inner);
    *installed = Some(cache);
}

/// The installed cache; without, one that caches nothing, and a warning says so once.
pub fn installed() -> ViewCache {
    let installed = INSTALLED.read().unwrap_or_else(PoisonError::into_inner);
    installed.clone().unwrap_or_else(|| {
        drop(installed);
        missing()
    })
}

fn missing() -> ViewCache {
    static OFF: LazyLock<ViewCache> = LazyLock::new(ViewCache::off);
    OFF.warn(&format_args!(
        "askama's templates are rendered without the cache: none is installed, and none came with the page. Call \
         `dogpile_templates::askama::install`, or render pages by `view`"
    ));
    OFF.clone()
}
