//! MessagePack, with structs as maps.

use rmp_serde::{decode, encode};
use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

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
    fn depth_and_lengths_that_lie_do_no_harm() {
        use serde::de::IgnoredAny;
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
