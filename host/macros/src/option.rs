//! One option of an attribute, as it is written.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Ident, Result, Token, parenthesized};

/// `name`, `name = value` or `name(list)`.
pub(crate) struct Written {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    None,
    Expr(Box<Expr>),
    List(Vec<Ident>),
}

impl Parse for Written {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        // `crate` is a keyword, `clone` is not: both are names here.
        let name = input.call(Ident::parse_any)?;
        let value = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            if input.is_empty() || input.peek(Token![,]) {
                let text = format!("`{name} =` lacks its value");
                return Err(Error::new(name.span(), text));
            }
            Value::Expr(input.parse()?)
        } else if input.peek(syn::token::Paren) {
            let list;
            parenthesized!(list in input);
            let names =
                Punctuated::<Ident, Token![,]>::parse_terminated_with(&list, Ident::parse_any)?;
            Value::List(names.into_iter().collect())
        } else {
            Value::None
        };
        Ok(Self { name, value })
    }
}

impl Written {
    pub(crate) fn span(&self) -> Span {
        self.name.span()
    }

    pub(crate) fn expr(self) -> Result<Expr> {
        match self.value {
            Value::Expr(expr) => Ok(*expr),
            _ => Err(self.form("needs a value", &format!("{} = …", self.name))),
        }
    }

    pub(crate) fn flag(self) -> Result<Span> {
        match self.value {
            Value::None => Ok(self.name.span()),
            _ => Err(self.form("has no value", &self.name.to_string())),
        }
    }

    pub(crate) fn list(self) -> Result<Vec<Ident>> {
        match self.value {
            Value::List(names) if !names.is_empty() => Ok(names),
            _ => Err(self.form(
                "needs the names of arguments",
                &format!("{}(db)", self.name),
            )),
        }
    }

    fn form(&self, problem: &str, right: &str) -> Error {
        Error::new(
            self.span(),
            format!("`{}` {problem}: write `{right}`", self.name),
        )
    }
}
