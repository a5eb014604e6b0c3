//! The function that an attribute stands on.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{Error, GenericParam, Generics, ItemFn, Result, Safety};

use crate::arguments::{Arguments, contains, names_self};
use crate::attributes::Attributes;
use crate::options::{Kind, Options};
use crate::output::Output;

/// A function that can be cached.
pub(crate) struct Function {
    pub(crate) item: ItemFn,
    pub(crate) attributes: Attributes,
    pub(crate) arguments: Arguments,
    pub(crate) output: Output,
    /// Whether it is in an `impl` block.
    pub(crate) associated: bool,
    /// The arguments that options read, and its own body perhaps does not.
    read: Vec<TokenStream>,
}

impl Function {
    pub(crate) fn of(mut item: ItemFn, options: &Options, kind: Kind) -> Result<Self> {
        let signature = &item.sig;
        refuse(&item, kind)?;
        let arguments = Arguments::of(signature, &options.skip)?;
        if let (Some(span), None) = (options.key_self, &arguments.receiver) {
            let text = format!(
                "`{}` has no `self` that could be part of the key",
                signature.ident
            );
            return Err(Error::new(span, text));
        }
        let output = Output::of(signature)?;
        let of_self = contains(signature.to_token_stream(), "Self")
            || names_self(item.block.to_token_stream());
        let given = arguments.given().into_iter();
        let read = given.filter(|name| options.read(&name.to_string()));
        Ok(Self {
            read: read.collect(),
            associated: arguments.receiver.is_some() || options.associated || of_self,
            attributes: Attributes::of(std::mem::take(&mut item.attrs)),
            arguments,
            output,
            item,
        })
    }

    pub(crate) fn is_async(&self) -> bool {
        self.item.sig.asyncness.is_some()
    }

    /// The name of what of the runtime does `call` for this kind of function: `call_async`.
    pub(crate) fn runtime(&self, call: &str) -> Ident {
        let asynchronous = if self.is_async() { "_async" } else { "" };
        format_ident!("{call}{asynchronous}")
    }

    /// As [`Function::runtime`], of what runs the function itself: `try_call_async`.
    pub(crate) fn runtime_of_run(&self, call: &str, span: Span) -> Ident {
        let tried = if self.output.is_result { "try_" } else { "" };
        format_ident!("{tried}{}", self.runtime(call), span = span)
    }

    pub(crate) fn awaited(&self) -> Option<TokenStream> {
        self.is_async().then(|| quote!(.await))
    }

    /// The name of what is written beside it: `get` in a type of the function's name, or `load_get`.
    pub(crate) fn companion(&self, name: &str) -> Ident {
        let own = &self.item.sig.ident;
        match (self.associated, name.strip_prefix("__")) {
            (true, Some(hidden)) => format_ident!("__{}_{hidden}", own.unraw()),
            (true, None) => format_ident!("{}_{name}", own.unraw(), span = own.span()),
            (false, _) => format_ident!("{name}", span = own.span()),
        }
    }

