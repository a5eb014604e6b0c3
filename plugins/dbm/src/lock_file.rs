use std::borrow::Cow;
use std::path::{Path, PathBuf};

use dogpile_plugin_api::JsonSchema;
use dogpile_plugin_api::schemars::{Schema, SchemaGenerator, json_schema};
use dogpile_plugin_api::serde::de::{Deserialize, Deserializer, Error, Visitor};

/// Whether there is a lock file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockFile {
    /// None.
    Off,
    /// Beside the data file, under the usual name.
    On,
    /// There.
    At(PathBuf),
}

impl LockFile {
    pub(crate) const fn on() -> Self {
        Self::On
    }

    pub(crate) const fn off() -> Self {
        Self::Off
    }

    /// Where it is, for that data file; the usual name ends with `ending`.
    pub(crate) fn path(&self, data: &Path, ending: &str) -> Option<PathBuf> {
        match self {
            Self::Off => None,
            Self::On => Some(beside(data, ending)),
            Self::At(path) => Some(path.clone()),
        }
    }
}

/// The path of a file that belongs to the data file.
pub(crate) fn beside(data: &Path, ending: &str) -> PathBuf {
    let mut path = data.as_os_str().to_owned();
    path.push(".");
    path.push(ending);
    path.into()
}

impl<'de> Deserialize<'de> for LockFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = LockFile;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a path, true or false")
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<LockFile, E> {
        Ok(if on { LockFile::On } else { LockFile::Off })
    }

    fn visit_str<E: Error>(self, path: &str) -> Result<LockFile, E> {
        if path.is_empty() {
            return Err(E::custom("an empty path: write a path, true or false"));
        }
        Ok(LockFile::At(path.into()))
    }
}

impl JsonSchema for LockFile {
    fn schema_name() -> Cow<'static, str> {
        "LockFile".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "boolean" }, { "type": "string", "minLength": 1 }] })
    }
}
