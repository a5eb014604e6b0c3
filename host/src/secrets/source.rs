use std::ops::Range;

use super::credentials::{before_at, decoded, in_prose, in_value};
use super::names::{names_a_secret, names_a_user};

/// Marks the bytes of a TOML text that may be secrets: values of keys that name one or who logs in, also of tables below
/// such a key; credentials inside of strings and comments; and the defaults of `${…}`. What that stands for is not in the
/// text, and its name stays readable.
///
/// It works on damaged text too, so it does not use the parsed tree.
pub(crate) fn secret_bytes(text: &str) -> Vec<bool> {
    let mut mask = vec![false; text.len()];
    for range in before_at(text) {
        mark(text, range.start, range.end, &mut mask);
    }
    Scan {
        text,
        mask: &mut mask,
        at: 0,
        header: Header::default(),
        frames: Vec::new(),
        secret: false,
    }
    .all();
    mark_defaults(text, &mut mask);
    mask
}

/// The text with every credential in it replaced.
pub(crate) fn without_credentials(text: &str) -> String {
    replaced(text, in_prose(text))
}

/// The same of a text that is one value, so that its end is known, whatever the password is made of.
pub(crate) fn value_without_credentials(text: &str) -> String {
    replaced(text, in_value(text, 0..text.len()))
}

/// One of the secrets in a string.
pub(crate) struct Credential {
    pub(crate) text: String,
    /// Whether it is who logs in.
    is_user: bool,
}

impl Credential {
    /// The one or the other, depending on what it is.
    pub(crate) fn shortest(&self, secret: usize, user: usize) -> usize {
        if self.is_user { user } else { secret }
    }
}

/// Each by itself, as it stands in the string and without percent-encoding.
pub(crate) fn credentials_of(text: &str) -> Vec<Credential> {
    let mut found = Vec::new();
    for range in in_value(text, 0..text.len()) {
        let is_before_at = text[range.end..].starts_with('@');
        let (user, secret) = match text[range.clone()].split_once(':') {
            Some((user, password)) if is_before_at => (user, password),
            _ => ("", &text[range]),
        };
        for (text, is_user) in [(user, true), (secret, false)] {
            for text in [text.to_owned(), decoded(text)] {
                found.push(Credential { text, is_user });
            }
        }
    }
    found
}