    /// The path of a companion, from within the companions.
    pub(crate) fn path(&self, name: &str) -> TokenStream {
        let companion = self.companion(name);
        let own = &self.item.sig.ident;
        if self.associated {
            quote!(Self::#companion)
        } else {
            quote!(#own::#companion)
        }
    }

    /// A companion with the function's generics and the same arguments, as a path to be called.
    pub(crate) fn generic_path(&self, name: &str) -> TokenStream {
        let path = self.path(name);
        let named: Vec<_> = self.type_parameters().collect();
        if named.is_empty() {
            path
        } else {
            quote!(#path::<#(#named),*>)
        }
    }

    /// The names of type and const parameters.
    fn type_parameters(&self) -> impl Iterator<Item = &Ident> {
        self.item
            .sig
            .generics
            .params
            .iter()
            .filter_map(|parameter| match parameter {
                GenericParam::Type(parameter) => Some(&parameter.ident),
                GenericParam::Const(parameter) => Some(&parameter.ident),
                GenericParam::Lifetime(_) => None,
            })
    }

    /// The function under its own name, with another body.
    pub(crate) fn wrapper(&self, output: impl ToTokens, body: &TokenStream) -> TokenStream {
        let Attributes {
            everywhere,
            outside,
            ..
        } = &self.attributes;
        let head = self.head(
            &self.item.sig.generics,
            &self.item.sig.ident,
            self.is_async(),
            &self.arguments.declared(),
            output,
        );
        quote! {
            #(#everywhere)*
            #(#outside)*
            #[allow(clippy::used_underscore_binding)]
            #head { #body }
        }
    }

    /// The function as it was, under the name of a companion.
    pub(crate) fn original(&self) -> TokenStream {
        let Attributes {
            everywhere, inside, ..
        } = &self.attributes;
        let vis = &self.item.vis;
        let mut signature = self.item.sig.clone();
        signature.ident = self.companion("original");
        let (block, read) = (&self.item.block, &self.read);
        let block = if read.is_empty() {
            block.to_token_stream()
        } else {
            quote!({ #(let _ = &#read;)* #block })
        };
        let doc = format!("Runs `{}` itself, without the cache.", self.item.sig.ident);
        quote! {
            #(#everywhere)*
            #[doc = #doc]
            #[allow(dead_code, clippy::must_use_candidate)]
            #(#inside)*
            #vis #signature #block
        }
    }

    /// A function beside it, with its generics; asynchronous if it is.
    pub(crate) fn beside(
        &self,
        name: &str,
        doc: &str,
        arguments: &[TokenStream],
        output: impl ToTokens,
        body: &TokenStream,
    ) -> TokenStream {
        let generics = &self.item.sig.generics;
        self.beside_with(generics, name, doc, arguments, output, body)
    }

    /// The same, with generics of its own.
    pub(crate) fn beside_with(
        &self,
        generics: &Generics,
        name: &str,
        doc: &str,
        arguments: &[TokenStream],
        output: impl ToTokens,
        body: &TokenStream,
    ) -> TokenStream {
        let name = self.companion(name);
        let head = self.head(generics, &name, self.is_async(), arguments, output);
        self.documented(doc, &quote!(#head { #body }))
    }

    /// The same, never asynchronous.
    pub(crate) fn beside_sync(
        &self,
        name: &str,
        doc: &str,
        arguments: &[TokenStream],
        output: impl ToTokens,
        body: &TokenStream,
    ) -> TokenStream {
        let generics = &self.item.sig.generics;
        let head = self.head(generics, &self.companion(name), false, arguments, output);
        self.documented(doc, &quote!(#head { #body }))
    }

    fn documented(&self, doc: &str, written: &TokenStream) -> TokenStream {
        let everywhere = &self.attributes.everywhere;
        quote! {
            #(#everywhere)*
            #[doc = #doc]
            #[allow(dead_code, unused_variables, clippy::all, clippy::pedantic)]
            #written
        }
    }

    fn head(
        &self,
        generics: &Generics,
        name: &Ident,
        is_async: bool,
        arguments: &[TokenStream],
        output: impl ToTokens,
    ) -> TokenStream {
        let vis = &self.item.vis;
        let (generics, _, conditions) = generics.split_for_impl();
        let asyncness = is_async.then(|| quote!(async));
        quote!(#vis #asyncness fn #name #generics (#(#arguments),*) -> #output #conditions)
    }

    /// What tells the function from others: its place, its name and what is chosen for a call of it.
    pub(crate) fn types(&self) -> TokenStream {
        let parameters =
            self.item
                .sig
                .generics
                .params
                .iter()
                .filter_map(|parameter| match parameter {
                    GenericParam::Type(parameter) => {
                        let name = &parameter.ident;
                        Some(quote!(::core::any::type_name::<#name>()))
                    }
                    GenericParam::Const(parameter) => {
                        let name = &parameter.ident;
                        Some(quote!(&::std::format!("{:?}", #name)))
                    }
                    GenericParam::Lifetime(_) => None,
                });
        let unnamed = self.arguments.list.iter();
        let unnamed = unnamed.filter(|argument| argument.is_impl_trait() && !argument.skipped);
        let unnamed = unnamed.map(|argument| {
            let name = &argument.name;
            quote!(::core::any::type_name_of_val(&#name))
        });
        let types = parameters.chain(unnamed);
        quote!(&[#(#types),*])
    }
}

/// What cannot be cached, whatever the options say.
fn refuse(item: &ItemFn, kind: Kind) -> Result<()> {
    let signature = &item.sig;
    let attribute = kind.attribute();
    let refused = |tokens: &dyn ToTokens, what: &str, why: &str| {
        Err(Error::new_spanned(
            tokens.to_token_stream(),
            format!("`{attribute}` does not go with {what}: {why}"),
        ))
    };
    if let Some(token) = &signature.constness {
        return refused(
            token,
            "a `const fn`",
            "it runs when the program is compiled",
        );
    }
    if let Some(abi) = &signature.abi {
        return refused(
            abi,
            "an `extern` function",
            "who calls it expects another return type",
        );
    }
    if let Some(variadic) = &signature.variadic {
        return refused(variadic, "`...`", "the arguments are the key");
    }
    match &signature.safety {
        Safety::Default => Ok(()),
        marked => refused(
            marked,
            "a marked function",
            "cache a safe function that calls it",
        ),
    }
}
