//! Which values are stored: the options `should_cache` and `skip_none`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned;

use crate::expand::{own, own_at};
use crate::options::Options;

/// A closure that says whether a value of the type `value` is stored. It borrows what it reads.
pub(crate) fn keep(options: &Options, private: &TokenStream, value: &Type) -> TokenStream {
    let own_value = own("value");
    let asked = options.should_cache.as_ref().map(|asked| {
        quote_spanned!(asked.span()=> #private::should_cache::<#value, _>(&#asked, #own_value))
    });
    let some = options.skip_none.map(|span| {
        let own_value = own_at("value", span);
        quote_spanned!(span=> #private::MaybeNone::is_value(#own_value))
    });
    let keep = match (some, asked) {
        (None, None) => quote!(true),
        (Some(one), None) | (None, Some(one)) => one,
        (Some(some), Some(asked)) => quote!(#some && #asked),
    };
    quote!(|#own_value: &#value| #keep)
}
