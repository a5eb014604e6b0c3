//! From the manifest's arguments to the plugin's type.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Error, ErrorKind, Result};

/// For plugins without arguments: an empty table.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoArguments {}

/// Reads `json` as `T`. Keys that `T` does not know are refused, whether or not it says `deny_unknown_fields`.
pub(crate) fn parse<T: DeserializeOwned>(json: &str) -> Result<T> {
    // serde would fill a struct from an array too.
    if !json.trim_start().starts_with('{') {
        let message = "arguments must be a table";
        return Err(Error::new(ErrorKind::Arguments, message));
    }
    let mut unknown = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    let read = serde_ignored::deserialize(tracked, |path| unknown.push(path.to_string()));
    match read {
        Ok(arguments) => match unknown.into_iter().next() {
            None => Ok(arguments),
            Some(key) => Err(Error::argument(key, "no such argument")),
        },
        Err(error) => {
            let place = track.path().to_string();
            // serde_json adds a position in its own text, which is not the manifest.
            let message = error.to_string();
            let message = message
                .split(" at line ")
                .next()
                .unwrap_or(&message)
                .to_owned();
            if place == "." {
                Err(Error::new(ErrorKind::Arguments, message))
            } else {
                Err(Error::argument(place, message))
            }
        }
    }
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
