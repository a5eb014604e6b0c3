//! What must not be shown of a configuration, and the one place where texts are cleared of it.

use serde_json::{Map, Value};

use super::interpolate::MASK;
use super::model::{KeyManglers, RegionConfig};
use super::redact::{names_a_secret, url_without_user_information, without_user_information};

/// What is shorter would be found in every other word, in characters: it is masked in quotes only.
const SHORTEST_WORD: usize = 4;

/// Values with what may be shown instead: what an interpolation gave, values of keys that name a secret, and URLs with
/// user information.
#[derive(Clone, Default)]
pub(super) struct Secrets(Vec<(String, String)>);

impl Secrets {
    /// Whatever is made of `value` shows `shown` instead.
    pub(super) fn add(&mut self, value: &str, shown: &str) {
        // These are all that a boolean can be.
        if value.is_empty() || value == shown || ["true", "false"].contains(&value) {
            return;
        }
        // Errors quote strings with escapes.
        let escaped = value.escape_debug().to_string();
        for value in [value.to_owned(), escaped] {
            if !self.0.iter().any(|(known, _)| *known == value) {
                self.0.push((value, shown.to_owned()));
            }
        }
    }

    /// The secrets in a region's arguments.
    pub(super) fn add_region(&mut self, region: &RegionConfig) {
        self.add_table(&region.arguments, false);
        for proxy in &region.proxies {
            self.add_table(&proxy.arguments, false);
        }
        if let KeyManglers::Named(manglers) = &region.key_mangler {
            for mangler in manglers {
                self.add_value(&mangler.arguments, false);
            }
        }
    }

    pub(super) fn add_table(&mut self, table: &Map<String, Value>, secret: bool) {
        for (key, value) in table {
            self.add_value(value, secret || names_a_secret(key));
        }
    }

    fn add_value(&mut self, value: &Value, secret: bool) {
        match value {
            Value::Object(table) => self.add_table(table, secret),
            Value::Array(items) => items.iter().for_each(|item| self.add_value(item, secret)),
            Value::String(text) if secret => self.add(text, MASK),
            Value::String(text) => self.add(text, &url_without_user_information(text)),
            number if secret => self.add(&number.to_string(), MASK),
            _ => {}
        }
    }

    /// The text as it may be shown.
    pub(super) fn mask(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let mut secrets: Vec<_> = self.0.iter().collect();
        // One may be a part of another.
        secrets.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        for (value, shown) in secrets {
            if value.chars().count() >= SHORTEST_WORD {
                text = text.replace(value.as_str(), shown);
                continue;
            }
            for quote in ['"', '\'', '`'] {
                let quoted = |inner: &str| format!("{quote}{inner}{quote}");
                text = text.replace(&quoted(value), &quoted(shown));
            }
        }
        without_user_information(&text)
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
            "tokens": "plain",
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
}
