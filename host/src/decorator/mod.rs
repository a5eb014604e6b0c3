//! Cached functions: the installed host, and what the code that `#[cached]` and `#[cached_multi]` write calls.

mod asynchronous;
mod background;
mod batch;
mod errors;
mod installed;
mod multi;
mod multi_asynchronous;
mod place;
mod places;
mod single;
mod values;

pub(crate) use self::installed::{install, uninstall};

/// What stands beside a free function: a type of its name, which only a module can have. An `impl` block refuses it, and
/// so does a module that has another type or module of that name, with an error that says the name of this macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __beside {
    ($doc:literal {$($vis:tt)*} $name:ident {$($beside:tt)*}) => {
        #[doc = $doc]
        #[allow(non_camel_case_types, dead_code)]
        $($vis)* enum $name {}
        impl $name { $($beside)* }
    };
}

/// Caches what a function returns, by its arguments: dogpile's `cache_on_arguments`.
///
/// ```
/// use std::time::Duration;
///
/// use dogpile::{Cached, Host, RegionConfig, cached};
///
/// #[cached(region = "users")]
/// fn load(id: u64) -> String {
///     format!("user {id}") // a slow query
/// }
///
/// let host = Host::builder()
///     .plugin(dogpile_plugin_memory::plugin())
///     .region(RegionConfig::on("users", "memory").expiration_time(Duration::from_secs(300)))
///     .build()?;
/// host.install()?;
///
/// let user: Cached<String> = load(42); // runs
/// assert_eq!(*user, "user 42");
/// assert_eq!(load(42), user); // does not
///
/// load::set("Ada".into(), 42)?;
/// assert_eq!(load::get(42)?.as_deref(), Some(&"Ada".to_owned()));
/// load::invalidate(42)?;
/// assert_eq!(load::get(42)?, None);
/// assert_eq!(*load::refresh(42), "user 42"); // runs, and stores
/// assert_eq!(load::original(42), "user 42"); // runs without the cache
/// # Ok::<(), dogpile::Error>(())
/// ```
///
/// The function keeps its name, arguments, generics, visibility and documentation. It returns [`Cached<T>`](crate::Cached)
/// where it returned `T`, and `Result<Cached<T>, E>` where it returned `Result<T, E>`. Of all the callers that want the
/// same missing value at once one runs it; the rest is as with [`Region::get_or_create`]. An `async fn` stays one.
///
/// | beside it | does |
/// |---|---|
/// | `load::get(…)` | the fresh value for these arguments, if there is one; it waits for nobody |
/// | `load::set(value, …)` | stores a value for them |
/// | `load::invalidate(…)` | removes what is stored for them |
/// | `load::refresh(…)` | runs the function whatever is stored, stores what it returns, and returns it |
/// | `load::original(…)` | runs the function without the cache |
/// | `load::key(…)` | the key of these arguments in the region |
///
/// Those that address the cache itself give its errors; the function and `refresh` do not: **a cache that fails lets the
/// function run**, and says so in the log (as a warning once for each function). That goes for a host that is not
/// installed, a region that is not configured, a backend that fails (whatever `on_backend_error` says), a value that
/// cannot be written, a wait that took longer than `lock_wait` or would have closed a circle.
///
/// They belong to a type of the function's name, so nothing else in its module may have that name: no module `load`, no
/// `struct` and no trait.
///
/// In an `impl` block they are beside the function itself: `load_get`, `load_set`, `load_invalidate`, `load_refresh`,
/// `load_original`, `load_key`, with the same `self`. A function without `self` there needs the option `associated`. So
/// it is with a trait's default methods, whose values are each trait's and each type's own. An `impl` of a trait has no
/// place for them: cache a function that it calls.
///
/// # Options
///
/// | option | says |
/// |---|---|
/// | `region = "users"` | the region of the [installed](crate::Host::install) host. Or an expression that gives a [`Region`] or `&Region`, which may use the arguments: `region = &self.users` |
/// | `namespace = "eu"` | a part of the key that tells functions of one name apart |
/// | `expiration_time = "5m"` | instead of the region's: text as in the manifest, a number of seconds, `"never"`; or a path or an expression that gives a `Duration`, an [`Expiration`] or a function that does, evaluated at each call |
/// | `tags = ["users", …]` | the [tags](crate::Entry::tags) of what is stored: an expression that gives some strings and may use the arguments, evaluated at each call |
/// | `should_cache = path` | a function of `&T` that says whether a value is stored; its callers get it all the same. It may use the arguments: those that it does are cloned |
/// | `skip(db, log)` | arguments that are no part of the key, since the result does not depend on them |
/// | `key = "user:{id}"` | the whole key: a format string, or an expression that can be displayed. It is for you to see to that no two calls share one by mistake |
/// | `key_self` | `self` is part of the key; else it is not |
/// | `function_key_generator = path` | a [`KeyGenerator`] instead of the region's |
/// | `skip_none` | `None` is not stored; else it is a value like others |
/// | `cache_err = "10s"` | an error is stored for so long, under the key and `#error`; else it is not. `E` must be a serde type |
/// | `background` | the function may run [in the background](crate::Background::get_or_create), with `background_refresh`, `early_refresh` or a [creation runner](crate::Region::set_creation_runner), while its callers are served what is stored: it borrows nothing, and what it takes is `Send` |
/// | `clone` | the function returns `T`, a clone, instead of `Cached<T>` |
/// | `associated` | the function is in an `impl` block and has no `self` |
/// | `crate = ::cache::dogpile` | where this crate is, if not at `::dogpile` |
///
/// # Keys
///
/// [`RustKeys`] make them unless the function or the region
/// ([`Region::set_function_key_generator`]) has another generator: `myapp::users::load(42)`. They can be read, are the
/// same in every build, and cannot collide. [`PythonKeys`] are those of dogpile.cache, for programs that share a cache
/// with one in Python. Arguments that are part of the key are serde types; the types that a generic function is called
/// with, and the type of the `impl` block or type and trait, are part of it too.
///
/// # Results and errors
///
/// A return type is taken for a `Result` by that name, so `io::Result<T>` and an alias `Result<T>` are; another alias is
/// cached as a value, its errors too. All who wait for a call that fails get a clone of its error, so `E` is `Clone +
/// Send + Sync`. A refresh that fails leaves what is stored.
///
/// ```
/// # use dogpile::{Cached, Host, RegionConfig, cached};
/// #[derive(Clone, Debug, PartialEq)]
/// struct NoSuchUser;
///
/// struct Users {
///     names: Vec<String>,
/// }
///
/// impl Users {
///     #[cached(region = "users", expiration_time = "1h")]
///     fn name(&self, id: usize) -> Result<String, NoSuchUser> {
///         self.names.get(id).cloned().ok_or(NoSuchUser)
///     }
/// }
///
/// # let host = Host::builder()
/// #     .plugin(dogpile_plugin_memory::plugin())
/// #     .region(RegionConfig::on("users", "memory"))
/// #     .build()?;
/// # host.install()?;
/// let users = Users { names: vec!["Ada".into()] };
/// let name: Result<Cached<String>, NoSuchUser> = users.name(0);
/// assert_eq!(*name.unwrap(), "Ada");
/// assert_eq!(users.name(1), Err(NoSuchUser));
/// users.name_invalidate(0)?;
/// # Ok::<(), dogpile::Error>(())
/// ```
///
/// # Other attributes
///
/// Those of other macros, written below this one, act on what is cached, as decorators of Python do; those above act on
/// all that is written here. An attribute `#[inline]` is the original's, `#[must_use]` and `#[deprecated]` are the
/// cached function's.
///
/// [`Cached`]: crate::Cached
/// [`Expiration`]: crate::Expiration
/// [`KeyGenerator`]: crate::KeyGenerator
/// [`PythonKeys`]: crate::PythonKeys
/// [`Region`]: crate::Region
/// [`Region::get_or_create`]: crate::Region::get_or_create
/// [`Region::set_function_key_generator`]: crate::Region::set_function_key_generator
/// [`RustKeys`]: crate::RustKeys
pub use dogpile_macros::cached;

