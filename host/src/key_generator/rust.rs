//! The keys of cached functions, unless another generator is set.

use super::rust_text::write_name;
use super::{FunctionCall, KeyGenerator};
use crate::Result;

/// Readable keys that cannot collide: `myapp::users::load(42,"Ada")`.
///
/// Before the arguments stand the function's path (in an `impl` block with its type; of a trait's default method with
/// type and trait: `<myapp::users::Users as myapp::users::Load>::load`), the types that a generic function
/// is called with (`load<u64>`) and, after `|`, the namespace (`load|eu(42)`). The arguments are as
/// [`Argument::to_text`](super::Argument::to_text) gives them, so `("1 2","3")` is not `("1","2 3")` and `1` is not
/// `"1"`.
///
/// The same in every build of a program, as long as its functions and types keep their paths. The names of types are
/// the compiler's, which may change them from one version to another. Functions of the same name in the bodies of two
/// functions of one module are the same to it: give them namespaces.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustKeys;

impl KeyGenerator for RustKeys {
    fn key(&self, call: &FunctionCall<'_>) -> Result<String> {
        let mut key = String::with_capacity(64);
        key.push_str(call.self_type().unwrap_or(call.module()));
        key.push_str("::");
        key.push_str(call.function());
        if !call.types().is_empty() {
            key.push('<');
            key.push_str(&call.types().join(","));
            key.push('>');
        }
        if let Some(namespace) = call.namespace() {
            key.push('|');
            write_name(&mut key, namespace);
        }
        key.push('(');
        for (at, argument) in call.arguments().iter().enumerate() {
            if at > 0 {
                key.push(',');
            }
            argument.write(&mut key)?;
        }
        key.push(')');
        Ok(key)
    }
}
