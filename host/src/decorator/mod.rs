//! Cached functions: the installed host, and what the code that `#[cached]` and `#[cached_multi]` write calls.

mod errors;
mod installed;
mod place;
mod single;
mod values;

pub(crate) use self::installed::{install, uninstall};

/// What stands beside a free function: a type of its name, which only a module can have. An `impl` block refuses it, with
/// an error that says the name of this macro.
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

pub use dogpile_macros::{cached, cached_multi};

/// For the written code alone.
pub(crate) mod private {
    pub use std::result::Result::Ok;

    pub use crate::__beside as in_an_impl_block_this_needs_the_option_associated;

    pub use super::errors::{CacheErrors, DropErrors};
    pub use super::installed::installed;
    pub use super::place::{IntoExpiration, IntoRegion, Place, key};
    pub use super::single::{Run, call, get, invalidate, set, try_call};
    pub use super::values::{MaybeNone, all_owned, owned, should_cache};
    pub use crate::Result;
    pub use crate::key_generator::{Argument, FunctionCall, Site, key_by};
    pub use crate::region::{Cached, Expiration};
}
