//! `#[cached_multi]`: a function of several keys, each of which is cached by itself.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, GenericParam, Lifetime, LifetimeParam, Result, Type, TypeReference};

use crate::expand::{at, own, private, site, together};
use crate::function::Function;
use crate::keep::keep;
use crate::lifetimes::named;
use crate::options::{Options, string};
use crate::output::{path_of, replaced, types, types_of};
use crate::place;

pub(crate) fn expand(function: &Function, options: &Options) -> Result<TokenStream> {
    if let Some(text) = options.key.as_ref().and_then(string) {
        return Err(Error::new(
            text.span(),
            "one text would be the key of all: write a function of one key, such as `key = |id| format!(\"user:{id}\")`",
        ));
    }
    let written = Multi::new(function, options)?;
    let wrapper = function.wrapper(&written.output, &written.call());
    let beside = [
        function.original(),
        site(function, options, &written.private),
        written.keys(),
        written.get(),
        written.set(),
        written.invalidate(),
        written.refresh(),
    ];
    Ok(together(function, &written.private, &wrapper, &beside))
}

struct Multi<'a> {
    function: &'a Function,
    options: &'a Options,
    private: TokenStream,
    places: TokenStream,
    /// The argument that holds the keys, and the type of one.
    keys: &'a Ident,
    key: &'a Type,
    /// Whether the argument is a `Vec`, not a slice.
    owned: bool,
    /// The type of one value.
    value: &'a Type,
    output: Type,
}

