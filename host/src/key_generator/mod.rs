//! From a call of a cached function to its key.

mod argument;
mod owner;
mod python;
mod python_text;
mod rust;
mod rust_text;
mod unwritable;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;

pub use self::argument::{Argument, KeyArgument};
#[doc(hidden)]
pub use self::owner::owner;
pub use self::python::PythonKeys;
pub use self::rust::RustKeys;

use crate::{Error, Result};

/// Makes the keys of cached functions: dogpile's `function_key_generator`.
///
/// A region has one for functions of one key and one for those of several; both are [`RustKeys`] until
/// [`Region::set_function_key_generator`](crate::Region::set_function_key_generator) and
/// [`Region::set_function_multi_key_generator`](crate::Region::set_function_multi_key_generator) say otherwise. A
/// function can have its own, by the option `function_key_generator`. A closure is one:
///
/// ```
/// use dogpile::{FunctionCall, KeyGenerator, cached};
///
/// fn first_argument(call: &FunctionCall<'_>) -> dogpile::Result<String> {
///     Ok(format!("{}_{}", call.function(), call.arguments()[0].to_text()?))
/// }
///
/// #[cached(region = "users", function_key_generator = first_argument)]
/// fn load(id: u64, attempt: u32) -> String {
///     format!("user {id} at attempt {attempt}")
/// }
/// ```
///
/// It is asked on the thread of each call, before the cache is. If it gives an error, the function runs without the
/// cache.
pub trait KeyGenerator: Send + Sync + 'static {
    /// The key of a call. Calls that may share a value have the same key, others have others.
    fn key(&self, call: &FunctionCall<'_>) -> Result<String>;
}

impl<F: Fn(&FunctionCall<'_>) -> Result<String> + Send + Sync + 'static> KeyGenerator for F {
    fn key(&self, call: &FunctionCall<'_>) -> Result<String> {
        self(call)
    }
}

/// A call of a cached function, for who makes its key. Of a function of several keys it is one for each of them.
pub struct FunctionCall<'a> {
    site: &'static Site,
    self_type: Option<&'a str>,
    types: &'a [&'a str],
    arguments: &'a [Argument<'a>],
}

/// What is the same in all calls of a function.
#[doc(hidden)]
pub struct Site {
    module: &'static str,
    function: &'static str,
    namespace: Option<&'static str>,
    warned: AtomicBool,
}

impl Site {
    pub const fn new(
        module: &'static str,
        function: &'static str,
        namespace: Option<&'static str>,
    ) -> Self {
        Self {
            module,
            function,
            namespace,
            warned: AtomicBool::new(false),
        }
    }

    /// Says that the function runs without the cache: once as a warning, since it may be called often.
    #[cold]
    pub(crate) fn warn(&self, error: &Error) {
        let Self {
            module, function, ..
        } = self;
        if self.warned.swap(true, Ordering::Relaxed) {
            tracing::debug!(target: "dogpile.cache", "{module}::{function} runs without the cache: {error}");
        } else {
            tracing::warn!(
                target: "dogpile.cache",
                "{module}::{function} runs without the cache: {error}; more of this is logged at debug level"
            );
        }
    }
}

impl<'a> FunctionCall<'a> {
    #[doc(hidden)]
    pub fn new(
        site: &'static Site,
        self_type: Option<&'a str>,
        types: &'a [&'a str],
        arguments: &'a [Argument<'a>],
    ) -> Self {
        Self {
            site,
            self_type,
            types,
            arguments,
        }
    }

    /// The path of the function's module: `myapp::users`.
    pub fn module(&self) -> &'a str {
        self.site.module
    }

    /// The function's name.
    pub fn function(&self) -> &'a str {
        self.site.function
    }

    /// The option `namespace`.
    pub fn namespace(&self) -> Option<&'a str> {
        self.site.namespace
    }

    /// The type in whose `impl` block the function is, with its path: `myapp::users::Users`. Of a trait's default method,
    /// type and trait: `<myapp::users::Users as myapp::users::Load>`.
    pub fn self_type(&self) -> Option<&'a str> {
        self.self_type
    }

    /// The names of the types that a generic function is called with, as the compiler gives them, and the values of
    /// its const parameters.
    pub fn types(&self) -> &'a [&'a str] {
        self.types
    }

    /// The arguments, without those that are skipped. `self` is the first if it is part of the key.
    pub fn arguments(&self) -> &'a [Argument<'a>] {
        self.arguments
    }
}

/// The generators of one region.
#[derive(Default)]
pub(crate) struct KeyGenerators {
    function: ArcSwapOption<Arc<dyn KeyGenerator>>,
    function_multi: ArcSwapOption<Arc<dyn KeyGenerator>>,
}

impl KeyGenerators {
    pub(crate) fn set_function(&self, generator: impl KeyGenerator) {
        self.function.store(Some(Arc::new(Arc::new(generator))));
    }

    pub(crate) fn set_function_multi(&self, generator: impl KeyGenerator) {
        self.function_multi
            .store(Some(Arc::new(Arc::new(generator))));
    }

    pub(crate) fn key(&self, call: &FunctionCall<'_>) -> Result<String> {
        generated(&self.function, call)
    }

    pub(crate) fn multi_key(&self, call: &FunctionCall<'_>) -> Result<String> {
        generated(&self.function_multi, call)
    }
}

/// The key that the function's own generator makes.
#[doc(hidden)]
pub fn key_by(generator: &dyn KeyGenerator, call: &FunctionCall<'_>) -> Result<String> {
    generator.key(call)
}

fn generated(
    generator: &ArcSwapOption<Arc<dyn KeyGenerator>>,
    call: &FunctionCall<'_>,
) -> Result<String> {
    match &*generator.load() {
        Some(generator) => generator.key(call),
        None => RustKeys.key(call),
    }
}
