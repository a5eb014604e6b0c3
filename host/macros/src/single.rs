//! `#[cached]`: one value for each set of arguments.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Result};

use crate::expand::{at, own, private, site, together};
use crate::function::Function;
use crate::keep::keep;
use crate::options::Options;
use crate::place;

pub(crate) fn expand(function: &Function, options: &Options) -> Result<TokenStream> {
    if let (Some((span, _)), false) = (&options.cache_err, function.output.is_result) {
        let name = &function.item.sig.ident;
        let text =
            format!("`cache_err` is for functions that return a `Result`, which `{name}` does not");
        return Err(Error::new(*span, text));
    }
    if options.background.is_some() {
        function.arguments.refuse_borrowed()?;
    }
    let written = Single::new(function, options);
    let wrapper = function.wrapper(&written.output, &written.call());
    let beside = [
        function.original(),
        site(function, options, &written.private),
        written.key(),
        written.get(),
        written.set(),
        written.invalidate(),
        written.refresh(),
    ];
    Ok(together(function, &written.private, &wrapper, &beside))
}

/// How the original may come to run.
#[derive(Clone, Copy)]
enum Run {
    /// If nothing is stored.
    Call,
    /// Whatever is stored.
    Refresh,
    /// If nothing is stored; later, if that is old.
    Background,
}

struct Single<'a> {
    function: &'a Function,
    options: &'a Options,
    private: TokenStream,
    place: TokenStream,
    /// What a call gives: `Cached<T>`, or `T` with `clone`, in a `Result` if there was one.
    output: syn::Type,
}

