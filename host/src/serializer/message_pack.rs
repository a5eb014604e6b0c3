//! MessagePack, with structs as maps.

use std::fmt;

use rmp_serde::{decode, encode};
use serde::de::{
    DeserializeOwned, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde::{Deserialize, Serialize};

/// As deep as JSON may be: payloads are not trusted to leave the stack whole.
const DEPTH: usize = 128;

pub(super) fn encode<T: Serialize>(value: &T, payload: &mut Vec<u8>) -> Result<(), encode::Error> {
    rmp_serde::encode::write_named(payload, value)
}

pub(super) fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, decode::Error> {
    let mut rest = payload;
    let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
    deserializer.set_max_depth(DEPTH);
    let value = T::deserialize(&mut deserializer)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        let message = format!("{} bytes follow the value", rest.len());
        Err(decode::Error::custom(message))
    }
}

/// Whether a payload is one value as a whole, which some type reads.
pub(super) fn check(payload: &[u8]) -> Result<(), decode::Error> {
    decode::<Whole>(payload).map(|Whole| ())
}

/// Any value, looked at all through: `IgnoredAny` takes texts that are not UTF-8, which a `String` does not.
struct Whole;

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Bytes come as a sequence of numbers then, and what comes as bytes is a text that is not UTF-8: no visit of
        // bytes is taken.
        deserializer.deserialize_seq(Whole)
    }
}

impl<'de> Visitor<'de> for Whole {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value whose texts are UTF-8")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self, A::Error> {
        while let Some(Self) = sequence.next_element()? {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while let Some((Self, Self)) = map.next_entry()? {}
        Ok(self)
    }

    /// A value of an extension type: a number and bytes, with no texts in it.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(inner).map(|IgnoredAny| self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct User {
        id: u32,
        name: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        roles: Vec<Role>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Role {
        Admin,
        Guest { until: f64 },
    }

    fn encoded<T: Serialize>(value: &T) -> Vec<u8> {
        let mut payload = Vec::new();
        encode(value, &mut payload).unwrap();
        payload
    }

    /// `msgpack.packb({"id": 7, "name": "Zoë", "roles": ["Admin", {"Guest": {"until": 1.5}}]})` of msgpack 1.2 for
    /// Python, which reads the same.
    const PYTHON: &[u8] =
        b"\x83\xa2id\x07\xa4name\xa4Zo\xc3\xab\xa5roles\x92\xa5Admin\x81\xa5Guest\x81\xa5until\xcb\
                            \x3f\xf8\x00\x00\x00\x00\x00\x00";

    #[test]
    fn a_struct_is_what_python_writes_of_a_dict() {
        let user = User {
            id: 7,
            name: "Zoë".to_owned(),
            roles: vec![Role::Admin, Role::Guest { until: 1.5 }],
        };
        assert_eq!(encoded(&user), PYTHON);
        assert_eq!(decode::<User>(PYTHON).unwrap(), user);
    }

    #[test]
    fn fields_may_come_and_go() {
        #[derive(Serialize)]
        struct Later {
            email: &'static str,
            name: &'static str,
            id: u32,
        }
        let later = Later {
            email: "a@b.c",
            name: "Ada",
            id: 1,
        };
        let user: User = decode(&encoded(&later)).unwrap();
        assert_eq!((user.id, &*user.name, user.roles.len()), (1, "Ada", 0));
    }

    #[test]
    fn keys_of_maps_may_be_anything() {
        let map = BTreeMap::from([((1, 2), "a"), ((3, 4), "b")]);
        let copy: BTreeMap<(i32, i32), String> = decode(&encoded(&map)).unwrap();
        assert_eq!(copy[&(3, 4)], "b");
    }

    #[test]
    fn what_follows_a_value_or_is_missing_from_it_is_an_error() {
        for length in 0..PYTHON.len() {
            assert!(decode::<User>(&PYTHON[..length]).is_err(), "{length}");
        }
        let longer = [PYTHON, b"\x00"].concat();
        let error = decode::<User>(&longer).unwrap_err().to_string();
        assert_eq!(error, "1 bytes follow the value");
    }

    #[test]
    fn what_is_checked_is_what_is_read() {
        for right in [
            PYTHON,
            b"\xc0",
            b"\xc3",
            b"\xff",
            b"\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00",
            b"\xa3\xe2\x82\xac",
            // Bytes, and a time stamp, which is an extension type.
            b"\xc4\x02\xff\xfe",
            b"\xd6\xff\x00\x00\x00\x01",
            b"\x92\xd6\xff\x00\x00\x00\x01\x07",
        ] {
            check(right).unwrap_or_else(|error| panic!("{right:?}: {error}"));
            assert!(check(&right[..right.len() - 1]).is_err(), "{right:?}");
            assert!(check(&[right, b"\x00"].concat()).is_err(), "{right:?}");
        }
        // A text of two bytes that are not UTF-8: alone, in a list, as a key and as a value.
        for wrong in [
            &b"\xa2\xff\xfe"[..],
            b"\x91\xa2\xff\xfe",
            b"\x81\xa2\xff\xfe\x01",
            b"\x81\xa1a\xd9\x02\xff\xfe",
            b"\xc1",
        ] {
            assert!(check(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn depth_and_lengths_that_lie_do_no_harm() {
        assert!(check(&b"\x91".repeat(1 << 20)).is_err());
        assert!(decode::<IgnoredAny>(&b"\x91".repeat(1 << 20)).is_err());
        for lie in [
            &b"\xdd\xff\xff\xff\xff\x01"[..],
            b"\xdf\xff\xff\xff\xff\x01",
            b"\xdb\xff\xff\xff\xffabc",
            b"\xc6\xff\xff\xff\xffabc",
        ] {
            assert!(decode::<IgnoredAny>(lie).is_err());
            assert!(decode::<Vec<u64>>(lie).is_err());
            assert!(decode::<String>(lie).is_err());
        }
    }
}
