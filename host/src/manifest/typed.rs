use std::time::Duration;

use toml::de::DeValue;

use super::duration::{self, BadDuration};
use super::read::{Item, Reader};
use super::suggest::{list, nearest};

/// Whether it is a string that something may be put into.
fn is_interpolation(item: &Item<'_>) -> bool {
    matches!(item.value.get_ref(), DeValue::String(text) if text.contains("${"))
}

impl Reader<'_, '_> {
    pub(super) fn boolean(&mut self, item: &Item<'_>) -> Option<bool> {
        let remedy = "write true or false, without quotes";
        if let DeValue::Boolean(value) = item.value.get_ref() {
            return Some(*value);
        }
        if is_interpolation(item) {
            let parse = |text: &str| text.parse().ok();
            return self.interpolated(item, "boolean", remedy, parse);
        }
        self.wrong_type(item, "a boolean", remedy);
        None
    }

    pub(super) fn natural(&mut self, item: &Item<'_>) -> Option<u32> {
        let remedy = format!("write a whole number from 0 to {}", u32::MAX);
        if is_interpolation(item) {
            let parse = |text: &str| text.parse().ok();
            return self.interpolated(item, "whole number", &remedy, parse);
        }
        let DeValue::Integer(integer) = item.value.get_ref() else {
            self.wrong_type(item, "an integer", &remedy);
            return None;
        };
        let value = u32::from_str_radix(integer.as_str(), integer.radix()).ok();
        if value.is_none() {
            self.error(
                item.span(),
                format!("`{}` is out of range", item.key),
                remedy,
            );
        }
        value
    }

    /// A number from 0 to 1.
    pub(super) fn share(&mut self, item: &Item<'_>, remedy: &str) -> Option<f64> {
        let is_share = |share: &f64| (0.0..=1.0).contains(share);
        if is_interpolation(item) {
            let parse = |text: &str| text.parse().ok().filter(is_share);
            return self.interpolated(item, "number from 0 to 1", remedy, parse);
        }
        let value = match item.value.get_ref() {
            DeValue::Integer(integer) => integer.as_str().parse().ok(),
            DeValue::Float(float) => float.as_str().parse().ok(),
            _ => {
                self.wrong_type(item, "a number", remedy);
                return None;
            }
        };
        let share = value.filter(is_share);
        if share.is_none() {
            self.error(
                item.span(),
                format!("`{}` is no number from 0 to 1", item.key),
                remedy,
            );
        }
        share
    }

    /// What an interpolation stands for.
    fn interpolated<T>(
        &mut self,
        item: &Item<'_>,
        wanted: &str,
        remedy: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(item, remedy)?;
        let value = parse(text.value.trim());
        if value.is_none() {
            self.error(
                item.span(),
                format!("`{}`: \"{}\" stands for no {wanted}", item.key, text.shown),
                remedy,
            );
        }
        value
    }

    /// A duration; `None` if it is `"never"`, or wrong.
    pub(super) fn limit(&mut self, item: &Item<'_>) -> Option<Duration> {
        let parsed = match item.value.get_ref() {
            DeValue::Integer(integer) => {
                match i64::from_str_radix(integer.as_str(), integer.radix()) {
                    Ok(seconds) => duration::from_whole_seconds(seconds),
                    Err(_) => duration::from_seconds(f64::MAX),
                }
            }
            DeValue::Float(float) => {
                duration::from_seconds(float.as_str().parse().unwrap_or(f64::NAN))
            }
            DeValue::String(_) => {
                let text = self.text(item, duration::FORMS)?;
                if text.value == "never" {
                    return None;
                }
                // What stands for a number is one: there are no quotes to leave out.
                let seconds = text.value.trim().parse();
                let parsed = match seconds {
                    Ok(seconds) if text.interpolated => duration::from_seconds(seconds),
                    _ => duration::parse(&text.value),
                };
                parsed.map_err(|bad| {
                    if text.interpolated {
                        return BadDuration {
                            message: format!("\"{}\" stands for no duration", text.shown),
                            remedy: duration::FORMS.into(),
                        };
                    }
                    match duration::switch_meant(&item.key, &text.value) {
                        Some(word) => BadDuration {
                            remedy: format!("did you mean \"{word}\"? Or {}", duration::FORMS),
                            ..bad
                        },
                        None => bad,
                    }
                })
            }
            _ => {
                self.wrong_type(item, "a duration", duration::FORMS);
                return None;
            }
        };
        match parsed {
            Ok(duration) => Some(duration),
            Err(bad) => {
                self.error(
                    item.span(),
                    format!("`{}`: {}", item.key, bad.message),
                    bad.remedy,
                );
                None
            }
        }
    }

    /// A duration longer than none at all.
    pub(super) fn interval(&mut self, item: &Item<'_>) -> Option<Duration> {
        let findings = self.findings.len();
        let limit = self.limit(item).filter(|limit| !limit.is_zero());
        if limit.is_none() && self.findings.len() == findings {
            self.error(
                item.span(),
                format!("`{}` can be neither 0 nor \"never\"", item.key),
                duration::FORMS,
            );
        }
        limit
    }

    /// Whether it is, or stands for, that word. Tells nothing of what it cannot read.
    pub(super) fn is_word(&mut self, item: &Item<'_>, word: &str) -> bool {
        match item.value.get_ref() {
            DeValue::String(text) => self.interpolator.expand(text).value == word,
            _ => false,
        }
    }

    /// One of some words; those of the format that this version does not know are refused.
    pub(super) fn word<'w>(
        &mut self,
        item: &Item<'_>,
        words: &[&'w str],
        not_yet: &[&str],
    ) -> Option<&'w str> {
        let choices = list(words);
        let text = self.text(item, &format!("write {choices}"))?;
        if let Some(word) = words.iter().find(|word| **word == text.value) {
            return Some(word);
        }
        if not_yet.contains(&text.value.as_str()) {
            self.error(
                item.span(),
                format!(
                    "`{} = \"{}\"` is not supported yet in this version",
                    item.key, text.shown
                ),
                format!("write {choices}, or remove `{}`", item.key),
            );
            return None;
        }
        let remedy = match nearest(&text.value, words) {
            Some(word) if words.len() == 1 => format!("did you mean \"{word}\"?"),
            Some(word) => format!("did you mean \"{word}\"? It can be {choices}"),
            None => format!("it can be {choices}"),
        };
        self.error(
            item.span(),
            format!("`{}` cannot be \"{}\"", item.key, text.shown),
            remedy,
        );
        None
    }
}
