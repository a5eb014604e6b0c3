//! Where a call's value is: the region, the key, and how long it counts.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Ident;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::expand::{at, option, own};
use crate::function::Function;
use crate::options::{Options, string};

/// The place of one call, as an expression that reads the arguments and leaves them where they are.
pub(crate) fn single(function: &Function, options: &Options, private: &TokenStream) -> TokenStream {
    let region = region(options, private);
    let expiration = expiration(options, private);
    let key = match options.key.as_ref().map(|key| (key, string(key))) {
        Some((_, Some(format))) => quote!(|_| #private::Ok(::std::format!(#format))),
        Some((key, None)) => quote!(|_| #private::Ok(::std::format!("{}", #key))),
        None => {
            let key = generated(function, options, private, None);
            let region = own("region");
            quote!(|#region| #key)
        }
    };
    let find = quote!(#private::Place::find(#region, #key, #expiration));
    tagged(find, options, private, "Place")
}

/// The places of the keys in `keys`.
pub(crate) fn multi(
    function: &Function,
    options: &Options,
    private: &TokenStream,
    keys: &Ident,
) -> TokenStream {
    let region = region(options, private);
    let expiration = expiration(options, private);
    let (own_region, own_key) = (own("region"), own("key"));
    let key = if let Some(key) = &options.key {
        quote!(|_, #own_key| #private::Ok(#private::text_of_key(#own_key, #key)))
    } else {
        let key = generated(function, options, private, Some(keys));
        quote!(|#own_region, #own_key| #key)
    };
    let find = quote!(#private::Places::find(#region, &#keys[..], #key, #expiration));
    tagged(find, options, private, "Places")
}

/// What was found, with the tags of what is stored there.
fn tagged(find: TokenStream, options: &Options, private: &TokenStream, place: &str) -> TokenStream {
    let Some(tags) = &options.tags else {
        return find;
    };
    let (type_name, place) = (Ident::new(place, tags.span()), own("place"));
    let at_tags = at(tags.span(), private);
    let tagged = quote_spanned!(tags.span()=> #at_tags::#type_name::tagged(#place, #tags));
    quote!(#private::Result::map(#find, |#place| #tagged))
}

fn region(options: &Options, private: &TokenStream) -> TokenStream {
    let region = &options.region;
    if string(region).is_some() {
        quote!(#private::installed(#region))
    } else {
        quote!(#private::Ok(#private::IntoRegion::into_region(#region)))
    }
}

fn expiration(options: &Options, private: &TokenStream) -> TokenStream {
    let expiration = options.expiration_time.as_ref();
    option(expiration.map(|expiration| expiration.tokens(private)))
}

/// The key that the region's generator makes, or the function's own. Of the argument `keys` it is one key.
fn generated(
    function: &Function,
    options: &Options,
    private: &TokenStream,
    keys: Option<&Ident>,
) -> TokenStream {
    let site = function.path("__site");
    let types = function.types();
    let self_type = function
        .associated
        .then(|| quote!(#private::owner(::core::any::type_name::<Self>(), ::core::any::type_name_of_val(&#site))));
    let self_type = option(self_type);
    let itself = options.key_self.map(|span| {
        let (itself, private) = (Ident::new("self", span), at(span, private));
        quote_spanned!(span=> #private::Argument::new("self", &#itself))
    });
    let kept = function
        .arguments
        .list
        .iter()
        .filter(|argument| !argument.skipped);
    let kept = kept.map(|argument| {
        let name = &argument.name;
        let text = name.unraw().to_string();
        let value = if keys == Some(name) {
            let key = own("key");
            quote!(#key)
        } else {
            quote!(&#name)
        };
        let span = argument.ty.span();
        let private = at(span, private);
        quote_spanned!(span=> #private::Argument::new(#text, #value))
    });
    let arguments = itself.into_iter().chain(kept);
    let call =
        quote!(&#private::FunctionCall::new(#site(), #self_type, #types, &[#(#arguments),*]));
    let region = own("region");
    match (&options.key_generator, keys) {
        (Some(generator), _) => quote!(#private::key_by(&#generator, #call)),
        (None, None) => quote!(#private::key(#region, #call)),
        (None, Some(_)) => quote!(#private::multi_key(#region, #call)),
    }
}
