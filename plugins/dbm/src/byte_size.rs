use std::borrow::Cow;

use dogpile_plugin_api::schemars::{Schema, SchemaGenerator, json_schema};
use dogpile_plugin_api::serde::{self, Deserialize};
use dogpile_plugin_api::{JsonSchema, Scalar};

/// A number of bytes from 1 MiB on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(crate = "serde", try_from = "Scalar")]
pub struct ByteSize(u64);

const LEAST: u64 = 1 << 20;

impl ByteSize {
    pub(crate) const fn mebibytes(number: u64) -> Self {
        Self(number << 20)
    }

    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl TryFrom<Scalar> for ByteSize {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        let bytes = scalar.bytes().filter(|bytes| *bytes >= LEAST);
        bytes.map(Self)
        .ok_or_else(|| {
            format!(
                "{scalar} is no size of 1 MiB or more: write bytes, or a string such as \"64MiB\" (B, KiB, MiB, GiB \
                 or TiB)"
            )
        })
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "integer", "minimum": LEAST },
            { "type": "string", "pattern": "^[0-9]+ *([KMGT]i)?B$" },
        ] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units_and_are_no_less_than_a_mebibyte() {
        let bytes = |text: &str| {
            ByteSize::try_from(Scalar::Text(text.into()))
                .ok()
                .map(ByteSize::bytes)
        };
        assert_eq!(bytes("64MiB"), Some(64 << 20));
        assert_eq!(bytes("1024 KiB"), Some(1 << 20));
        assert_eq!(bytes("1TiB"), Some(1 << 40));
        for wrong in [
            "",
            "7",
            "MiB",
            "2MB",
            "0B",
            "1023KiB",
            "1.5GiB",
            "99999999TiB",
        ] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
        assert!(ByteSize::try_from(Scalar::Whole(1 << 20)).is_ok());
        assert!(ByteSize::try_from(Scalar::Whole(100)).is_err());
    }
}
