//! What the derive writes calls of. It may change with every release.

use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use super::CachedTemplate;
pub use super::identity::{Identity, of as identity_of};

/// What is known of a template when it is compiled.
#[derive(Debug)]
pub struct Source {
    /// Its file, or its type's name.
    pub name: &'static str,
    /// Of all that it is made of, without the templates among its values.
    pub digest: &'static str,
    /// `html`, `none`, or the path of the program's own escaper.
    pub escaping: &'static str,
    /// Those whose names are written out.
    pub fragments: &'static [Fragment],
}

/// A `{% filter cached(…) %}`.
#[derive(Debug)]
pub struct Fragment {
    /// The file in which it is written.
    pub template: &'static str,
    /// Unique in the template.
    pub name: &'static str,
    /// In that file.
    pub line: usize,
    /// If it is written out.
    pub region: Option<&'static str>,
    /// A number of seconds or a text, if it is written out.
    pub expiration_time: Option<&'static str>,
    /// Whether it stands in a loop and has no key.
    pub is_one_for_a_loop: bool,
}

/// The templates that a text may hold.
#[derive(Default)]
pub struct Contents {
    pub(super) found: Vec<Content>,
}

/// One of them.
pub(super) struct Content {
    pub(super) type_name: &'static str,
    pub(super) digest: &'static str,
    pub(super) identity: fn() -> &'static Identity,
}

impl Contents {
    /// A template with all that it may hold itself.
    pub fn add<T: CachedTemplate + ?Sized>(&mut self) {
        let (type_name, digest) = (T::type_name(), T::SOURCE.digest);
        let is_it = |known: &Content| (known.type_name, known.digest) == (type_name, digest);
        if !self.found.iter().any(is_it) {
            self.found.push(Content {
                type_name,
                digest,
                identity: T::identity,
            });
            T::contents(self);
        }
    }
}

/// Something that is a template, or holds some.
pub trait Contains {
    /// Adds them.
    fn look(contents: &mut Contents);
}

/// Whether a type is one is seen by which `look` is found: this one's own is preferred to that of [`NoTemplate`].
pub struct Probe<T: ?Sized>(PhantomData<T>);

impl<T: Contains + ?Sized> Probe<T> {
    /// Adds the templates.
    pub fn look(contents: &mut Contents) {
        T::look(contents);
    }
}

/// A value of any other type.
pub trait NoTemplate {
    /// Adds nothing.
    fn look(_contents: &mut Contents) {}
}

impl<T: ?Sized> NoTemplate for Probe<T> {}

macro_rules! contains {
    ($([$($generics:tt)*] $holder:ty;)*) => {
        $(impl<T: Contains $($generics)*> Contains for $holder {
            fn look(contents: &mut Contents) {
                T::look(contents);
            }
        })*
    };
}

contains! {
    [+ ?Sized] &T;
    [+ ?Sized] &mut T;
    [+ ?Sized] Box<T>;
    [+ ?Sized] Rc<T>;
    [+ ?Sized] Arc<T>;
    [] Option<T>;
    [] Vec<T>;
    [] [T];
    [, const N: usize] [T; N];
    [, K] BTreeMap<K, T>;
    [, K, S] HashMap<K, T, S>;
}
