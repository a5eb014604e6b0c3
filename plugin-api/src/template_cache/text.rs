use std::fmt;
use std::ops::Deref;

use abi_stable::StableAbi;
use abi_stable::std_types::RStr;

/// A text in a list that crosses the boundary. It derefs to `&str`.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, StableAbi)]
pub struct Text<'a>(RStr<'a>);

impl<'a> Text<'a> {
    /// The text, for as long as it is borrowed.
    pub fn as_str(self) -> &'a str {
        self.0.as_str()
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.into())
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
