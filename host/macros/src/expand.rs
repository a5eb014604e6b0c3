//! From an attribute and its function to what is written in their place.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Error, ItemFn, Result};

use crate::function::Function;
use crate::options::{Kind, Options};
use crate::{multi, single};

/// What takes the function's place. With an error, that is the function as it was, so that nothing else fails too.
pub(crate) fn attribute(options: TokenStream, item: &TokenStream, kind: Kind) -> TokenStream {
    match expand(options, item.clone(), kind) {
        Ok(written) => written,
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#error #item)
        }
    }
}

fn expand(options: TokenStream, item: TokenStream, kind: Kind) -> Result<TokenStream> {
    let options = Options::parse(options, kind)?;
    let item: ItemFn = syn::parse2(item).map_err(|error| {
        let attribute = kind.attribute();
        Error::new(
            error.span(),
            format!("`{attribute}` stands on a function or a method with a body ({error})"),
        )
    })?;
    let function = Function::of(item, &options, kind)?;
    match kind {
        Kind::Single => single::expand(&function, &options),
        Kind::Multi => multi::expand(&function, &options),
    }
}

/// The path of what the written code calls.
pub(crate) fn private(options: &Options) -> TokenStream {
    let dogpile = options.dogpile.as_ref().map(ToTokens::to_token_stream);
    let dogpile = dogpile.unwrap_or_else(|| quote!(::dogpile));
    quote!(#dogpile::__private)
}

/// The wrapper and what stands beside it: in a type of the function's name, or in the same `impl` block.
pub(crate) fn together(
    function: &Function,
    private: &TokenStream,
    wrapper: &TokenStream,
    beside: &[TokenStream],
) -> TokenStream {
    if function.associated {
        return quote!(#wrapper #(#beside)*);
    }
    let conditions = function.attributes.conditions();
    let (vis, name) = (&function.item.vis, &function.item.sig.ident);
    let doc = format!("What belongs to the cached function [`{name}`](fn@{name}).");
    quote! {
        #wrapper
        #(#conditions)*
        #private::takes_the_functions_name_for_a_type_or_in_an_impl_block_needs_the_option_associated! {
            #doc {#vis} #name { #(#beside)* }
        }
    }
}

/// The hidden function that tells who is called.
pub(crate) fn site(function: &Function, options: &Options, private: &TokenStream) -> TokenStream {
    let everywhere = &function.attributes.everywhere;
    let hidden = function.companion("__site");
    let name = function.item.sig.ident.unraw().to_string();
    let namespace = option(options.namespace.as_ref());
    quote! {
        #(#everywhere)*
        #[doc(hidden)]
        fn #hidden() -> &'static #private::Site {
            static SITE: #private::Site = #private::Site::new(::core::module_path!(), #name, #namespace);
            &SITE
        }
    }
}

/// A name of ours that nothing of the user's is taken for, nor the other way round.
pub(crate) fn own(name: &str) -> Ident {
    own_at(name, Span::mixed_site())
}

/// The same name, where an error about it is to be shown.
pub(crate) fn own_at(name: &str, place: Span) -> Ident {
    Ident::new(name, Span::mixed_site().located_at(place))
}

/// An `Option` of what is written, if it is.
pub(crate) fn option(written: Option<impl ToTokens>) -> TokenStream {
    let some = written.map(|written| quote!(::core::option::Option::Some(#written)));
    some.unwrap_or_else(|| quote!(::core::option::Option::None))
}

/// The same tokens, all at one place of the user's: where an error about what they say belongs.
pub(crate) fn at(span: Span, tokens: &TokenStream) -> TokenStream {
    let tokens = tokens.clone().into_iter().map(|mut token| {
        token.set_span(span);
        token
    });
    tokens.collect()
}
