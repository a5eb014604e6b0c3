//! What stands in the parentheses of an attribute.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, Ident, Lit, LitStr, Path, Result, Token};

use crate::expiration::Expiration;
use crate::option::Written;

/// Which attribute it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Single,
    Multi,
}

impl Kind {
    pub(crate) fn attribute(self) -> &'static str {
        match self {
            Self::Single => "cached",
            Self::Multi => "cached_multi",
        }
    }

    /// The option that names a key generator, in dogpile's words.
    fn generator(self) -> &'static str {
        match self {
            Self::Single => "function_key_generator",
            Self::Multi => "function_multi_key_generator",
        }
    }

    fn names(self) -> Vec<&'static str> {
        let mut names = vec![
            "region",
            "namespace",
            "expiration_time",
            "tags",
            "should_cache",
            "skip",
            "skip_none",
            "clone",
            "key",
            "key_self",
            "associated",
            "crate",
            self.generator(),
        ];
        if self == Self::Single {
            names.extend(["cache_err", "background"]);
        }
        names
    }
}

/// The options of one attribute. A span says where a flag stands, for errors.
pub(crate) struct Options {
    pub(crate) region: Expr,
    pub(crate) namespace: Option<LitStr>,
    pub(crate) expiration_time: Option<Expiration>,
    pub(crate) tags: Option<Expr>,
    pub(crate) should_cache: Option<Expr>,
    pub(crate) skip: Vec<Ident>,
    pub(crate) skip_none: Option<Span>,
    pub(crate) cache_err: Option<(Span, Expiration)>,
    pub(crate) background: Option<Span>,
    pub(crate) clone: bool,
    pub(crate) key: Option<Expr>,
    pub(crate) key_self: Option<Span>,
    pub(crate) key_generator: Option<Expr>,
    pub(crate) associated: bool,
    pub(crate) dogpile: Option<Path>,
}

impl Options {
    pub(crate) fn parse(tokens: TokenStream, kind: Kind) -> Result<Self> {
        let written = Punctuated::<Written, Token![,]>::parse_terminated.parse2(tokens)?;
        let mut written: Vec<_> = written.into_iter().collect();
        if let Some(again) = repeated(&written) {
            let text = format!("`{again}` is given twice");
            return Err(Error::new(again.span(), text));
        }
        contradictions(&written, kind)?;
        let mut options = Self::on(region(&mut written, kind)?);
        let mut errors: Option<Error> = None;
        for written in written {
            if let Err(error) = options.take(written, kind) {
                match &mut errors {
                    Some(errors) => errors.combine(error),
                    None => errors = Some(error),
                }
            }
        }
        errors.map_or(Ok(options), Err)
    }

    /// Whether an expression among them has that argument in it.
    pub(crate) fn read(&self, argument: &str) -> bool {
        let expirations = [
            self.expiration_time.as_ref(),
            self.cache_err.as_ref().map(|(_, time)| time),
        ];
        let expirations = expirations
            .into_iter()
            .flatten()
            .filter_map(Expiration::asked);
        let exprs = [
            Some(&self.region),
            self.key.as_ref(),
            self.key_generator.as_ref(),
            self.tags.as_ref(),
        ];
        let mut exprs = exprs.into_iter().flatten().chain(expirations);
        self.keep_reads(argument) || exprs.any(|expr| reads(expr.to_token_stream(), argument))
    }

    /// Whether what says which values are stored has that argument in it.
    pub(crate) fn keep_reads(&self, argument: &str) -> bool {
        let asked = self.should_cache.as_ref();
        asked.is_some_and(|asked| reads(asked.to_token_stream(), argument))
    }

    fn on(region: Expr) -> Self {
        Self {
            region,
            namespace: None,
            expiration_time: None,
            tags: None,
            should_cache: None,
            skip: Vec::new(),
            skip_none: None,
            cache_err: None,
            background: None,
            clone: false,
            key: None,
            key_self: None,
            key_generator: None,
            associated: false,
            dogpile: None,
        }
    }

