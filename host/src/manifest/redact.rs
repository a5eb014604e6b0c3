/// How far from `://` an `@` is looked for, in bytes.
const LONGEST_AUTHORITY: usize = 1024;

/// Whether a key's name says that its value is a secret.
pub(super) fn names_a_secret(key: &str) -> bool {
    const WORDS: [&str; 13] = [
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "pw",
        "pass",
        "secret",
        "secrets",
        "token",
        "credential",
        "credentials",
        "apikey",
        "auth",
    ];
    const BEFORE_KEY: [&str; 3] = ["api", "private", "access"];
    let key = key.to_ascii_lowercase();
    let parts: Vec<&str> = key.split(['_', '-', '.', ' ']).collect();
    parts.iter().any(|part| WORDS.contains(part))
        || parts
            .windows(2)
            .any(|pair| pair[1] == "key" && BEFORE_KEY.contains(&pair[0]))
}

/// Marks the bytes of a TOML text that may be secrets: values of keys that name one, the user
/// information of URLs, and the defaults of `${…}`. What that stands for is not in the text, and
/// its name stays readable.
///
/// It works on damaged text too, so it does not use the parsed tree.
pub(super) fn secret_bytes(text: &str) -> Vec<bool> {
    let mut mask = vec![false; text.len()];
    mark_user_information(text, &mut mask);
    mark_values_of_secret_keys(text, &mut mask);
    mark_defaults(text, &mut mask);
    mask
}

/// The text with the user information of every URL in it replaced.
pub(super) fn without_user_information(text: &str) -> String {
    let mut mask = vec![false; text.len()];
    mark_user_information(text, &mut mask);
    replaced(text, &mask)
}

/// The same of a text that is one value, so that its end is known, whatever the password is made of.
pub(super) fn url_without_user_information(text: &str) -> String {
    let mut mask = vec![false; text.len()];
    mark_user_information_of(text, 0, text.len(), &mut mask);
    replaced(text, &mask)
}

fn replaced(text: &str, mask: &[bool]) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut masked = false;
    for (at, c) in text.char_indices() {
        if !mask[at] {
            shown.push(c);
        } else if !masked {
            shown.push_str("***");
        }
        masked = mask[at];
    }
    shown
}

fn mark_user_information(text: &str, mask: &mut [bool]) {
    for (scheme, _) in text.match_indices("://") {
        let start = scheme + 3;
        let end = text[start..]
            .char_indices()
            .find(|&(length, c)| {
                c.is_whitespace() || c == '"' || c == '\'' || length > LONGEST_AUTHORITY
            })
            .map_or(text.len(), |(length, _)| start + length);
        if let Some(at) = text[start..end].rfind('@') {
            mark(text, start, start + at, mask);
        }
    }
}

/// Of the string whose content is `start..end`.
fn mark_user_information_of(text: &str, start: usize, end: usize, mask: &mut [bool]) {
    if let Some(scheme) = text[start..end].find("://")
        && let Some(at) = text[start + scheme..end].rfind('@')
    {
        mark(text, start + scheme + 3, start + scheme + at, mask);
    }
}

/// Marks what stands for a variable that is not set, whatever it is for.
fn mark_defaults(text: &str, mask: &mut [bool]) {
    for (at, _) in text.match_indices("${") {
        let end = end_of_line(text, at);
        if let Some(length) = text[at..end].find('}') {
            hide_default(text, at, at + length, mask);
        }
    }
}

fn mark_values_of_secret_keys(text: &str, mask: &mut [bool]) {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut word = "";
    let mut secret = false;
    while at < bytes.len() {
        match bytes[at] {
            b'#' => at = end_of_line(text, at),
            b'=' => {
                secret = names_a_secret(word);
                at += 1;
                if secret {
                    at += text[at..].len() - text[at..].trim_start_matches([' ', '\t']).len();
                    let end = text[at..]
                        .find(|c: char| c.is_whitespace() || "\"'[]{},#=".contains(c))
                        .map_or(text.len(), |length| at + length);
                    mark(text, at, end, mask);
                    at = end;
                }
            }
            b'"' | b'\'' => {
                let (start, end, next) = string_at(text, at);
                if secret {
                    mark(text, start, end, mask);
                } else {
                    mark_user_information_of(text, start, end, mask);
                }
                word = &text[start..end];
                at = next;
            }
            c if is_bare(c) => {
                let end = (at..bytes.len())
                    .find(|&i| !is_bare(bytes[i]))
                    .unwrap_or(bytes.len());
                word = &text[at..end];
                at = end;
            }
            // A header ends the reach of the key before it.
            b'\n'
                if text[at + 1..]
                    .trim_start_matches([' ', '\t'])
                    .starts_with('[') =>
            {
                secret = false;
                at += 1;
            }
            _ => at += 1,
        }
    }
}

