//! One argument of a call, as it goes into a key.

use std::fmt;

use serde::Serialize;

use super::python_text::PythonText;
use super::rust_text::RustText;
use super::unwritable::Unwritable;
use crate::{Error, ErrorKind, Result};

/// An argument of a cached function, with its name.
pub struct Argument<'a> {
    name: &'a str,
    value: &'a dyn KeyArgument,
}

impl<'a> Argument<'a> {
    /// An argument of that name, for who makes keys of other things than functions.
    pub fn new<T: KeyArgument>(name: &'a str, value: &'a T) -> Self {
        Self { name, value }
    }

    /// Its name in the function; `argument_0` and so on where that is a pattern.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The value as text: readable, the same in every build and process, and different for different values of the
    /// type. Text is quoted (`"a"`), `None` is not `"None"`, maps are in the order of their keys.
    ///
    /// What the type's `Serialize` leaves out or writes alike is alike here, and a `HashSet` has no order: use a
    /// `BTreeSet`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Serializer`] if the value's own `Serialize` fails, as that of a path which is no Unicode does.
    pub fn to_text(&self) -> Result<String> {
        let mut text = String::new();
        self.write(&mut text)?;
        Ok(text)
    }

    /// Python's `str(value)`: text without quotes, `None`, `True`, `1e-05`, `[1, 'a']`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Serializer`] for structs, maps and enums with data: what `str` gives for those is the Python
    /// program's own affair.
    pub fn to_python(&self) -> Result<String> {
        let mut text = String::new();
        let written = self.value.write_python(&mut text);
        written.map_err(|why| self.unwritable(why))?;
        Ok(text)
    }

    /// As [`Argument::to_text`], behind what is in `text` already.
    ///
    /// # Errors
    ///
    /// As there; `text` may hold a part of it then.
    pub fn write(&self, text: &mut String) -> Result<()> {
        self.value.write(text).map_err(|why| self.unwritable(why))
    }

    fn unwritable(&self, why: Unwritable) -> Error {
        Error::with_source(
            ErrorKind::Serializer,
            format!(
                "argument `{}` cannot be part of a key: {why}; leave it out with `skip({0})`, or say `key = …`",
                self.name
            ),
            why,
        )
    }
}

impl fmt::Debug for Argument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        match self.value.write(&mut text) {
            Ok(()) => write!(f, "{}={text}", self.name),
            Err(why) => write!(f, "{}: {why}", self.name),
        }
    }
}

/// What can be part of a key: every type with serde's `Serialize`.
#[diagnostic::on_unimplemented(
    message = "an argument of type `{Self}` cannot be part of a key",
    label = "not serialisable",
    note = "leave it out with `skip(…)` if the result does not depend on it, derive `serde::Serialize` for its type, \
            or say what the key is with `key = …`"
)]
pub trait KeyArgument {
    #[doc(hidden)]
    fn write(&self, text: &mut String) -> Result<(), Unwritable>;

    #[doc(hidden)]
    fn write_python(&self, text: &mut String) -> Result<(), Unwritable>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> KeyArgument for T {
    fn write(&self, text: &mut String) -> Result<(), Unwritable> {
        self.serialize(RustText(text))
    }

    fn write_python(&self, text: &mut String) -> Result<(), Unwritable> {
        self.serialize(PythonText::whole(text))
    }
}
