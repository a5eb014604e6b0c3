//! Secrets that are known by their values.

use serde_json::{Map, Value};

use super::MASK;
use super::names::{names_a_secret, names_a_user};
use super::source::{credentials_of, value_without_credentials, without_credentials};

/// What is shorter would be found in every other word, in characters: it is masked in quotes only.
const SHORTEST_WORD: usize = 4;

/// The same of who logs in, and of variables: `default`, `cache` and 6379 are words.
const SHORTEST_USER: usize = 8;

/// Values with what may be shown instead: what an interpolation gave, values of keys that name a secret or who logs in,
/// and strings with credentials in them, which are secrets of their own.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<Secret>);

#[derive(Clone, PartialEq, Eq)]
struct Secret {
    value: String,
    shown: String,
    /// Whether it is masked without quotes around it.
    is_word: bool,
}

impl Secrets {
    /// Whatever is made of `value` shows `shown` instead.
    pub(crate) fn add(&mut self, value: &str, shown: &str) {
        self.add_from(SHORTEST_WORD, value, shown);
    }

    /// As [`add`](Self::add), for what a variable gave whose name says of no secret.
    pub(crate) fn add_variable(&mut self, value: &str, shown: &str) {
        self.add_from(SHORTEST_USER, value, shown);
    }

    fn add_from(&mut self, shortest: usize, value: &str, shown: &str) {
        // These are all that a boolean can be.
        if value.is_empty() || value == shown || ["true", "false"].contains(&value) {
            return;
        }
        // Errors quote strings with escapes.
        let escaped = value.escape_debug().to_string();
        for value in [value.to_owned(), escaped] {
            if !self.0.iter().any(|known| known.value == value) {
                self.0.push(Secret {
                    is_word: value.chars().count() >= shortest,
                    value,
                    shown: shown.to_owned(),
                });
            }
        }
    }

    /// A string that is no secret, but may have some in it.
    fn add_text(&mut self, text: &str) {
        self.add(text, &value_without_credentials(text));
        for credential in credentials_of(text) {
            self.add_from(
                credential.shortest(SHORTEST_WORD, SHORTEST_USER),
                &credential.text,
                MASK,
            );
        }
    }

    /// With those of another.
    pub(crate) fn extend(&mut self, other: &Self) {
        for secret in &other.0 {
            if !self.0.contains(secret) {
                self.0.push(secret.clone());
            }
        }
    }

    /// Without the oldest, as long as there are more than that.
    pub(crate) fn keep_newest(&mut self, most: usize) {
        let old = self.0.len().saturating_sub(most);
        self.0.drain(..old);
    }

    /// The secrets in arguments; `secret`: all of them are.
    pub(crate) fn add_table(&mut self, table: &Map<String, Value>, secret: bool) {
        for (key, value) in table {
            match value {
                Value::String(user) if !secret && names_a_user(key) && !names_a_secret(key) => {
                    self.add_from(SHORTEST_USER, user, MASK);
                }
                value => self.add_value(value, secret || names_a_secret(key)),
            }
        }
    }

    pub(crate) fn add_value(&mut self, value: &Value, secret: bool) {
        match value {
            Value::Object(table) => self.add_table(table, secret),
            Value::Array(items) => items.iter().for_each(|item| self.add_value(item, secret)),
            Value::String(text) if secret => self.add(text, MASK),
            Value::String(text) => self.add_text(text),
            number if secret => self.add(&number.to_string(), MASK),
            _ => {}
        }
    }

    /// The text as it may be shown.
    pub(crate) fn mask(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let mut secrets: Vec<_> = self.0.iter().collect();
        // One may be a part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.value.len()));
        for Secret {
            value,
            shown,
            is_word,
        } in secrets
        {
            if *is_word {
                text = text.replace(value.as_str(), shown);
                continue;
            }
            for quote in ['"', '\'', '`'] {
                let quoted = |inner: &str| format!("{quote}{inner}{quote}");
                text = text.replace(&quoted(value), &quoted(shown));
            }
        }
        without_credentials(&text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Secrets;

    fn mask(secrets: &[(&str, &str)], text: &str) -> String {
        let mut all = Secrets::default();
        for (value, shown) in secrets {
            all.add(value, shown);
        }
        all.mask(text)
    }

    #[test]
    fn a_value_is_masked_wherever_it_is_quoted() {
        assert_eq!(mask(&[("abcd", "***")], "xabcdx 'abcd'"), "x***x '***'");
        assert_eq!(
            mask(&[("a", "***"), ("42", "***")], "a map \"a\" of `42`, 42"),
            "a map \"***\" of `***`, 42"
        );
        assert_eq!(mask(&[("a\"bc\n", "***")], r#"is "a\"bc\n""#), "is \"***\"");
        assert_eq!(
            mask(&[("abcd", "***"), ("x-abcd", "x-***")], "\"x-abcd\""),
            "\"x-***\""
        );
        assert_eq!(mask(&[("true", "***")], "write true"), "write true");
    }

    #[test]
    fn secrets_of_arguments_are_known_by_their_keys_and_urls() {
        let arguments = json!({
            "tls": { "password": 123_456, "ca": "file" },
            "tokenizer": "plain",
            "token": ["hunter2"],
            "url": "redis://:a b@h/0",
        });
        let mut secrets = Secrets::default();
        secrets.add_table(arguments.as_object().unwrap(), false);
        assert_eq!(
            secrets.mask("`123456` file plain \"hunter2\" \"redis://:a b@h/0\""),
            "`***` file plain \"***\" \"redis://***@h/0\""
        );
    }

    #[test]
    fn parts_of_a_string_with_credentials_are_secrets_too() {
        let arguments = json!({
            "url": "redis://operator1:p%40ss%20word@h/0?token=abcdef",
            "servers": ["cache:hunter2@h:11211"],
            "username": "default",
        });
        let mut secrets = Secrets::default();
        secrets.add_table(arguments.as_object().unwrap(), false);
        assert_eq!(
            secrets.mask("operator1 p%40ss%20word p@ss word abcdef; cache hunter2; the default, 'default', 'cache'"),
            "*** *** *** ***; cache ***; the default, '***', '***'"
        );
    }
}