fn replaced(text: &str, ranges: Vec<Range<usize>>) -> String {
    let mut mask = vec![false; text.len()];
    for range in ranges {
        mark(text, range.start, range.end, &mut mask);
    }
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

/// Marks what stands for a variable that is not set, whatever it is for.
fn mark_defaults(text: &str, mask: &mut [bool]) {
    for (at, _) in text.match_indices("${") {
        let end = end_of_line(text, at);
        if let Some(length) = text[at..end].find('}') {
            hide_default(text, at, at + length, mask);
        }
    }
}

/// The table in which keys stand.
#[derive(Default)]
struct Header {
    /// Whether its name says that all in it is secret.
    secret: bool,
    /// Of how many parts its name is.
    depth: usize,
    /// Whether the second part of a path is a name that the operator chose, of a region or plugin.
    named: bool,
}

/// What is open around a value.
struct Frame {
    is_table: bool,
    /// Whether all in it is secret.
    secret: bool,
}

/// Walks over a text that may be damaged. Where it is not sure it takes what follows a secret's name for the secret.
struct Scan<'t, 'm> {
    text: &'t str,
    mask: &'m mut [bool],
    at: usize,
    header: Header,
    frames: Vec<Frame>,
    /// Whether what is read is the value of a key that names a secret.
    secret: bool,
}

impl<'t> Scan<'t, '_> {
    fn all(&mut self) {
        self.statement();
        while self.at < self.text.len() {
            self.step();
        }
    }

    /// A line begins: a header, or a key with what is before its value.
    fn statement(&mut self) {
        self.skip_blanks();
        if self.frames.is_empty() && self.rest().starts_with('[') {
            self.at += self.rest().len() - self.rest().trim_start_matches('[').len();
            self.skip_blanks();
            let path = self.path();
            let named = matches!(path.first(), Some(&("regions" | "plugins")));
            let is_secret =
                |(index, name): (usize, &&str)| !(named && index == 1) && is_secret_key(name);
            self.header = Header {
                secret: path.iter().enumerate().any(is_secret),
                depth: path.len(),
                named,
            };
            self.secret = self.header.secret;
        } else {
            self.key();
        }
    }

    /// A key, if one stands here; what follows is its value.
    fn key(&mut self) {
        let before = self.word_before();
        let path = self.path();
        // `api key` is one name, with a blank where none can be.
        let first = path.first().filter(|_| !before.is_empty());
        let joined = first.map(|first| format!("{before} {first}"));
        let last = path.len().saturating_sub(1);
        let named = self.header.named
            || (self.header.depth == 0 && matches!(path.first(), Some(&("regions" | "plugins"))));
        let base = if self.frames.is_empty() {
            self.header.depth
        } else {
            2
        };
        let is_secret = |(index, name): (usize, &&str)| {
            (index == last || !(named && base + index == 1)) && is_secret_key(name)
        };
        self.secret = self.inherited()
            || path.iter().enumerate().any(is_secret)
            || joined.is_some_and(|name| is_secret_key(&name));
        if self.rest().starts_with('=') {
            self.at += 1;
        }
    }

    /// What stands before this on the line and could be part of a key.
    fn word_before(&self) -> &'t str {
        let line = self.text[..self.at].rfind('\n').map_or(0, |at| at + 1);
        let before = self.text[line..self.at].trim_end();
        &before[before.trim_end_matches(is_bare).len()..]
    }

    fn inherited(&self) -> bool {
        self.frames
            .last()
            .map_or(self.header.secret, |frame| frame.secret)
    }

    /// The parts of a dotted key, with the blanks after it.
    fn path(&mut self) -> Vec<&'t str> {
        let mut names = Vec::new();
        loop {
            let rest = self.rest();
            if rest.starts_with(['"', '\'']) {
                let (start, end, next) = string_at(self.text, self.at);
                names.push(&self.text[start..end]);
                self.at = next;
            } else {
                let bare = rest.len() - rest.trim_start_matches(is_bare).len();
                if bare == 0 {
                    return names;
                }
                names.push(&rest[..bare]);
                self.at += bare;
            }
            self.skip_blanks();
            if !self.rest().starts_with('.') {
                return names;
            }
            self.at += 1;
            self.skip_blanks();
        }
    }

    /// One step through a value.
    fn step(&mut self) {
        let c = self.rest().chars().next().expect("it is not at the end");
        match c {
            '\n' => {
                self.at += 1;
                // What has several lines by mistake is still the secret.
                let goes_on = self.secret && !self.begins_statement();
                if self.frames.is_empty() && !goes_on {
                    self.statement();
                }
            }
            '#' => self.comment(),
            '"' | '\'' => {
                let (start, end, next) = string_at(self.text, self.at);
                if self.secret {
                    mark(self.text, start, end, self.mask);
                } else {
                    self.mark_credentials(start, end);
                    // Where a key is expected it may be one, with something missing.
                    self.secret = is_secret_key(&self.text[start..end]);
                }
                self.at = next;
            }
            '{' | '[' => {
                self.at += 1;
                self.frames.push(Frame {
                    is_table: c == '{',
                    secret: self.secret,
                });
                if c == '{' {
                    self.skip_blanks();
                    self.key();
                }
            }
            '}' | ']' => {
                self.at += 1;
                if let Some(frame) = self.frames.pop() {
                    self.secret = frame.secret;
                }
            }
            ',' if !self.frames.is_empty() => {
                self.at += 1;
                if self.frames.last().is_some_and(|frame| frame.is_table) {
                    self.skip_blanks();
                    self.key();
                } else {
                    self.secret = self.inherited();
                }
            }
            c if is_bare(c) => self.word(),
            c => {
                let end = self.at + c.len_utf8();
                if self.secret && !c.is_whitespace() {
                    self.hide_to(end);
                } else {
                    self.at = end;
                }
            }
        }
    }

    /// What is in no quotes: part of a value, or a key where something is missing before it.
    fn word(&mut self) {
        let rest = self.rest();
        let length = rest.len() - rest.trim_start_matches(is_bare).len();
        let after = rest[length..].trim_start_matches([' ', '\t']);
        let is_key = after.starts_with('=') && (!self.secret || !self.frames.is_empty());
        if is_key {
            self.key();
        } else if self.secret {
            self.hide_to(self.at + length);
        } else {
            self.secret = is_secret_key(&rest[..length]);
            self.at += length;
        }
    }

    /// After a secret without quotes nobody knows whether it is one.
    fn comment(&mut self) {
        let end = end_of_line(self.text, self.at);
        let line = self.text[..self.at].rfind('\n').map_or(0, |at| at + 1);
        let before = self.text[line..self.at].trim_end();
        let is_closed = before.is_empty() || before.ends_with(['"', '\'', ']', '}', ',']);
        if self.secret && !is_closed {
            self.hide_to(end);
        } else {
            self.mark_credentials(self.at, end);
            self.at = end;
        }
    }

    fn mark_credentials(&mut self, start: usize, end: usize) {
        for range in in_value(self.text, start..end) {
            mark(self.text, range.start, range.end, self.mask);
        }
    }

    fn hide_to(&mut self, end: usize) {
        mark(self.text, self.at, end, self.mask);
        self.at = end;
    }

    /// Whether this line is a header, a comment, empty, or has a key with its `=`.
    fn begins_statement(&self) -> bool {
        let line = &self.text[self.at..end_of_line(self.text, self.at)];
        let line = line.trim();
        let key = line.trim_start_matches(|c: char| is_bare(c) || ".\"' \t".contains(c));
        line.is_empty() || line.starts_with(['[', '#']) || (key.starts_with('=') && key != line)
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
    }
}

