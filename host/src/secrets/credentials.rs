//! Credentials inside of strings: in URLs and their queries, in `user:password@host`, in `password=x` and in JSON.

use std::ops::Range;

use super::names::names_a_secret;

/// How far before an `@` the beginning of what it ends is looked for, in bytes.
const LONGEST: usize = 1024;

/// How sure it must be that a name and what follows it belong together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// A string of a configuration: whatever may be a secret is one.
    Value,
    /// A sentence, in which `password: ` may stand before an explanation.
    Prose,
}

/// Where a text of unknown form, such as a message, has credentials.
pub(crate) fn in_prose(text: &str) -> Vec<Range<usize>> {
    let mut found = before_at(text);
    found.extend(ports(text, 0..text.len()));
    pairs(text, 0..text.len(), Reading::Prose, &mut found);
    found
}

/// The user information of every URL and of every `user:password@host`.
pub(crate) fn before_at(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('@') {
        let before = text[..at].char_indices().rev();
        let mut before = before.take_while(|(from, _)| at - from <= LONGEST);
        let start = before.find(|(_, c)| parts(*c));
        let start = start.map_or_else(
            || text.floor_char_boundary(at.saturating_sub(LONGEST)),
            |(from, c)| from + c.len_utf8(),
        );
        found.extend(user_information(text, start..at));
    }
    found
}

/// The same of a string of which `within` is the whole content, so that a password can be made of anything.
pub(crate) fn in_value(text: &str, within: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if let Some(at) = text[within.clone()].rfind('@') {
        found.extend(user_information(text, within.start..within.start + at));
    } else {
        found.extend(ports(text, within.clone()));
    }
    pairs(text, within, Reading::Value, &mut found);
    found
}

/// Whether it parts a URL, or whatever else is one word, from what stands before and after it.
fn parts(c: char) -> bool {
    c.is_whitespace() || "\"'`".contains(c)
}

/// Of what stands before an `@`: what follows `://`, or all if there is a `:` that parts a name from a password.
fn user_information(text: &str, before: Range<usize>) -> Option<Range<usize>> {
    let token = &text[before.clone()];
    match token.find("://") {
        Some(scheme) => Some(before.start + scheme + 3..before.end),
        None => token.contains(':').then_some(before),
    }
}

/// What stands in URLs where a port does and is no number: a password whose `@` was forgotten, perhaps.
fn ports(text: &str, within: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, scheme) in text[within.clone()].match_indices("://") {
        let start = within.start + at + scheme.len();
        let ends = |c: char| parts(c) || "/?#\\".contains(c);
        let end = text[start..within.end].find(ends);
        let end = end.map_or(within.end, |length| start + length);
        let authority = &text[start..end];
        let Some(colon) = authority.rfind(':') else {
            continue;
        };
        let port = &authority[colon + 1..];
        let is_port = port.chars().all(|c| c.is_ascii_digit()) || port.starts_with("${");
        if !is_port && !authority.contains(['@', ']']) {
            found.push(start + colon + 1..end);
        }
    }
    found
}

/// The values of `password=x`, `password: x` and `"password": "x"`.
fn pairs(text: &str, within: Range<usize>, reading: Reading, found: &mut Vec<Range<usize>>) {
    let is_name = |c: char| c.is_alphanumeric() || "_-%".contains(c);
    let mut at = within.start;
    while let Some(offset) = text[at..within.end].find(is_name) {
        let start = at + offset;
        let end = text[start..within.end]
            .find(|c| !is_name(c))
            .map_or(within.end, |length| start + length);
        at = end;
        if !names_a_secret(&decoded(&text[start..end])) {
            continue;
        }
        if let Some(value) = paired(text, end..within.end, reading) {
            at = value.end;
            found.push(value);
        }
    }
}

/// The value of the name that ends where `rest` begins.
fn paired(text: &str, rest: Range<usize>, reading: Reading) -> Option<Range<usize>> {
    let after = &text[rest.clone()];
    let quoted = after.trim_start_matches(['\\', '"', '\'']);
    let is_quoted = quoted.len() < after.len();
    let sign = quoted.trim_start();
    let value = sign.strip_prefix(['=', ':'])?;
    let spaced = value.starts_with(char::is_whitespace);
    let is_sure = is_quoted || !spaced || sign.starts_with('=');
    if reading == Reading::Prose && !is_sure {
        return None;
    }
    let value = value.trim_start();
    let bare = value.trim_start_matches('\\');
    let (start, length) = if let Some(quote @ ('"' | '\'')) = bare.chars().next() {
        let inner = &bare[1..];
        let length = if bare.len() < value.len() {
            inner.find(['\\', quote]).unwrap_or(inner.len())
        } else {
            closed(inner, quote)
        };
        (rest.end - inner.len(), length)
    } else {
        let length = value.find(|c: char| parts(c) || "&;,})".contains(c));
        (rest.end - value.len(), length.unwrap_or(value.len()))
    };
    (length > 0).then_some(start..start + length)
}

/// How long a string is whose content begins here.
fn closed(inner: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in inner.char_indices() {
        if c == quote && !is_escaped {
            return at;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    inner.len()
}

/// Without percent-encoding, as far as it is one.
pub(crate) fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        plain.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{decoded, in_prose, in_value};

    fn hidden<'t>(text: &'t str, found: &[std::ops::Range<usize>]) -> Vec<&'t str> {
        found.iter().map(|range| &text[range.clone()]).collect()
    }

    #[test]
    fn credentials_are_found_in_strings() {
        for (text, expected) in [
            ("redis://u:p@h/0", &["u:p"][..]),
            ("redis://:a \"b@c@h", &[":a \"b@c"]),
            ("me:p@host:11211", &["me:p"]),
            ("a:p@h1, b:q@h2", &["a:p@h1, b:q"]),
            ("redis://h/0?db=1&password=p%20q&x=1", &["p%20q"]),
            ("redis://h/0?p%61ssword=pq", &["pq"]),
            ("host=h password = pq user=u", &["pq"]),
            ("password: pq", &["pq"]),
            (r#"{"password": "p q", "db": 1}"#, &["p q"]),
            (r#"{\"password\": \"pq\"}"#, &["pq"]),
            ("{'token':'pq'}", &["pq"]),
            ("me@example.org", &[]),
            ("redis://h:6379/0", &[]),
            ("redis://h:pq/0", &["pq"]),
            ("redis://[::1]/0", &[]),
            ("redis://h:${PORT}/0", &[]),
            ("password", &[]),
        ] {
            assert_eq!(
                hidden(text, &in_value(text, 0..text.len())),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn credentials_are_found_in_messages() {
        for (text, expected) in [
            ("no server at redis://u:p@h/0 (refused)", &["u:p"][..]),
            ("`me:p@h` is no server", &["me:p"]),
            ("no server at \"redis://h:pq\"", &["pq"]),
            ("refused: {\"password\": \"p q\"}", &["p q"]),
            ("cannot parse password=pq", &["pq"]),
            ("`password`: invalid type", &[]),
            ("password: invalid type", &[]),
            ("the token = pq", &["pq"]),
        ] {
            assert_eq!(hidden(text, &in_prose(text)), expected, "{text}");
        }
    }

    #[test]
    fn percent_encoding_is_undone_where_there_is_one() {
        for (text, expected) in [
            ("a%20b%C3%A4", "a bä"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
        ] {
            assert_eq!(decoded(text), expected);
        }
    }
}
