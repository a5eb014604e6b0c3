//! How paths are told, which may be of any bytes.
//!
//! In JSON, which is UTF-8, the bytes of a path that are not are shown as `U+FFFD`: by
//! `#[serde(serialize_with = "dogpile::paths::in_json")]`, without which serde refuses the whole value.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serializer;

/// A path as JSON has it.
///
/// # Errors
///
/// Those of the serializer.
pub fn in_json<S: Serializer>(path: impl AsRef<Path>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.as_ref().display())
}

/// The same, of a path that there may be.
///
/// # Errors
///
/// Those of the serializer.
pub fn in_json_if_any<S: Serializer>(
    path: &Option<PathBuf>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => in_json(path, serializer),
        None => serializer.serialize_none(),
    }
}

/// A path in a line of text: with its control characters escaped, so that the line stays one.
pub fn in_a_line(path: &Path) -> impl fmt::Display + '_ {
    InALine(path)
}

struct InALine<'p>(&'p Path);

impl fmt::Display for InALine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for c in self.0.to_string_lossy().chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_debug())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use serde::Serialize;

    use super::*;

    #[derive(Serialize)]
    struct Told<'t> {
        #[serde(serialize_with = "in_json")]
        own: PathBuf,
        #[serde(serialize_with = "in_json")]
        lent: &'t Path,
        #[serde(serialize_with = "in_json_if_any")]
        some: Option<PathBuf>,
        #[serde(serialize_with = "in_json_if_any")]
        none: Option<PathBuf>,
    }

    #[test]
    fn a_path_of_any_bytes_is_told() {
        let path = Path::new(OsStr::from_bytes(b"/caf\xe9/\xc3\xa9\n"));
        let told = Told {
            own: path.to_owned(),
            lent: path,
            some: Some(path.to_owned()),
            none: None,
        };
        let shown = "/caf\u{fffd}/é\n";
        let expected =
            serde_json::json!({ "own": shown, "lent": shown, "some": shown, "none": null });
        assert_eq!(serde_json::to_value(told).unwrap(), expected);
        assert_eq!(in_a_line(path).to_string(), "/caf\u{fffd}/é\\n");
    }
}