fn is_bare(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_' || c == b'-'
}

fn end_of_line(text: &str, from: usize) -> usize {
    text[from..]
        .find('\n')
        .map_or(text.len(), |length| from + length)
}

/// Content start, content end and the end of the string that opens at `at`. One that is not
/// closed ends with its line, or with the text if it may have several lines.
fn string_at(text: &str, at: usize) -> (usize, usize, usize) {
    let quote = &text[at..=at];
    let triple = quote.repeat(3);
    let (delimiter, limit) = if text[at..].starts_with(&triple) {
        (triple.as_str(), text.len())
    } else {
        (quote, end_of_line(text, at))
    };
    let start = at + delimiter.len();
    let mut from = start;
    while from < limit {
        if text[from..].starts_with(delimiter) {
            return (start, from, from + delimiter.len());
        }
        let escape = quote == "\"" && text.as_bytes()[from] == b'\\';
        from += text[from..].chars().next().map_or(1, char::len_utf8);
        if escape && from < limit {
            from += text[from..].chars().next().map_or(1, char::len_utf8);
        }
    }
    (start.min(limit), limit, limit)
}

/// Marks `start..end` but for the readable part of every `${…}` in it.
fn mark(text: &str, start: usize, end: usize, mask: &mut [bool]) {
    let mut at = start;
    while at < end {
        if text[at..end].starts_with("${") {
            let close = text[at..end].find('}').map_or(end, |i| at + i);
            hide_default(text, at, close, mask);
            at = (close + 1).min(end);
        } else {
            mask[at] = true;
            at += 1;
        }
        while at < end && !text.is_char_boundary(at) {
            mask[at] = true;
            at += 1;
        }
    }
}

/// Hides the default of the `${…` that is `start..close`.
fn hide_default(text: &str, start: usize, close: usize, mask: &mut [bool]) {
    let readable = start + 2 + readable(&text[start + 2..close]);
    mask[readable..close].fill(true);
}

/// How much of what is in the braces may be shown: a name with the operator that follows, also one
/// that only the shell knows; all of a file's path and of a message.
pub(super) fn readable(inner: &str) -> usize {
    let name = inner
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(inner.len());
    let after = &inner[name..];
    let operator = after.len() - after.trim_start_matches([':', '-', '=', '+']).len();
    if inner.starts_with("file:") || operator == 0 || after[operator..].starts_with('?') {
        inner.len()
    } else {
        name + operator
    }
}

#[cfg(test)]
mod tests {
    use super::{names_a_secret, secret_bytes, without_user_information};

    fn masked(text: &str) -> String {
        let mask = secret_bytes(text);
        text.char_indices()
            .map(|(at, c)| if mask[at] && c != '\n' { '*' } else { c })
            .collect()
    }

    #[test]
    fn keys_that_name_a_secret_are_known() {
        for key in [
            "password",
            "redis_password",
            "api-key",
            "AUTH",
            "client_secret",
        ] {
            assert!(names_a_secret(key), "{key}");
        }
        for key in ["key_prefix", "author", "passes", "key_mangler", "tokenizer"] {
            assert!(!names_a_secret(key), "{key}");
        }
    }

    #[test]
    fn secrets_in_a_text_are_masked_width_for_width() {
        assert_eq!(
            masked("password = \"hunter2\"\nuser = \"me\""),
            "password = \"*******\"\nuser = \"me\""
        );
        assert_eq!(
            masked("a = { token = 'x', b = 'y' }"),
            "a = { token = '*', b = 'y' }"
        );
        assert_eq!(
            masked("password = hunter2 # no quotes"),
            "password = ******* # no quotes"
        );
        assert_eq!(
            masked("secret = \"\"\"\nab\ncd\"\"\"\nx = 1"),
            "secret = \"\"\"\n**\n**\"\"\"\nx = 1"
        );
        assert_eq!(
            masked("password = \"${P:-hunter2}\""),
            "password = \"${P:-*******}\""
        );
        assert_eq!(
            masked("a = \"${P:-abc}${file:a-b}${P:?a-b}${P-abc}\""),
            "a = \"${P:-***}${file:a-b}${P:?a-b}${P-***}\""
        );
        assert_eq!(masked("a = 'redis://:a \"b@h'"), "a = 'redis://*****@h'");
        assert_eq!(
            masked("url = \"redis://u:p@h/0\""),
            "url = \"redis://***@h/0\""
        );
        assert_eq!(
            masked("url = \"redis://:${file:/run/p}@h\""),
            "url = \"redis://*${file:/run/p}@h\""
        );
        assert_eq!(masked("password = \"ä\\\"ö\" x"), "password = \"****\" x");
    }

    #[test]
    fn user_information_leaves_a_text() {
        assert_eq!(
            without_user_information("redis://u:p@h/0 x"),
            "redis://***@h/0 x"
        );
    }
}
