//! The filters [`cached`] and [`cached_tpl`]. Askama looks for filters in a module `filters` beside the template:
//!
//! ```
//! use dogpile_templates::askama::filters;
//! ```
//!
//! or, beside the program's own,
//!
//! ```
//! mod filters {
//!     pub use dogpile_templates::askama::filters::*;
//! }
//! ```

use std::any;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;

use ::askama::filters::{MaybeSafe, Safe, ValidArgIdx, ValidFilterInvocation};
use ::askama::helpers::FmtCell;
use ::askama::{PrimitiveType, Values};
use dogpile::{Expiration, KeyArgument};

use super::arguments::{ExpirationTime, FragmentKey};
use super::handle::{Handle, WithHandle};
use super::identity::Identity;
use super::rendered::rendered;
use super::{CachedTemplate, program};
use crate::cache::{EXPIRATION, Part, Rendered};

/// `{% filter cached(("row", item.id), expiration_time = 60) %}…{% endfilter %}`: the body does not run when its text is
/// in the cache. [The module](super) has the arguments.
///
/// It is for bodies alone: after `|` it is refused, where a text would no longer be escaped.
///
/// ```compile_fail
/// # use askama::Template;
/// use dogpile_templates::askama::filters;
///
/// #[derive(Template)]
/// #[template(source = r#"{{ name|cached("name") }}"#, ext = "html")]
/// struct Hello<'a> { name: &'a str }
/// ```
///
/// ```
/// # use askama::Template;
/// use dogpile_templates::askama::filters;
///
/// #[derive(Template)]
/// #[template(source = r#"{% filter cached("name") %}{{ name }}{% endfilter %}"#, ext = "html")]
/// struct Hello<'a> { name: &'a str }
/// ```
#[expect(non_camel_case_types, reason = "askama calls filters by these names")]
pub type cached<'a, K = ()> = Filter<'a, Body, K>;

/// `{{ Card { item }|cached_tpl(item.id) }}`: another template, which is rendered only if its text is not in the cache.
///
/// Its arguments are those of [`cached`], but for the key: a value, or a tuple of values. What is escaped as HTML is not
/// escaped again; anything else is, as the page says.
///
/// ```compile_fail
/// # use askama::Template;
/// use dogpile_templates::askama::{CachedTemplate, filters};
///
/// #[derive(Template)]
/// #[template(source = "{{ Card { n: 1 }|cached_tpl(1) }}", ext = "html")]
/// struct Page;
///
/// #[derive(Template)] // and no `CachedTemplate`
/// #[template(source = "{{ n }}", ext = "html")]
/// struct Card { n: u8 }
/// ```
///
/// ```
/// # use askama::Template;
/// use dogpile_templates::askama::{CachedTemplate, filters};
///
/// #[derive(Template)]
/// #[template(source = "{{ Card { n: 1 }|cached_tpl(1) }}", ext = "html")]
/// struct Page;
///
/// #[derive(Template, CachedTemplate)]
/// #[template(source = "{{ n }}", ext = "html")]
/// struct Card { n: u8 }
/// ```
#[expect(non_camel_case_types, reason = "askama calls filters by these names")]
pub type cached_tpl<'a, K = ()> = Filter<'a, Nested, K>;

/// What [`cached`] filters.
#[derive(Debug)]
pub struct Body(());

/// What [`cached_tpl`] filters.
#[derive(Debug)]
pub struct Nested(());

/// A call of a filter: askama gives it its arguments one by one. An argument that is not known is none of its methods.
#[derive(Debug)]
pub struct Filter<'a, S, K = ()> {
    key: K,
    region: Option<&'a str>,
    /// Or why there is none.
    expiration_time: Option<Result<Expiration, String>>,
    tags: Vec<String>,
    when: bool,
    of: PhantomData<S>,
}

impl<S> Default for Filter<'_, S> {
    fn default() -> Self {
        Self {
            key: (),
            region: None,
            expiration_time: None,
            tags: Vec::new(),
            when: true,
            of: PhantomData,
        }
    }
}

impl<S, K> ValidFilterInvocation for Filter<'_, S, K> {}

// As many as there are arguments: the key, and each of the named ones.
impl<S> ValidArgIdx<0> for Filter<'_, S> {}
impl<S> ValidArgIdx<1> for Filter<'_, S> {}
impl<S> ValidArgIdx<2> for Filter<'_, S> {}
impl<S> ValidArgIdx<3> for Filter<'_, S> {}
impl<S> ValidArgIdx<4> for Filter<'_, S> {}

