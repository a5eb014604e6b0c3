//! An expiration time: fixed when the program is compiled, or asked for at each call.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Expr, ExprLit, ExprUnary, Lit, Result, UnOp};

/// Largest first: the order in which they may follow each other. As in the manifest.
const UNITS: [(&str, f64); 7] = [
    ("w", 604_800.0),
    ("d", 86_400.0),
    ("h", 3_600.0),
    ("m", 60.0),
    ("s", 1.0),
    ("ms", 0.001),
    ("us", 0.000_001),
];

/// In seconds: a hundred years, as in the manifest.
const LONGEST: f64 = 100.0 * 365.0 * 24.0 * 3600.0;

const FORMS: &str = "write a number of seconds (300, 0.25), a string with units (\"250ms\", \"5m\", \"1h30m\"; the \
     units are us, ms, s, m, h, d and w), \"never\", or an expression that gives a `Duration` or an `Expiration`";

pub(crate) enum Expiration {
    Seconds(f64),
    Never,
    Asked(Expr),
}

impl Expiration {
    pub(crate) fn of(expr: Expr) -> Result<Self> {
        if is_negative(&expr) {
            let text = format!("a duration cannot be negative: {FORMS}");
            return Err(Error::new_spanned(expr, text));
        }
        let Expr::Lit(ExprLit { lit, .. }) = &expr else {
            return Ok(Self::Asked(expr));
        };
        let seconds = match lit {
            Lit::Str(text) if text.value() == "never" => return Ok(Self::Never),
            Lit::Str(text) => seconds(&text.value()),
            Lit::Int(number) => number.base10_parse().ok(),
            Lit::Float(number) => number.base10_parse().ok(),
            _ => None,
        };
        let wrong = |text: &str| Error::new_spanned(lit, format!("{text}: {FORMS}"));
        let seconds = seconds.ok_or_else(|| wrong("this is not a duration"))?;
        if seconds > LONGEST {
            return Err(wrong("this duration is longer than 100 years"));
        }
        Ok(Self::Seconds(seconds))
    }

    pub(crate) fn asked(&self) -> Option<&Expr> {
        match self {
            Self::Asked(expr) => Some(expr),
            Self::Seconds(_) | Self::Never => None,
        }
    }

    pub(crate) fn tokens(&self, private: &TokenStream) -> TokenStream {
        match self {
            Self::Seconds(seconds) => {
                quote!(#private::Expiration::After(::core::time::Duration::from_secs_f64(#seconds)))
            }
            Self::Never => quote!(#private::Expiration::Never),
            Self::Asked(expr) => quote!(#private::IntoExpiration::into_expiration(#expr)),
        }
    }
}

fn is_negative(expr: &Expr) -> bool {
    matches!(expr, Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) if matches!(**expr, Expr::Lit(_)))
}

/// Numbers with units, the larger unit first, each once: `1h30m`, `1.5s`, `1h 30m`.
fn seconds(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    let mut units = UNITS.iter();
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split(after.trim_start(), char::is_alphabetic);
        let number: f64 = number.parse().ok()?;
        let (_, size) = units.find(|(name, _)| *name == unit)?;
        seconds += number * size;
        rest = after.trim_start();
    }
    Some(seconds)
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_as_in_the_manifest() {
        for (text, expected) in [
            ("5m", Some(300.0)),
            ("1h30m", Some(5400.0)),
            ("1h 30 m", Some(5400.0)),
            ("250ms", Some(0.25)),
            ("1.5s", Some(1.5)),
            ("0s", Some(0.0)),
            ("1w2d", Some(777_600.0)),
            ("", None),
            ("300", None),
            ("5 minutes", None),
            ("1m1h", None),
            ("1m1m", None),
            ("-1s", None),
            ("1..5s", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
