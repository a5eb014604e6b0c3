//! Keys of the program's own types.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

/// What can be the key of a value: a string, or a type that says which string it is.
///
/// A number is none: `42` alone says nothing of what it counts, and a bare number is the same key for every type.
/// Write `format!("user:{id}")`, or a type of your own:
///
/// ```
/// # use dogpile::{Host, RegionConfig};
/// use std::borrow::Cow;
///
/// struct UserId(u64);
///
/// impl dogpile::CacheKey for UserId {
///     fn cache_key(&self) -> Cow<'_, str> {
///         Cow::Owned(format!("user:{}", self.0))
///     }
/// }
///
/// # let host = Host::builder()
/// #     .plugin(dogpile_plugin_memory::plugin())
/// #     .region(RegionConfig::on("users", "memory"))
/// #     .build()?;
/// let users = host.region("users")?;
/// users.set(UserId(42), String::from("Ada"))?;
/// assert_eq!(*users.get::<String>("user:42")?.unwrap(), "Ada");
/// # Ok::<(), dogpile::Error>(())
/// ```
pub trait CacheKey {
    /// The key. Different values must give different strings, in every process and build that shares the storage.
    fn cache_key(&self) -> Cow<'_, str>;
}

impl<K: CacheKey + ?Sized> CacheKey for &K {
    #[inline]
    fn cache_key(&self) -> Cow<'_, str> {
        (**self).cache_key()
    }
}

macro_rules! strings {
    ($($string:ty),+) => {
        $(impl CacheKey for $string {
            #[inline]
            fn cache_key(&self) -> Cow<'_, str> {
                Cow::Borrowed(self)
            }
        })+
    };
}

strings!(str, String, Box<str>, Rc<str>, Arc<str>, Cow<'_, str>);
