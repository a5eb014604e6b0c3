//! The arguments of a function, as callers of what is written for it give them.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::{
    Error, FnArg, Ident, Lifetime, Pat, PatType, Receiver, ReceiverKind, Result, Signature, Token,
    Type,
};

/// One argument. Its name is the user's, or a number if the user's is a pattern.
pub(crate) struct Argument {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    pub(crate) skipped: bool,
}

pub(crate) struct Arguments {
    pub(crate) receiver: Option<Receiver>,
    pub(crate) list: Vec<Argument>,
}

impl Arguments {
    pub(crate) fn of(signature: &Signature, skip: &[Ident]) -> Result<Self> {
        let receiver = signature.receiver().map(without_mut);
        let typed = signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(typed),
            FnArg::Receiver(_) => None,
        });
        let list = typed
            .enumerate()
            .map(|(at, typed)| argument(at, typed, skip))
            .collect::<Result<Vec<_>>>()?;
        let unknown = skip
            .iter()
            .find(|name| list.iter().all(|argument| argument.name != **name));
        if let Some(unknown) = unknown {
            return Err(unknown_argument(unknown, &signature.ident, &list));
        }
        Ok(Self { receiver, list })
    }

    /// An error at each that a function could not keep which runs when its caller has returned.
    pub(crate) fn refuse_borrowed(&self) -> Result<()> {
        let receiver = self.receiver.iter().filter_map(|receiver| {
            let ReceiverKind::Reference(_, lifetime, _) = &receiver.kind else {
                return None;
            };
            let text = "with `background` the function may run after its caller has returned, so it cannot borrow \
                        `self`: take `self: Arc<Self>`, or cache a function without `self`";
            (!is_static(lifetime.as_ref())).then(|| Error::new_spanned(receiver, text))
        });
        let list = self.list.iter().filter(|argument| argument.borrows());
        let list = list.map(|argument| {
            let text = format!(
                "with `background` the function may run after its caller has returned, so it cannot borrow `{}`: \
                 take something owned, such as a `String`, an `Arc` or a clone",
                argument.name
            );
            Error::new_spanned(&argument.ty, text)
        });
        let errors = receiver.chain(list).reduce(|mut errors, error| {
            errors.combine(error);
            errors
        });
        errors.map_or(Ok(()), Err)
    }

    /// As they are declared: `&self, id: u64`.
    pub(crate) fn declared(&self) -> Vec<TokenStream> {
        let receiver = self.receiver.iter().map(ToTokens::to_token_stream);
        let list = self
            .list
            .iter()
            .map(|Argument { name, ty, .. }| quote!(#name: #ty));
        receiver.chain(list).collect()
    }

    /// As they are given to a function with the same: `self, id`.
    pub(crate) fn given(&self) -> Vec<TokenStream> {
        let receiver = self
            .receiver
            .iter()
            .map(|receiver| receiver.self_token.to_token_stream());
        let list = self
            .list
            .iter()
            .map(|argument| argument.name.to_token_stream());
        receiver.chain(list).collect()
    }
}

impl Argument {
    /// `impl Trait`, perhaps behind a reference: a type that the caller chooses and the signature does not name.
    pub(crate) fn is_impl_trait(&self) -> bool {
        let tokens = self.ty.to_token_stream();
        contains(tokens, "impl")
    }

    /// Whether it is a reference to what may be gone when its caller has returned.
    fn borrows(&self) -> bool {
        matches!(&self.ty, Type::Reference(reference) if !is_static(reference.lifetime.as_ref()))
    }
}

fn is_static(lifetime: Option<&Lifetime>) -> bool {
    lifetime.is_some_and(|lifetime| lifetime.ident == "static")
}

/// Whether a word stands anywhere in the tokens.
pub(crate) fn contains(tokens: TokenStream, word: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => contains(group.stream(), word),
        TokenTree::Ident(ident) => ident == word,
        _ => false,
    })
}

/// Whether `Self` stands in the tokens of a body, not in an item within it, where it is that item's own.
pub(crate) fn names_self(tokens: TokenStream) -> bool {
    const ITEMS: [&str; 4] = ["impl", "trait", "struct", "enum"];
    let mut in_item = false;
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) if in_item => {
            in_item = group.delimiter() != Delimiter::Brace;
            false
        }
        TokenTree::Group(group) => names_self(group.stream()),
        TokenTree::Ident(ident) if ITEMS.iter().any(|item| ident == item) => {
            in_item = true;
            false
        }
        TokenTree::Ident(ident) => !in_item && ident == "Self",
        TokenTree::Punct(punct) => {
            in_item &= punct.as_char() != ';';
            false
        }
        TokenTree::Literal(_) => false,
    })
}

/// Only the function's own body changes its `self`.
fn without_mut(receiver: &Receiver) -> Receiver {
    let mutability = match receiver.kind {
        ReceiverKind::Reference(..) => receiver.mutability,
        _ => None,
    };
    Receiver {
        attrs: Vec::new(),
        mutability,
        ..receiver.clone()
    }
}

fn argument(at: usize, typed: &PatType, skip: &[Ident]) -> Result<Argument> {
    if let Some(attribute) = typed
        .attrs
        .iter()
        .find(|attribute| attribute.path().is_ident("cfg"))
    {
        return Err(Error::new_spanned(
            attribute,
            "an argument of a cached function cannot be conditional: put the condition on the function",
        ));
    }
    let name = match &*typed.pat {
        Pat::Ident(pat) if pat.subpat.is_none() => pat.ident.clone(),
        _ => format_ident!("argument_{at}", span = Span::mixed_site()),
    };
    Ok(Argument {
        skipped: skip.contains(&name),
        name,
        ty: (*typed.ty).clone(),
    })
}

fn unknown_argument(unknown: &Ident, function: &Ident, list: &[Argument]) -> Error {
    if unknown == &Ident::from(<Token![self]>::default()) {
        let text =
            "`self` is no part of the key unless `key_self` is given: there is nothing to skip";
        return Error::new(unknown.span(), text);
    }
    let names: Vec<_> = list
        .iter()
        .map(|argument| format!("`{}`", argument.name))
        .collect();
    let known = if names.is_empty() {
        "it has none".to_owned()
    } else {
        format!("its arguments are {}", names.join(", "))
    };
    Error::new(
        unknown.span(),
        format!("`{function}` has no argument `{unknown}`: {known}"),
    )
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn the_self_of_an_item_in_a_body_is_not_the_functions() {
        for body in [
            quote!({ Self::new() }),
            quote!({ vec![Self { a: 1 }] }),
            quote!({
                struct A;
                Self(A)
            }),
            quote!({
                impl A {
                    fn new() {}
                }
                let a: Self = a;
            }),
            quote!({
                if a {
                    enum E {
                        B,
                    }
                    E::B
                } else {
                    f(|| Self::B)
                }
            }),
        ] {
            assert!(names_self(body.clone()), "{body}");
        }
        for body in [
            quote!({
                struct A;
                impl A {
                    fn new() -> Self {
                        Self
                    }
                }
                A::new()
            }),
            quote!({
                trait T {
                    const T: Self;
                }
                struct L<T>(Box<Self>, T);
                L
            }),
            quote!({
                if a {
                    impl<T> From<T> for A
                    where
                        Self: Sized,
                    {
                        type B = Self;
                    }
                }
            }),
            quote!({
                enum E {
                    A(Box<Self>),
                }
                "Self"
            }),
        ] {
            assert!(!names_self(body.clone()), "{body}");
        }
    }
}