impl<'a> Multi<'a> {
    fn new(function: &'a Function, options: &'a Options) -> Result<Self> {
        let private = private(options);
        let (keys, key, owned) = keys(function)?;
        let collection = &function.output.success;
        let (number, value) = value(collection)?;
        let output = if options.clone {
            function.output.declared.clone()
        } else {
            let given = replaced(collection, number, &quote!(#private::Cached<#value>));
            function.output.with_success(&quote!(#given))
        };
        Ok(Self {
            places: place::multi(function, options, &private, keys),
            function,
            options,
            private,
            keys,
            key,
            owned,
            value,
            output,
        })
    }

    /// The function's own run over the keys that it is wanted for. It may be wanted more than once, so each run gets
    /// clones of the other arguments.
    fn original(&self) -> TokenStream {
        let (keys, key) = (self.keys, self.key);
        let original = self.function.generic_path("original");
        let receiver = self.function.arguments.receiver.iter();
        let receiver = receiver.map(|receiver| {
            (
                receiver.self_token.to_token_stream(),
                own("itself"),
                receiver.span(),
            )
        });
        let others = self.function.arguments.list.iter().skip(1);
        let others = others.map(|argument| {
            let name = &argument.name;
            (name.to_token_stream(), name.clone(), argument.ty.span())
        });
        // Cloned by the call itself: its future takes them along.
        let cloned = |(given, name, span): (TokenStream, Ident, Span)| {
            let clone = quote_spanned!(span=> ::core::clone::Clone::clone(&#given));
            (quote!(let #name = #clone;), name)
        };
        let (own_let, own_name): (Vec<_>, Vec<_>) = receiver.map(cloned).unzip();
        let (other_lets, other_names): (Vec<_>, Vec<_>) = others.map(cloned).unzip();
        let own_keys = match (self.owned, self.function.is_async()) {
            (false, _) => quote!(&#keys[..]),
            (true, true) => quote!(#keys),
            (true, false) => quote!(#keys.to_vec()),
        };
        let run = quote!(#original(#(#own_name,)* #own_keys #(, #other_names)*));
        if self.function.is_async() {
            quote!(|#keys: ::std::vec::Vec<#key>| {
                #(#own_let)* #(#other_lets)*
                async move { #run.await }
            })
        } else {
            quote!(|#keys: &[#key]| { #(#own_let)* #(#other_lets)* #run })
        }
    }

    fn run(&self, run: &str) -> TokenStream {
        let Self {
            private,
            places,
            keys,
            key,
            ..
        } = self;
        let output = &self.function.output;
        let (collection, span) = (&output.success, output.error_span());
        let (site, run) = (
            self.function.path("__site"),
            Ident::new(run, Span::call_site()),
        );
        let call = self.function.runtime_of_run("call_multi", span);
        let keep = keep(self.options, private, self.value);
        let (original, awaited) = (self.original(), self.function.awaited());
        let at_types = at(span, private);
        let finish = if self.options.clone {
            quote!(|cached| #at_types::owned(&cached))
        } else {
            quote!(|cached| cached)
        };
        let error = output
            .error
            .as_ref()
            .map_or_else(|| quote!(_), |error| quote!(#error));
        let error = output.is_result.then_some(quote!(, #error));
        let future = self.function.is_async().then_some(quote!(, _));
        quote! {
            #at_types::#call::<#collection, #key #error, _ #future>(
                #private::Run::#run, #site(), #places, &#keys[..], #keep, #finish, #original,
            ) #awaited
        }
    }

    fn call(&self) -> TokenStream {
        self.run("Call")
    }

    fn refresh(&self) -> TokenStream {
        let doc = "Runs the function for all of these keys, whatever is stored, stores what it returns, and returns it.";
        let arguments = self.function.arguments.declared();
        self.function.beside(
            "refresh",
            doc,
            &arguments,
            &self.output,
            &self.run("Refresh"),
        )
    }

    fn keys(&self) -> TokenStream {
        let Self {
            private, places, ..
        } = self;
        let doc = "The keys in the region, in the order of these.";
        let output = quote!(#private::Result<::std::vec::Vec<::std::string::String>>);
        let body = quote!(#private::Result::map(#places, #private::Places::into_keys));
        let arguments = self.function.arguments.declared();
        self.function
            .beside_sync("keys", doc, &arguments, &output, &body)
    }

    fn get(&self) -> TokenStream {
        let Self {
            private,
            places,
            value,
            ..
        } = self;
        let doc = "The fresh values stored for these keys, in their order. It waits for nobody and creates nothing.";
        let (given, owned) = if self.options.clone {
            let owned = quote!(.map(#private::all_owned::<#value>));
            (quote!(#value), Some(owned))
        } else {
            (quote!(#private::Cached<#value>), None)
        };
        let output = quote!(#private::Result<::std::vec::Vec<::core::option::Option<#given>>>);
        let (get, awaited) = (self.function.runtime("get_multi"), self.function.awaited());
        let body = quote!(#private::#get::<#value>(#places) #awaited #owned);
        let arguments = self.function.arguments.declared();
        self.function.beside("get", doc, &arguments, &output, &body)
    }

    fn set(&self) -> TokenStream {
        let Self {
            private,
            places,
            key,
            value,
            keys,
            ..
        } = self;
        let doc = "Stores values for keys, as if the function had returned them now.";
        let mapping = Ident::new("mapping", Span::mixed_site());
        let values = Ident::new("values", Span::mixed_site());
        let lifetime = Lifetime::new("'of_keys", Span::mixed_site());
        let mut generics = self.function.item.sig.generics.clone();
        let named = named(key, &lifetime);
        if named.is_some() {
            let parameter = GenericParam::Lifetime(LifetimeParam::new(lifetime));
            generics.params.insert(0, parameter);
        }
        let key = named.as_ref().unwrap_or(key);
        let mapped = quote!(#mapping: impl ::core::iter::IntoIterator<Item = (#key, #value)>);
        let mut arguments = self.function.arguments.declared();
        let first = usize::from(self.function.arguments.receiver.is_some());
        arguments[first] = mapped;
        let (set, awaited) = (self.function.runtime("set_multi"), self.function.awaited());
        let body = quote! {
            let (#keys, #values): (::std::vec::Vec<#key>, ::std::vec::Vec<#value>) =
                ::core::iter::Iterator::unzip(::core::iter::IntoIterator::into_iter(#mapping));
            #private::#set(#places, #values) #awaited
        };
        let output = quote!(#private::Result<()>);
        self.function
            .beside_with(&generics, "set", doc, &arguments, output, &body)
    }

    fn invalidate(&self) -> TokenStream {
        let Self {
            private, places, ..
        } = self;
        let doc = "Removes what is stored for these keys; no error for those of which nothing is.";
        let (invalidate, awaited) = (
            self.function.runtime("invalidate_multi"),
            self.function.awaited(),
        );
        let body = quote!(#private::#invalidate(#places) #awaited);
        let arguments = self.function.arguments.declared();
        self.function.beside(
            "invalidate",
            doc,
            &arguments,
            quote!(#private::Result<()>),
            &body,
        )
    }
}

/// The argument that holds the keys, the first; the type of one; and whether it is a `Vec` of them, not a slice.
fn keys(function: &Function) -> Result<(&Ident, &Type, bool)> {
    let first = function.arguments.list.first();
    let found = first.and_then(|argument| match &argument.ty {
        Type::Reference(TypeReference {
            mutability: None,
            elem,
            ..
        }) => match &**elem {
            Type::Slice(slice) => Some((&argument.name, &*slice.elem, false)),
            _ => None,
        },
        owned => {
            let key = path_of(owned, "Vec").and_then(|path| types(path).next());
            key.map(|key| (&argument.name, key, true))
        }
    });
    found.ok_or_else(|| {
        let span = first.map_or(function.item.sig.ident.span(), |argument| argument.ty.span());
        Error::new(
            span,
            "the first argument of a `cached_multi` function is a slice or a `Vec` of keys, such as `ids: &[u64]`",
        )
    })
}

/// Which of a collection's types is that of its values, and that type.
fn value(collection: &Type) -> Result<(usize, &Type)> {
    let types = types_of(collection);
    match types.as_slice() {
        [value] => Ok((0, value)),
        [_, value, ..] => Ok((1, value)),
        [] => Err(Error::new(
            collection.span(),
            "a `cached_multi` function returns a `Vec` with a value for each key, or a `HashMap` or `BTreeMap` from \
             keys to values",
        )),
    }
}