impl<'a, S, K> Filter<'a, S, K> {
    #[doc(hidden)]
    pub fn with_0<N>(self, key: N) -> Filter<'a, S, N> {
        Filter {
            key,
            region: self.region,
            expiration_time: self.expiration_time,
            tags: self.tags,
            when: self.when,
            of: PhantomData,
        }
    }

    #[doc(hidden)]
    #[must_use]
    pub fn with_region<R: AsRef<str> + ?Sized>(mut self, region: &'a R) -> Self {
        self.region = Some(region.as_ref());
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub fn with_expiration_time<T: ExpirationTime>(mut self, time: T) -> Self {
        let expiration = time.expiration_time();
        let none = || format!("{time:?} is no expiration time. {EXPIRATION}");
        self.expiration_time = Some(expiration.ok_or_else(none));
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub fn with_tags<T: IntoIterator<Item: AsRef<str>>>(mut self, tags: T) -> Self {
        let tags = tags.into_iter().map(|tag| tag.as_ref().to_owned());
        self.tags.extend(tags);
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub fn with_when<B: PrimitiveType<Value = bool>>(mut self, when: B) -> Self {
        self.when = when.get();
        self
    }

    /// With what the call says, and what its page says of all that is in it.
    fn arguments<'p>(&'p self, mut part: Part<'p>, handle: &'p Handle) -> Part<'p> {
        if let Some(region) = self.region.or(handle.options.region.as_deref()) {
            part = part.region(region);
        }
        match &self.expiration_time {
            Some(Ok(time)) => part = part.expiration_time(*time),
            Some(Err(why)) => part = part.without_cache(why),
            None => {
                if let Some(time) = handle.options.expiration_time {
                    part = part.expiration_time(time);
                }
            }
        }
        part.tags(&self.tags).when(self.when && !handle.options.off)
    }
}

impl<K: FragmentKey> Filter<'_, Body, K> {
    #[doc(hidden)]
    #[track_caller]
    pub fn execute<F>(
        self,
        body: &Safe<&FmtCell<F>>,
        values: &dyn Values,
    ) -> ::askama::Result<Safe<Rendered>>
    where
        F: FnOnce(&mut fmt::Formatter<'_>) -> ::askama::Result<()>,
    {
        let handle = Handle::of(values);
        let name = self.key.name();
        let place = Location::caller();
        let owner = handle.root.and_then(|root| {
            let owner = root.owner_of(any::type_name::<F>());
            if owner.is_none() {
                undeclared(&handle, root, place);
            }
            owner
        });
        let known =
            owner.and_then(|owner| Some(owner.fragment(name).ok()?.part(&handle.cache, owner)));
        let part = known.unwrap_or_else(|| {
            let standin = program::of::<F>(place);
            let part = handle.cache.fragment(&standin.template, name);
            match standin.fault {
                Some(why) => part.without_cache(why),
                None => part,
            }
        });
        let part = self.arguments(self.key.varies(part), &handle);
        let text = rendered(part, || {
            let mut text = String::new();
            match fmt::write(&mut text, format_args!("{}", body.0)) {
                Ok(()) => Ok(text),
                Err(_) => Err(body.0.take_err().err().unwrap_or(::askama::Error::Fmt)),
            }
        })?;
        Ok(Safe(text))
    }
}

impl<K: KeyArgument> Filter<'_, Nested, K> {
    #[doc(hidden)]
    #[track_caller]
    pub fn execute<T: CachedTemplate>(
        self,
        template: T,
        values: &dyn Values,
    ) -> ::askama::Result<MaybeSafe<Rendered>> {
        let handle = Handle::of(values);
        let identity = T::identity();
        if let Some(root) = handle.root.filter(|root| !root.holds(identity)) {
            undeclared(&handle, root, &identity.page.name());
        }
        let part = handle
            .cache
            .page(&identity.page)
            .escaping(identity.escaping());
        let part = self.arguments(part.key(&self.key), &handle);
        let text = rendered(part, || {
            template.render_with_values(&WithHandle {
                handle: Handle {
                    root: Some(identity),
                    ..Handle::clone(&handle)
                },
                values,
            })
        })?;
        Ok(match identity.escaping() {
            "html" => MaybeSafe::Safe(text),
            _ => MaybeSafe::NeedsEscaping(text),
        })
    }
}

/// What is kept of `root` would stay after an edit of a template in it.
fn undeclared(handle: &Handle, root: &Identity, other: &dyn fmt::Display) {
    handle.cache.warn(&format_args!(
        "{}: its digest does not hold that of the template in {other}, which it renders: an edit of that one does not \
         concern what is kept of this one. Derive `CachedTemplate` for both, and write `#[renders(…)]` with that one's type",
        root.page.name()
    ));
}