impl<'a> Single<'a> {
    fn new(function: &'a Function, options: &'a Options) -> Self {
        let private = private(options);
        let success = &function.output.success;
        let given = if options.clone {
            quote!(#success)
        } else {
            quote!(#private::Cached<#success>)
        };
        Self {
            function,
            options,
            place: place::single(function, options, &private),
            output: function.output.with_success(&given),
            private,
        }
    }

    /// The arguments that are given to the function as clones, since what says which values are stored reads them too;
    /// with where an error about that belongs.
    fn cloned(&self) -> Vec<(TokenStream, Span)> {
        let arguments = &self.function.arguments;
        let receiver = arguments.receiver.iter();
        let receiver = receiver.map(|receiver| {
            let given = receiver.self_token.to_token_stream();
            (given, receiver.span())
        });
        let list = arguments.list.iter();
        let list = list.map(|argument| (argument.name.to_token_stream(), argument.ty.span()));
        let all = receiver.chain(list);
        all.filter(|(given, _)| self.options.keep_reads(&given.to_string()))
            .collect()
    }

    /// The function's own run, put off until it is wanted, and what is to stand before it.
    fn original(&self) -> (TokenStream, TokenStream) {
        let original = self.function.generic_path("original");
        let mut given = self.function.arguments.given();
        let mut before = TokenStream::new();
        for (cloned, span) in self.cloned() {
            let name = own(&format!("own_{cloned}"));
            before
                .extend(quote_spanned!(span=> let #name = ::core::clone::Clone::clone(&#cloned);));
            let mut places = given.iter_mut();
            let place = places.find(|given| given.to_string() == cloned.to_string());
            *place.expect("it is one of those given") = name.to_token_stream();
        }
        // An error about what it may keep belongs to the option that lets it run later.
        let span = self.options.background.unwrap_or_else(Span::call_site);
        let run = quote_spanned!(span=> move || #original(#(#given),*));
        (before, run)
    }

    fn errors(&self) -> TokenStream {
        let private = &self.private;
        let kept = self.options.cache_err.as_ref().map(|(_, expiration)| {
            let expiration = expiration.tokens(private);
            quote!(#private::CacheErrors(#expiration))
        });
        kept.unwrap_or_else(|| quote!(#private::DropErrors))
    }

    /// The options of a call, as arguments of the runtime.
    fn with(&self, run: Run) -> Vec<TokenStream> {
        let keep = keep(self.options, &self.private, &self.function.output.success);
        let mut with = vec![match run {
            Run::Background => quote!(move #keep),
            Run::Call | Run::Refresh => keep,
        }];
        if self.function.output.is_result {
            let errors = self.errors();
            with.push(match run {
                Run::Background => errors,
                Run::Call | Run::Refresh => quote!(&#errors),
            });
        }
        with
    }

    fn run(&self, run: Run) -> TokenStream {
        let (private, place) = (&self.private, self.place());
        let output = &self.function.output;
        let (success, span) = (&output.success, output.error_span());
        let site = self.function.path("__site");
        let (name, how) = match run {
            Run::Call => ("call", Some(quote!(#private::Run::Call,))),
            Run::Refresh => ("call", Some(quote!(#private::Run::Refresh,))),
            Run::Background => ("call_background", None),
        };
        let call = self.function.runtime_of_run(name, span);
        let (with, (before, original)) = (self.with(run), self.original());
        let awaited = self.function.awaited();
        // With the types as the user wrote them, or in their place, so that an error about one points there.
        let at_types = at(span, private);
        let error = output
            .error
            .as_ref()
            .map_or_else(|| quote!(_), |error| quote!(#error));
        let error = output.is_result.then_some(quote!(, #error));
        let future = self.function.is_async().then_some(quote!(, _));
        let types = quote!(::<#success #error #future>);
        let given =
            quote!(#at_types::#call #types(#how #site(), #place, #(#with,)* #original) #awaited);
        let given = match (self.options.clone, output.is_result) {
            (false, _) => given,
            (true, false) => quote!(#at_types::owned::<#success>(&#given)),
            (true, true) => {
                quote!(#private::Result::map(#given, |cached| #at_types::owned::<#success>(&cached)))
            }
        };
        quote!(#before #given)
    }

    /// The place, which is kept where the original may run later, and moves nothing that it needs.
    fn place(&self) -> TokenStream {
        let Self { private, place, .. } = self;
        match self.options.background {
            Some(_) => quote!(#private::Result::map(#place, #private::Place::into_owned)),
            None => place.clone(),
        }
    }

    fn call(&self) -> TokenStream {
        match self.options.background {
            Some(_) => self.run(Run::Background),
            None => self.run(Run::Call),
        }
    }

    fn refresh(&self) -> TokenStream {
        let doc = "Runs the function, whatever is stored, stores what it returns, and returns it.";
        let arguments = self.function.arguments.declared();
        self.function.beside(
            "refresh",
            doc,
            &arguments,
            &self.output,
            &self.run(Run::Refresh),
        )
    }

    fn key(&self) -> TokenStream {
        let Self { private, place, .. } = self;
        let doc = "The key of these arguments in the region.";
        let output = quote!(#private::Result<::std::string::String>);
        let body = quote!(#private::Result::map(#place, #private::Place::into_key));
        let arguments = self.function.arguments.declared();
        self.function
            .beside_sync("key", doc, &arguments, &output, &body)
    }

    fn get(&self) -> TokenStream {
        let Self { private, place, .. } = self;
        let doc = "The fresh value stored for these arguments, if there is one. It waits for nobody and creates \
                   nothing.";
        let success = &self.function.output.success;
        let at_type = at(success.span(), private);
        let (given, owned) = if self.options.clone {
            let owned = quote!(.map(|found| found.as_ref().map(#at_type::owned::<#success>)));
            (quote!(#success), Some(owned))
        } else {
            (quote!(#private::Cached<#success>), None)
        };
        let output = quote!(#private::Result<::core::option::Option<#given>>);
        let (get, awaited) = (self.function.runtime("get"), self.function.awaited());
        let body = quote!(#at_type::#get::<#success>(#place) #awaited #owned);
        let arguments = self.function.arguments.declared();
        self.function.beside("get", doc, &arguments, &output, &body)
    }

    fn set(&self) -> TokenStream {
        let Self { private, place, .. } = self;
        let doc = "Stores a value for these arguments, as if the function had returned it now.";
        let success = &self.function.output.success;
        let value = Ident::new("value", Span::mixed_site());
        let mut arguments = self.function.arguments.declared();
        let first = usize::from(self.function.arguments.receiver.is_some());
        arguments.insert(first, quote!(#value: #success));
        let (set, awaited, forget) = (
            self.function.runtime("set"),
            self.function.awaited(),
            self.forget(),
        );
        let at_type = at(success.span(), private);
        let body = quote!(#at_type::#set::<#success>(#place, #value, #forget) #awaited);
        self.function
            .beside("set", doc, &arguments, quote!(#private::Result<()>), &body)
    }

    fn invalidate(&self) -> TokenStream {
        let Self { private, place, .. } = self;
        let doc = "Removes what is stored for these arguments; no error if there is nothing.";
        let (invalidate, awaited, forget) = (
            self.function.runtime("invalidate"),
            self.function.awaited(),
            self.forget(),
        );
        let body = quote!(#private::#invalidate(#place, #forget) #awaited);
        let arguments = self.function.arguments.declared();
        self.function.beside(
            "invalidate",
            doc,
            &arguments,
            quote!(#private::Result<()>),
            &body,
        )
    }

    /// Whether a stored error goes with the value.
    fn forget(&self) -> bool {
        self.options.cache_err.is_some()
    }
}