    fn take(&mut self, written: Written, kind: Kind) -> Result<()> {
        let name = written.name.to_string();
        let span = written.span();
        match &*name {
            "namespace" => self.namespace = Some(text(&written.expr()?, &name)?),
            "expiration_time" => self.expiration_time = Some(Expiration::of(written.expr()?)?),
            "tags" => self.tags = Some(written.expr()?),
            "should_cache" => self.should_cache = Some(written.expr()?),
            "skip" => self.skip = written.list()?,
            "skip_none" => self.skip_none = Some(written.flag()?),
            "cache_err" if kind == Kind::Single => {
                self.cache_err = Some((span, Expiration::of(written.expr()?)?));
            }
            "background" if kind == Kind::Single => self.background = Some(written.flag()?),
            "clone" => self.clone = written.flag().map(|_| true)?,
            "key" => self.key = Some(written.expr()?),
            "key_self" => self.key_self = Some(written.flag()?),
            "associated" => self.associated = written.flag().map(|_| true)?,
            "crate" => self.dogpile = Some(path(written.expr()?)?),
            _ if name == kind.generator() => self.key_generator = Some(written.expr()?),
            _ => return Err(unknown(&name, span, kind)),
        }
        Ok(())
    }
}

fn region(written: &mut Vec<Written>, kind: Kind) -> Result<Expr> {
    match written.iter().position(|written| written.name == "region") {
        Some(at) => written.remove(at).expr(),
        None => Err(Error::new(
            Span::call_site(),
            format!(
                "which region? Write `#[{}(region = \"…\")]`, with the name of one of the installed host's",
                kind.attribute()
            ),
        )),
    }
}

fn repeated(written: &[Written]) -> Option<&Ident> {
    let names = || written.iter().map(|written| &written.name);
    names().enumerate().find_map(|(at, name)| {
        names()
            .take(at)
            .any(|earlier| earlier == name)
            .then_some(name)
    })
}

/// Options that a key of one's own leaves nothing to say.
fn contradictions(written: &[Written], kind: Kind) -> Result<()> {
    let find = |name: &str| written.iter().find(|written| written.name == name);
    if find("key").is_none() {
        return Ok(());
    }
    for name in ["namespace", "skip", "key_self", kind.generator()] {
        if let Some(found) = find(name) {
            return Err(Error::new(
                found.span(),
                format!(
                    "`{name}` has no effect beside `key`, which is the whole key: leave one of them out"
                ),
            ));
        }
    }
    Ok(())
}

/// Whether the name stands in the tokens, but for a field's or a method's, or in braces in a text.
fn reads(tokens: TokenStream, name: &str) -> bool {
    let (mut dots, mut before) = (0, 0);
    tokens.into_iter().any(|token| {
        before = std::mem::take(&mut dots);
        match token {
            TokenTree::Group(group) => reads(group.stream(), name),
            TokenTree::Ident(ident) => ident == name && before != 1,
            TokenTree::Literal(literal) => literal.to_string().contains(&format!("{{{name}")),
            TokenTree::Punct(punct) => {
                dots = if punct.as_char() == '.' {
                    before + 1
                } else {
                    0
                };
                false
            }
        }
    })
}

fn text(expr: &Expr, name: &str) -> Result<LitStr> {
    match string(expr) {
        Some(text) => Ok(text.clone()),
        None => Err(Error::new_spanned(
            expr,
            format!("`{name}` must be text in quotes: `{name} = \"…\"`"),
        )),
    }
}

fn path(expr: Expr) -> Result<Path> {
    match expr {
        Expr::Path(path) => Ok(path.path),
        other => Err(Error::new_spanned(
            other,
            "`crate` must be the path of the crate dogpile: `crate = ::cache::dogpile`",
        )),
    }
}

/// The string that an expression is, if it is one.
pub(crate) fn string(expr: &Expr) -> Option<&LitStr> {
    match expr {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some(text),
        _ => None,
    }
}

fn unknown(name: &str, span: Span, kind: Kind) -> Error {
    let names = kind.names();
    let attribute = kind.attribute();
    let near = names
        .iter()
        .find(|known| near(name, known))
        .map(|known| format!("; did you mean `{known}`?"));
    let text = match near {
        Some(near) => format!("`{attribute}` has no option `{name}`{near}"),
        None => format!(
            "`{attribute}` has no option `{name}`; its options are `{}`",
            names.join("`, `")
        ),
    };
    Error::new(span, text)
}

/// Whether two names are the same but for underscores and one letter, or one begins with the other.
fn near(written: &str, known: &str) -> bool {
    let plain = |name: &str| name.to_lowercase().replace('_', "");
    let (written, known) = (plain(written), plain(known));
    if written.len() >= 3 && (known.starts_with(&written) || written.starts_with(&known)) {
        return true;
    }
    edits(&written, &known) <= 2
}

/// How many letters must be put in, taken out or changed to make one word of the other.
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for column in 0..other.len() {
            let changed = diagonal + usize::from(letter != other[column]);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
