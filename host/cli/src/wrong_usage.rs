//! Arguments in what clap says of them.

use clap::Error;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};

use crate::output::in_a_line;

/// The error with the control characters of arguments escaped, so that a terminal does not obey them and no argument
/// passes for a line of the message.
pub(crate) fn escaped(mut error: Error) -> Error {
    let context: Vec<(ContextKind, ContextValue)> = error
        .context()
        .map(|(kind, value)| (kind, value.clone()))
        .collect();
    // Tips have colours of clap's around what was given.
    let given: Vec<&String> = context.iter().flat_map(|(_, value)| texts(value)).collect();
    let tip = |tip: &StyledStr| {
        let whole = tip.ansi().to_string();
        let whole = given
            .iter()
            .fold(whole, |whole, text| whole.replace(*text, &in_a_line(text)));
        StyledStr::from(whole)
    };
    for (kind, value) in &context {
        let value = match value {
            ContextValue::String(text) => ContextValue::String(in_a_line(text).into_owned()),
            ContextValue::Strings(texts) => {
                let texts = texts.iter().map(|text| in_a_line(text).into_owned());
                ContextValue::Strings(texts.collect())
            }
            ContextValue::StyledStrs(tips) => {
                ContextValue::StyledStrs(tips.iter().map(tip).collect())
            }
            _ => continue,
        };
        error.insert(*kind, value);
    }
    error
}

fn texts(value: &ContextValue) -> &[String] {
    match value {
        ContextValue::String(text) => std::slice::from_ref(text),
        ContextValue::Strings(texts) => texts,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::Arguments;

    #[test]
    fn what_a_terminal_would_obey_is_clap_s_alone() {
        const WILD: &str = "--a\u{1b}[2J\nerror: b\u{9b}";
        for words in [
            &[WILD][..],
            &["get", WILD],
            &["get", "a", "b", "c", &WILD[2..]],
            &[&WILD[2..]],
            &["delete", "users", WILD],
            &["completions", &WILD[2..]],
            &["serve", "--listen", &WILD[2..]],
            &["conformance", "a.so", "--limit", &WILD[2..]],
            &["conformance", "a.so", "--arguments", &WILD[2..]],
            &[
                "conformance",
                "a.so",
                "--arguments",
                "\"a\\u001b[2J\" = 1\n\"a\\u001b[2J\" = 1",
            ],
            &["new-plugin", &WILD[2..]],
            &["new-plugin", &format!("dogpile-plugin-{WILD}")],
            &["exec", "--expiration-time", &WILD[2..], "--", "true"],
            &["exec", WILD, "--", "true"],
        ] {
            let error = Arguments::try_parse_from([&["dogpile"], words].concat()).unwrap_err();
            let told = escaped(error).render().ansi().to_string();
            let mut plain = String::new();
            for (index, part) in told.split('\u{1b}').enumerate() {
                let (style, rest) = part.split_once('m').unwrap_or((part, ""));
                let is_style = |c: char| c.is_ascii_digit() || matches!(c, '[' | ';');
                match index {
                    0 => plain.push_str(part),
                    _ if style.chars().all(is_style) => plain.push_str(rest),
                    _ => panic!("{words:?}: {told:?}"),
                }
            }
            let is_obeyed = |c: char| c.is_control() && c != '\n';
            assert!(!plain.contains(is_obeyed), "{words:?}: {plain:?}");
            let errors = plain.lines().filter(|line| line.starts_with("error: "));
            assert_eq!(errors.count(), 1, "{plain}");
        }
    }
}
