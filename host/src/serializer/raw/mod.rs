//! Strings and bytes as they are.

mod error;
mod read;
mod write;

use std::any::Any;

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::error::RawError;
use self::read::Payload;
use self::write::Writer;

pub(super) fn encode<T: Serialize + 'static>(
    value: &T,
    payload: &mut Vec<u8>,
) -> Result<(), RawError> {
    // serde would hand over one byte after the other.
    if let Some(bytes) = (value as &dyn Any).downcast_ref::<Vec<u8>>() {
        payload.extend_from_slice(bytes);
        return Ok(());
    }
    value.serialize(Writer::new(payload))
}

pub(super) fn decode<T: DeserializeOwned + 'static>(payload: &[u8]) -> Result<T, RawError> {
    let mut decoded = None::<T>;
    if let Some(bytes) = (&mut decoded as &mut dyn Any).downcast_mut::<Option<Vec<u8>>>() {
        *bytes = Some(payload.to_vec());
    }
    match decoded {
        Some(bytes) => Ok(bytes),
        None => T::deserialize(Payload(payload)),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeMap;
    use std::fmt::Debug;

    use serde::{Deserialize, Serialize};

    use super::*;

    fn encoded<T: Serialize + 'static>(value: &T) -> Result<Vec<u8>, String> {
        let mut payload = b"before".to_vec();
        encode(value, &mut payload).map_err(|error| error.to_string())?;
        Ok(payload.strip_prefix(b"before").unwrap().to_vec())
    }

    #[track_caller]
    fn is_its_bytes<T: Serialize + DeserializeOwned + PartialEq + Debug + 'static>(
        value: &T,
        bytes: &[u8],
    ) {
        assert_eq!(encoded(value).unwrap(), bytes);
        assert_eq!(decode::<T>(bytes).unwrap(), *value);
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Html(String);

    /// As `serde_bytes` does it.
    #[derive(Debug, PartialEq)]
    struct Blob(Vec<u8>);

    impl Serialize for Blob {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(&self.0)
        }
    }

    impl<'de> Deserialize<'de> for Blob {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl serde::de::Visitor<'_> for Visitor {
                type Value = Blob;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("bytes")
                }
                fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                    Ok(Blob(bytes.to_vec()))
                }
            }
            deserializer.deserialize_byte_buf(Visitor)
        }
    }

    #[test]
    fn strings_and_bytes_are_their_own_payload() {
        let every: Vec<u8> = (0..=255).collect();
        is_its_bytes(&String::from("é|\"\n"), "é|\"\n".as_bytes());
        is_its_bytes(&String::new(), b"");
        is_its_bytes(&Box::<str>::from("a"), b"a");
        is_its_bytes(&Cow::Borrowed("a"), b"a");
        is_its_bytes(&Html("<p>".into()), b"<p>");
        is_its_bytes(&every, &every);
        is_its_bytes(&Vec::<u8>::new(), b"");
        is_its_bytes(&Blob(every.clone()), &every);
        is_its_bytes(&[0_u8, 255], b"\x00\xff");
        is_its_bytes(&serde_json::Value::from("text"), b"text");
        assert_eq!(encoded(&"text").unwrap(), b"text");
    }

    #[test]
    fn whatever_is_there_is_read_as_bytes_and_only_text_as_text() {
        assert_eq!(decode::<Vec<u8>>(b"\x80\x05.").unwrap(), b"\x80\x05.");
        let error = decode::<String>(b"\x80\x05.").unwrap_err().to_string();
        assert!(error.contains("utf-8"), "{error}");
        for length in [0, 1, 3] {
            assert!(decode::<[u8; 2]>(&[1; 3][..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn other_types_are_refused_and_never_read() {
        #[derive(Serialize, Deserialize)]
        struct Struct {
            a: u8,
        }
        #[derive(Serialize, Deserialize)]
        enum Enum {
            Unit,
            New(String),
        }
        #[derive(Serialize, Deserialize)]
        struct Unit;
        #[track_caller]
        fn refused<T: Serialize + DeserializeOwned + 'static>(value: &T) {
            let error = encoded(value).unwrap_err();
            assert!(
                error.contains("strings and bytes") && error.contains("\"json\""),
                "{error}"
            );
            for payload in [&b""[..], b"1", b"true", b"null", b"Unit", b"\xff"] {
                assert!(decode::<T>(payload).is_err(), "{payload:?}");
            }
        }
        refused(&1_u8);
        refused(&-1_i64);
        refused(&1_u128);
        refused(&1_i128);
        refused(&1.5);
        refused(&true);
        refused(&'a');
        refused(&());
        refused(&Unit);
        refused(&Some(String::from("a")));
        refused(&None::<String>);
        refused(&Struct { a: 1 });
        refused(&Enum::Unit);
        refused(&Enum::New("a".into()));
        refused(&BTreeMap::from([(1, 2)]));
        refused(&(String::from("a"), 1_u8));
    }

    #[test]
    fn arrays_hold_bytes_and_nothing_else() {
        for error in [
            encoded(&[1_u32]).unwrap_err(),
            encoded(&["a"]).unwrap_err(),
            encoded(&[vec![1_u8]]).unwrap_err(),
            encoded(&[Some(1_u8)]).unwrap_err(),
        ] {
            assert!(error.contains("strings and bytes"), "{error}");
        }
        assert!(decode::<Vec<u32>>(b"ab").is_err());
        assert!(decode::<Vec<String>>(b"ab").is_err());
        assert!(decode::<Vec<serde_json::Value>>(b"ab").is_err());
    }
}
