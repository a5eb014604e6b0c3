//! `{% cache "row", key=p.id %}…{% endcache %}`: taken out of a template when it is read.
//!
//! Tera renders what stands between two tags before anything is called with it, so the body becomes a template of its
//! own, and in its place stands a call of the function `cached`, which renders it if it must: [`arguments`] reads the
//! tag, [`extract`] takes the bodies out, [`rewritten`] knows where what stood before, and [`function`] is the call.

mod arguments;
mod extract;
mod function;
mod nesting;
mod rewritten;

pub(crate) use self::arguments::key_tokens;
pub(crate) use self::extract::{Extracted, Finding, Fragment, extract};
pub(crate) use self::function::{Cached, Function, escaping};
pub(crate) use self::rewritten::Rewritten;
