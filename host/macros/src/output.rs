//! What a function returns, and what its cached form does.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned;
use syn::{
    AngleBracketedGenericArguments, Error, GenericArgument, Path, PathArguments, Result,
    ReturnType, Signature, Type, TypePath,
};

pub(crate) struct Output {
    /// As it is declared.
    pub(crate) declared: Type,
    /// What a call that ends well gives: the `T` of a `Result<T, E>`.
    pub(crate) success: Type,
    pub(crate) is_result: bool,
    /// The `E` of a `Result<T, E>`, where the type says it.
    pub(crate) error: Option<Type>,
}

impl Output {
    pub(crate) fn of(signature: &Signature) -> Result<Self> {
        let ReturnType::Type(_, declared) = &signature.output else {
            let text =
                "a function that returns nothing has nothing to cache: give it a return type";
            return Err(Error::new(signature.ident.span(), text));
        };
        let declared = (**declared).clone();
        let path = path_of(&declared, "Result");
        let is_result = path.is_some();
        let success = match path {
            Some(path) => types(path).next().cloned(),
            None => Some(declared.clone()),
        };
        let success = success.ok_or_else(|| {
            let text =
                "this `Result` does not say of which type the value is: write `Result<T, E>`";
            Error::new_spanned(&declared, text)
        })?;
        check(&success)?;
        Ok(Self {
            error: types_of(&declared)
                .get(1)
                .filter(|_| is_result)
                .map(|error| (*error).clone()),
            declared,
            success,
            is_result,
        })
    }

    /// Where the type of an error is written, or the nearest to it.
    pub(crate) fn error_span(&self) -> Span {
        self.error.as_ref().unwrap_or(&self.declared).span()
    }

    /// The declared type, with another in the place of what a call that ends well gives.
    pub(crate) fn with_success(&self, other: &TokenStream) -> Type {
        if self.is_result {
            replaced(&self.declared, 0, other)
        } else {
            Type::Verbatim(other.clone())
        }
    }
}

/// What no cache can hold, as far as it can be seen here.
fn check(success: &Type) -> Result<()> {
    let problem = match success {
        Type::Reference(_) => {
            "a cached value is owned by the cache: return `String` instead of `&str`, `Vec<T>` \
                               instead of `&[T]`, `T` instead of `&T`"
        }
        Type::ImplTrait(_) => {
            "a cached value has a named type: return that instead of `impl Trait`"
        }
        Type::Never(_) => "a function that never returns has nothing to cache",
        Type::Tuple(tuple) if tuple.elems.is_empty() => {
            "a function that returns `()` has nothing to cache: return a value"
        }
        _ => return Ok(()),
    };
    Err(Error::new(success.span(), problem))
}

/// The type as a path, if its last name is this.
pub(crate) fn path_of<'a>(ty: &'a Type, name: &str) -> Option<&'a Path> {
    let Type::Path(TypePath {
        qself: None, path, ..
    }) = ungrouped(ty)
    else {
        return None;
    };
    path.segments
        .last()
        .filter(|last| last.ident == name)
        .map(|_| path)
}

/// Without what a `macro_rules` macro puts around a type.
fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        other => other,
    }
}

/// The types in the angle brackets of a path's last part.
pub(crate) fn types(path: &Path) -> impl Iterator<Item = &Type> {
    let arguments = path.segments.last().map(|last| &last.arguments);
    let bracketed = match arguments {
        Some(PathArguments::AngleBracketed(bracketed)) => Some(bracketed),
        _ => None,
    };
    bracketed
        .into_iter()
        .flat_map(|bracketed| &bracketed.args)
        .filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
}

/// A collection's types, if it is a path with some.
pub(crate) fn types_of(ty: &Type) -> Vec<&Type> {
    match ungrouped(ty) {
        Type::Path(TypePath {
            qself: None, path, ..
        }) => types(path).collect(),
        _ => Vec::new(),
    }
}

/// `ty` with its type argument of that number replaced.
pub(crate) fn replaced(ty: &Type, number: usize, by: &TokenStream) -> Type {
    let mut ty = ungrouped(ty).clone();
    let Type::Path(TypePath { path, .. }) = &mut ty else {
        return ty;
    };
    if let Some(PathArguments::AngleBracketed(AngleBracketedGenericArguments { args, .. })) =
        path.segments.last_mut().map(|last| &mut last.arguments)
    {
        let mut types = args.iter_mut().filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        });
        if let Some(found) = types.nth(number) {
            *found = Type::Verbatim(quote!(#by));
        }
    }
    ty
}
