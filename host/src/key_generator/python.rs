//! The keys that dogpile.cache makes.

use super::{Argument, FunctionCall, KeyGenerator};
use crate::Result;

/// Exactly the keys of dogpile.cache's generators, `myapp.users:load|42` and with a namespace `myapp.users:load|eu|42`,
/// for programs in both languages that share a cache.
///
/// Python's `module` is the function's path with dots for `::`, unless [`PythonKeys::module`] gives it. Types are not in
/// the key, neither those of a generic function nor that of the `impl` block, and it collides where Python's does:
/// `("1 2", "3")` is `("1", "2 3")`, `1` is `"1"`. Arguments are as [`Argument::to_python`] gives them.
///
/// ```
/// use dogpile::{PythonKeys, cached};
///
/// // As `load` in Python's module `myapp.tools`.
/// #[cached(region = "users", function_key_generator = PythonKeys::function().module("myapp.tools"))]
/// fn load(id: u64) -> String {
///     format!("user {id}")
/// }
/// ```
#[derive(Clone, Debug)]
pub struct PythonKeys {
    module: Option<String>,
    sorted: bool,
}

impl PythonKeys {
    /// As `function_key_generator` and `function_multi_key_generator`: the arguments in their order.
    pub fn function() -> Self {
        Self {
            module: None,
            sorted: false,
        }
    }

    /// As `kwarg_function_key_generator`: the arguments in the order of their names.
    pub fn kwarg_function() -> Self {
        Self {
            module: None,
            sorted: true,
        }
    }

    /// The name of the Python module that has the function.
    #[must_use]
    pub fn module(mut self, module: impl Into<String>) -> Self {
        self.module = Some(module.into());
        self
    }
}

impl KeyGenerator for PythonKeys {
    fn key(&self, call: &FunctionCall<'_>) -> Result<String> {
        let mut key = match &self.module {
            Some(module) => module.clone(),
            None => call.module().replace("::", "."),
        };
        key.push(':');
        key.push_str(call.function());
        key.push('|');
        if let Some(namespace) = call.namespace() {
            key.push_str(namespace);
            key.push('|');
        }
        let mut arguments: Vec<&Argument<'_>> = call.arguments().iter().collect();
        if self.sorted {
            arguments.sort_by_key(|argument| argument.name());
        }
        for (at, argument) in arguments.into_iter().enumerate() {
            if at > 0 {
                key.push(' ');
            }
            key.push_str(&argument.to_python()?);
        }
        Ok(key)
    }
}
