//! What is asked of values.

use crate::region::Cached;

/// What `skip_none` can be said of.
#[diagnostic::on_unimplemented(
    message = "`skip_none` is for values of type `Option<T>`, not `{Self}`",
    label = "no `Option`",
    note = "`should_cache` has a condition of your own"
)]
pub trait MaybeNone {
    /// Whether it is a value.
    fn is_value(&self) -> bool;
}

impl<T> MaybeNone for Option<T> {
    fn is_value(&self) -> bool {
        self.is_some()
    }
}

/// Asks the option `should_cache`, and lets the compiler know what type it is about.
pub fn should_cache<T, F: Fn(&T) -> bool>(asked: &F, value: &T) -> bool {
    asked(value)
}

/// A copy of a cached value.
pub fn owned<T: Clone>(cached: &Cached<T>) -> T {
    T::clone(cached)
}

/// Copies of cached values.
pub fn all_owned<T: Clone>(cached: impl IntoIterator<Item = Option<Cached<T>>>) -> Vec<Option<T>> {
    cached
        .into_iter()
        .map(|cached| cached.as_ref().map(owned))
        .collect()
}
