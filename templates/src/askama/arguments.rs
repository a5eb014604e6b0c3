use std::fmt;
use std::time::Duration;

use dogpile::{Expiration, KeyArgument};
use dogpile_plugin_api::Scalar;

use crate::cache::{Part, expiration};

/// What stands first in `cached(…)`: the fragment's name, or a tuple of it and of what the fragment varies by.
///
/// Names and texts in a tuple are `&str`; a `String` is borrowed: `cached(("row", &user.name))`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no cached fragment",
    note = "write `cached(\"row\")`, or `cached((\"row\", item.id))` with up to eight values that it varies by"
)]
pub trait FragmentKey {
    /// The fragment's name.
    fn name(&self) -> &str;

    #[doc(hidden)]
    fn varies<'a>(&self, part: Part<'a>) -> Part<'a>;
}

impl FragmentKey for str {
    fn name(&self) -> &str {
        self
    }

    fn varies<'a>(&self, part: Part<'a>) -> Part<'a> {
        part
    }
}

impl<T: FragmentKey + ?Sized> FragmentKey for &T {
    fn name(&self) -> &str {
        T::name(self)
    }

    fn varies<'a>(&self, part: Part<'a>) -> Part<'a> {
        T::varies(self, part)
    }
}

macro_rules! tuples {
    ($($($part:ident)*;)*) => {
        $(impl<N: AsRef<str>, $($part: KeyArgument),*> FragmentKey for (N, $($part,)*) {
            fn name(&self) -> &str {
                self.0.as_ref()
            }

            #[expect(non_snake_case, reason = "parts are named after their types")]
            fn varies<'a>(&self, part: Part<'a>) -> Part<'a> {
                let (_, $($part,)*) = self;
                part$(.key($part))*
            }
        })*
    };
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}

/// What `expiration_time` can be in a template: a number of seconds, a text such as `"5m"` or `"never"`, a `Duration`,
/// or an [`Expiration`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no expiration time",
    note = "write seconds, or a text such as \"90s\", \"5m\", \"2h\", \"never\""
)]
pub trait ExpirationTime: fmt::Debug {
    /// None if it means none.
    fn expiration_time(&self) -> Option<Expiration>;
}

impl<T: ExpirationTime + ?Sized> ExpirationTime for &T {
    fn expiration_time(&self) -> Option<Expiration> {
        T::expiration_time(self)
    }
}

impl ExpirationTime for Expiration {
    fn expiration_time(&self) -> Option<Expiration> {
        Some(*self)
    }
}

impl ExpirationTime for Duration {
    fn expiration_time(&self) -> Option<Expiration> {
        Some(Expiration::After(*self))
    }
}

impl ExpirationTime for str {
    fn expiration_time(&self) -> Option<Expiration> {
        expiration(&Scalar::Text(self.to_owned()))
    }
}

impl ExpirationTime for String {
    fn expiration_time(&self) -> Option<Expiration> {
        self.as_str().expiration_time()
    }
}

impl ExpirationTime for f64 {
    fn expiration_time(&self) -> Option<Expiration> {
        expiration(&Scalar::Number(*self))
    }
}

macro_rules! whole_numbers {
    ($($number:ty)*) => {
        $(impl ExpirationTime for $number {
            fn expiration_time(&self) -> Option<Expiration> {
                expiration(&Scalar::Whole(u64::try_from(*self).ok()?))
            }
        })*
    };
}

whole_numbers! { i32 i64 isize u8 u16 u32 u64 usize }