fn is_secret_key(name: &str) -> bool {
    names_a_secret(name) || names_a_user(name)
}

fn is_bare(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
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
pub(crate) fn readable(inner: &str) -> usize {
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
    use super::{secret_bytes, without_credentials};

    fn masked(text: &str) -> String {
        let mask = secret_bytes(text);
        text.char_indices()
            .map(|(at, c)| if mask[at] && c != '\n' { '*' } else { c })
            .collect()
    }

    #[test]
    fn secrets_in_a_text_are_masked_width_for_width() {
        assert_eq!(
            masked("password = \"hunter2\"\nuser = \"me\"\nx = \"y\""),
            "password = \"*******\"\nuser = \"**\"\nx = \"y\""
        );
        assert_eq!(
            masked("a = { token = 'x', b = 'y' }"),
            "a = { token = '*', b = 'y' }"
        );
        assert_eq!(
            masked("password = hunter2 # no quotes"),
            "password = ******* ***********"
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
        assert_eq!(masked("password = \"ä\\\"ö\" x"), "password = \"****\" *");
    }

    #[test]
    fn credentials_leave_a_text() {
        assert_eq!(
            without_credentials("redis://u:p@h/0 x"),
            "redis://***@h/0 x"
        );
    }

    #[test]
    fn secrets_in_odd_places_and_in_damaged_text_are_masked() {
        for text in [
            "password \"canary\"",
            "password: canary",
            "password: \"canary\" # x",
            "password = canary#canary canary=canary",
            "password = canary, canary",
            "password = \"can\"canary\"",
            "password = 'it's canary'",
            "password = \"canary\ncanary\"\nx = 1",
            "password = [\"canary\", \"canary\"]",
            "password = { value = \"canary\" }",
            "password.value = \"canary\"",
            "[regions.a.arguments.password]\nvalue = \"canary\"",
            "[regions.a]\npassword.value = \"canary\"",
            "\"pass\\u0077ord\" = \"canary\"",
            "\"pass word\" = \"canary\"",
            "pass word = \"canary\"",
            "api key = \"canary\"",
            "pässword = \"canary\"",
            "pasword = \"canary\"",
            "username = \"canary\"",
            "a = { x = 1 password = \"canary\" }",
            "a = { x = 1, password \"canary\" }",
            "a = { x = 1, \"password\" \"canary\" }",
            "a = [1, { password = \"canary\"",
            "x = 1 password = \"canary\"",
            "x = 1 # password = canary",
            "# was: redis://:canary@h",
            "a = '{\"password\": \"canary\"}'",
            "a = \"{\\\"password\\\": \\\"canary\\\"}\"",
            "a = \"redis://h/0?password=canary\"",
            "a = [\"me:canary@h:1\", 'redis://me:can ary@h']",
            "a = \"redis://:canary@h",
            "regions.a.arguments.password = \"canary\"",
        ] {
            let shown = masked(text);
            assert!(
                !shown.contains("canary") && !shown.contains("ary"),
                "{shown}"
            );
        }
    }

    #[test]
    fn what_is_no_secret_stays_readable() {
        for text in [
            "[regions.auth]\nbackend = \"memory\" # fast\nexpiration_time = \"5 min\"",
            "[regions]\nauth.backend = \"memory\"",
            "regions.users.backend = \"x\"",
            "password = \"\" # none\nx = \"y\"\n[regions.a]\nz = 1",
            "a = [\"h1:6379\", \"h2:6379\"]",
            "token = [\n]\nurl = \"redis://h\"",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