/// Caches what a function of several keys returns, each key by itself: dogpile's `cache_multi_on_arguments`.
///
/// The first argument is a slice of keys, or a `Vec` of them: `ids: &[&str]`, `ids: Vec<u64>`. The function is called
/// with those keys that are missing, and returns a `Vec` with a value for each of them in their order, or a `HashMap` or
/// `BTreeMap` from keys to values; what a map leaves out is not cached and not in the result. It may be in a `Result`.
///
/// ```
/// use std::collections::HashMap;
///
/// use dogpile::{Cached, Host, RegionConfig, cached_multi};
///
/// #[cached_multi(region = "users")]
/// fn load(ids: &[u64]) -> HashMap<u64, String> {
///     // One query for all of them.
///     ids.iter().map(|id| (*id, format!("user {id}"))).collect()
/// }
///
/// # let host = Host::builder()
/// #     .plugin(dogpile_plugin_memory::plugin())
/// #     .region(RegionConfig::on("users", "memory"))
/// #     .build()?;
/// # host.install()?;
/// let users: HashMap<u64, Cached<String>> = load(&[1, 2, 3]);
/// assert_eq!(*users[&2], "user 2");
///
/// load::set([(2, "Ada".to_owned())])?;
/// load::invalidate(&[1, 3])?;
/// let found = load::get(&[1, 2])?;
/// assert_eq!((found[0].as_deref(), found[1].as_deref()), (None, Some(&"Ada".to_owned())));
/// # Ok::<(), dogpile::Error>(())
/// ```
///
/// Beside it are `load::get(keys)`, in the order of the keys; `load::set(mapping)`, from anything that gives pairs of key
/// and value; `load::invalidate(keys)`, `load::refresh(keys)`, `load::original(keys)` and `load::keys(keys)`. Further
/// arguments are passed on, and part of each key unless they are skipped.
///
/// A `refresh` does with each key as [`Region::refresh`](crate::Region::refresh) does, and waits for creations under way.
/// So it may call the function twice: for what nobody was creating, and then for the rest.
///
/// The options are those of [`cached`](macro@cached) without `cache_err` and `background`, and what is said there holds here. `key` is a function of
/// one key: `key = |id| format!("user:{id}")`. The generator is `function_multi_key_generator`, and is asked for one key
/// at a time. `should_cache` and `skip_none` are about one value.
///
/// # Panics
///
/// If a `Vec` has not as many values as there were keys: which value is whose cannot be known.
pub use dogpile_macros::cached_multi;

/// For the written code alone.
pub(crate) mod private {
    pub use std::result::Result::Ok;

    pub use crate::__beside as takes_the_functions_name_for_a_type_or_in_an_impl_block_needs_the_option_associated;

    pub use super::asynchronous::{
        call_async, get_async, invalidate_async, set_async, try_call_async,
    };
    pub use super::background::{
        call_background, call_background_async, try_call_background, try_call_background_async,
    };
    pub use super::errors::{CacheErrors, DropErrors};
    pub use super::installed::installed;
    pub use super::multi::{call_multi, get_multi, invalidate_multi, set_multi, try_call_multi};
    pub use super::multi_asynchronous::{
        call_multi_async, get_multi_async, invalidate_multi_async, set_multi_async,
        try_call_multi_async,
    };
    pub use super::place::{IntoExpiration, IntoRegion, Place, key};
    pub use super::places::{Places, multi_key, text_of_key};
    pub use super::single::{Run, call, get, invalidate, set, try_call};
    pub use super::values::{MaybeNone, all_owned, owned, should_cache};
    pub use crate::Result;
    pub use crate::key_generator::{Argument, FunctionCall, Site, key_by, owner};
    pub use crate::region::{Cached, Expiration};
}
