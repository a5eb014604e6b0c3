//! From the manifest's arguments to the plugin's type.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Error, ErrorKind, Result};

/// For plugins without arguments: an empty table.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoArguments {}

/// So many wrong arguments are told at most.
const MOST: usize = 50;

/// Reads `json` as `T`. Keys that `T` does not know are refused, whether or not it says `deny_unknown_fields`. The error
/// tells of all arguments that are wrong, as far as one can be seen behind another.
pub(crate) fn parse<T: DeserializeOwned>(json: &str) -> Result<T> {
    let value = serde_json::from_str(json);
    // serde would fill a struct from an array too.
    let Ok(mut value @ Value::Object(_)) = value else {
        let message = "arguments must be a table";
        return Err(Error::new(ErrorKind::Arguments, message));
    };
    let mut errors = Vec::new();
    let mut taken_out: Vec<String> = Vec::new();
    loop {
        let mut unknown = Vec::new();
        match read::<T>(&value, &mut unknown) {
            Ok(arguments) if errors.is_empty() && unknown.is_empty() => return Ok(arguments),
            Ok(_) => {}
            Err(error) => {
                let place = error.place().map(str::to_owned);
                let removed = place.is_some_and(|place| {
                    let removed = take_out(&mut value, &place);
                    taken_out.extend(removed.clone());
                    removed.is_some()
                });
                // What was taken out because it is wrong is not missing.
                let after_effect = taken_out
                    .iter()
                    .any(|key| error.message() == format!("missing field `{key}`"));
                if !after_effect {
                    errors.push(error);
                }
                if removed && errors.len() < MOST {
                    continue;
                }
            }
        }
        errors.extend(unknown.into_iter().map(Error::unknown_argument));
        let none = || Error::new(ErrorKind::Arguments, "the arguments cannot be read");
        return Err(Error::of_arguments(errors).unwrap_or_else(none));
    }
}

/// One reading, which ends at the first wrong argument; `unknown` are the keys that `T` ignored until then.
fn read<T: DeserializeOwned>(value: &Value, unknown: &mut Vec<String>) -> Result<T> {
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(value, &mut track);
    let read = serde_ignored::deserialize(tracked, |path| unknown.push(path.to_string()));
    read.map_err(|error| {
        let (place, message) = (track.path().to_string(), error.to_string());
        let place = if place == "." { None } else { Some(place) };
        if let Some(key) = unknown_field(&message) {
            let place = match place {
                Some(place) if last_key(&place) == key => place,
                Some(place) => format!("{place}.{key}"),
                None => key.to_owned(),
            };
            return Error::unknown_argument(place).map_messages(|_| message.clone());
        }
        match place {
            Some(place) => Error::argument(place, message),
            None => Error::new(ErrorKind::Arguments, message),
        }
    })
}

/// The key that serde's error is about, if it is that of `deny_unknown_fields`.
fn unknown_field(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("unknown field `")?;
    Some(rest.split('`').next().unwrap_or(rest))
}

fn last_key(place: &str) -> &str {
    place.rsplit('.').next().unwrap_or(place)
}

/// Takes the value at `place` away, with all of an array that it is in, and gives the key that it had.
fn take_out(value: &mut Value, place: &str) -> Option<String> {
    let place = place.split('[').next()?;
    // What is optional may have a step of its own.
    let mut keys: Vec<&str> = place.split('.').filter(|key| *key != "?").collect();
    let last = keys.pop()?;
    let mut table = value;
    for key in keys {
        table = table.get_mut(key)?;
    }
    table.as_object_mut()?.remove(last).map(|_| last.to_owned())
}

/// The JSON Schema of `T`, as text.
pub(crate) fn schema<T: JsonSchema>() -> String {
    schemars::schema_for!(T).to_value().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    struct Sample {
        #[expect(dead_code, reason = "only its name matters")]
        size: u32,
        #[serde(default)]
        #[expect(dead_code, reason = "only its name matters")]
        inner: Option<Inner>,
    }

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    struct Inner {
        #[expect(dead_code, reason = "only its name matters")]
        name: String,
    }

    #[test]
    fn an_unknown_key_is_refused_and_named() {
        let error =
            parse::<Sample>(r#"{"size": 1, "inner": {"name": "a", "nam": 1}}"#).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Arguments);
        assert!(error.place().unwrap().contains("inner"), "{error}");
        assert!(error.place().unwrap().ends_with("nam"), "{error}");
    }

    #[test]
    fn a_wrong_type_names_its_place_and_no_position() {
        let error = parse::<Sample>(r#"{"size": "big"}"#).unwrap_err();
        assert_eq!(error.place(), Some("size"));
        assert!(!error.message().contains("line"), "{error}");
    }

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        #[expect(dead_code, reason = "only its name matters")]
        size: u32,
        #[serde(default)]
        #[expect(dead_code, reason = "only its name matters")]
        names: Vec<String>,
        #[serde(default)]
        #[expect(dead_code, reason = "only its name matters")]
        inner: Option<StrictInner>,
    }

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct StrictInner {
        #[expect(dead_code, reason = "only its name matters")]
        port: u16,
    }

    fn told<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> Vec<(String, bool)> {
        let error = parse::<T>(json).unwrap_err();
        let mut told: Vec<_> = error
            .all()
            .map(|one| {
                assert_eq!(one.kind(), ErrorKind::Arguments);
                let place = one.place().unwrap_or("none").replace(".?", "");
                (place, one.is_unknown_argument())
            })
            .collect();
        told.sort();
        told
    }

    #[test]
    fn all_wrong_arguments_are_told() {
        let all = r#"{"size": "big", "names": ["a", 1], "naem": 1, "inner": {"port": -1, "prt": 1}, "z": 0}"#;
        let expected = [
            ("inner.port", false),
            ("inner.prt", true),
            ("naem", true),
            ("names[1]", false),
            ("size", false),
            ("z", true),
        ];
        let expected = expected.map(|(place, unknown)| (place.to_owned(), unknown));
        assert_eq!(told::<Strict>(all), expected);
        // What is missing hides no key that is too many.
        assert_eq!(
            told::<Sample>(r#"{"inner": {"name": "a"}, "naem": 1}"#),
            [("naem".to_owned(), true), ("none".to_owned(), false)]
        );
    }

    #[test]
    fn all_errors_cross_the_boundary() {
        let error = parse::<Sample>(r#"{"size": "big", "inner": 5, "z": 0}"#).unwrap_err();
        let text = error.to_string();
        let there = Error::from_value(&error.into_value());
        assert_eq!(there.to_string(), text);
        assert_eq!(there.all().count(), 3);
        assert_eq!(there.all().filter(Error::is_unknown_argument).count(), 1);
        let masked = there.map_messages(|_| "masked".to_owned());
        assert!(masked.all().all(|one| one.message() == "masked"));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for wrong in ["[1]", "1", "null", ""] {
            assert_eq!(
                parse::<Sample>(wrong).unwrap_err().kind(),
                ErrorKind::Arguments
            );
        }
    }

    #[test]
    fn a_missing_key_is_named() {
        assert!(
            parse::<Sample>("{}")
                .unwrap_err()
                .to_string()
                .contains("size")
        );
    }
}
