use std::borrow::Cow;
use std::net::Ipv6Addr;

use dogpile_net::endpoint::Place;
use dogpile_plugin_api::JsonSchema;
use dogpile_plugin_api::schemars::{Schema, SchemaGenerator, json_schema};
use dogpile_plugin_api::serde::{self, Deserialize};

/// Where the servers are: one, or a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(crate = "serde", try_from = "OneOrMany")]
pub struct Addresses(pub(crate) Vec<Address>);

/// Where a server is: `"HOST:PORT"`, `"HOST:PORT:WEIGHT"`, `"unix:/PATH"`, or with its weight beside it: `["HOST:PORT",
/// WEIGHT]` or `{ server = "HOST:PORT", weight = WEIGHT }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(crate = "serde", try_from = "Written")]
pub struct Address {
    pub(crate) place: Place,
    /// At least 1.
    pub(crate) weight: u32,
}

/// The port of servers that have no other.
pub(crate) const PORT: u16 = 11211;

#[derive(Deserialize)]
#[serde(
    crate = "serde",
    untagged,
    expecting = "a server is written as \"HOST:PORT\", \"HOST:PORT:WEIGHT\", \"unix:/PATH\", [\"HOST:PORT\", WEIGHT] or \
                 { server = \"HOST:PORT\", weight = WEIGHT }, and several in a list"
)]
enum OneOrMany {
    // First: a list of one would be read as a table.
    Many(Vec<Written>),
    One(Written),
}

#[derive(Deserialize)]
#[serde(crate = "serde", untagged)]
enum Written {
    Text(String),
    Pair(String, u32),
    Table(Table),
}

#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
struct Table {
    server: String,
    #[serde(default = "one")]
    weight: u32,
}

const fn one() -> u32 {
    1
}

/// More points than that on a ring, or buckets, are a mistake.
const MOST_WEIGHT: u32 = 10_000;

impl TryFrom<OneOrMany> for Addresses {
    type Error = String;

    fn try_from(written: OneOrMany) -> Result<Self, String> {
        let written = match written {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        };
        if written.is_empty() {
            return Err(String::from("name at least one server"));
        }
        let addresses: Result<Vec<_>, _> = written.into_iter().map(Address::try_from).collect();
        let addresses = addresses?;
        for (at, address) in addresses.iter().enumerate() {
            if addresses[..at]
                .iter()
                .any(|other| other.place == address.place)
            {
                return Err(format!(
                    "{} is there twice: name it once, with a weight if it is to have more keys",
                    address.place
                ));
            }
        }
        Ok(Self(addresses))
    }
}

impl TryFrom<Written> for Address {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let (text, beside) = match written {
            Written::Text(text) => (text, None),
            Written::Pair(server, weight) | Written::Table(Table { server, weight }) => {
                (server, Some(weight))
            }
        };
        if text.contains('@') {
            return Err(String::from(
                "a server's place names nobody who logs in: that is `username` and `password`",
            ));
        }
        let (place, within) = parse(&text)?;
        if beside.is_some() && within.is_some() {
            return Err(format!(
                "\"{text}\" has a weight of its own, and another beside it"
            ));
        }
        let weight = beside.or(within).unwrap_or(1);
        if !(1..=MOST_WEIGHT).contains(&weight) {
            return Err(format!(
                "the weight of \"{text}\" is no number from 1 to {MOST_WEIGHT}"
            ));
        }
        Ok(Self { place, weight })
    }
}

/// As python-memcached, pylibmc and bmemcached write it. An address of IPv6 that has a port is in brackets.
fn parse(text: &str) -> Result<(Place, Option<u32>), String> {
    if let Some(path) = text
        .strip_prefix("unix:")
        .or_else(|| text.starts_with('/').then_some(text))
    {
        return if path.starts_with('/') {
            Ok((Place::Unix(path.into()), None))
        } else {
            Err(format!(
                "the path of the socket \"{text}\" does not begin with /"
            ))
        };
    }
    let bare = text
        .strip_prefix("inet6:")
        .or_else(|| text.strip_prefix("inet:"))
        .unwrap_or(text);
    let (host, rest) = match bare.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (
            host,
            rest.strip_prefix(':').or(rest.is_empty().then_some("")),
        ),
        None if is_ipv6(bare) => (bare, Some("")),
        None => match bare.split_once(':') {
            Some((host, rest)) => (host, Some(rest)),
            None => (bare, Some("")),
        },
    };
    let wrong = || {
        format!(
            "\"{text}\" is no server: write \"HOST:PORT\", \"HOST:PORT:WEIGHT\", \"[IPV6]:PORT\" or \"unix:/PATH\", and \
             several in a list"
        )
    };
    let rest = rest.ok_or_else(wrong)?;
    let mut numbers = rest.split(':').filter(|_| !rest.is_empty());
    let (port, weight, more) = (numbers.next(), numbers.next(), numbers.next());
    let is_host = !host.is_empty() && !host.contains(|c: char| "/,@".contains(c) || c <= ' ');
    if !is_host || more.is_some() {
        return Err(wrong());
    }
    let port = match port {
        None => PORT,
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(wrong)?,
    };
    let weight = weight
        .map(|weight| weight.parse().map_err(|_| wrong()))
        .transpose()?;
    Ok((Place::Tcp(host.to_owned(), port), weight))
}

/// Whether it is an address of IPv6, perhaps with the interface that it is on.
fn is_ipv6(text: &str) -> bool {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse::<Ipv6Addr>().is_ok()
}

impl JsonSchema for Addresses {
    fn schema_name() -> Cow<'static, str> {
        "Servers".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let server = [
            json_schema!({ "type": "string" }),
            json_schema!({
                "type": "array",
                "prefixItems": [{ "type": "string" }, { "type": "integer", "minimum": 1 }],
                "minItems": 2,
                "maxItems": 2,
            }),
            json_schema!({
                "type": "object",
                "properties": { "server": { "type": "string" }, "weight": { "type": "integer", "minimum": 1 } },
                "required": ["server"],
                "additionalProperties": false,
            }),
        ];
        let [text, _, table] = &server;
        json_schema!({
            "anyOf": [text, table, { "type": "array", "items": { "anyOf": server }, "minItems": 1 }]
        })
    }
}

#[cfg(test)]
mod tests {
    use dogpile_plugin_api::serde::de::IntoDeserializer;
    use dogpile_plugin_api::serde::de::value::Error as DeError;
    use serde_json::json;

    use super::*;

    fn tcp(host: &str, port: u16, weight: u32) -> Address {
        let place = Place::Tcp(host.to_owned(), port);
        Address { place, weight }
    }

    fn read(text: &str) -> Result<Addresses, DeError> {
        Addresses::deserialize(IntoDeserializer::<DeError>::into_deserializer(text))
    }

    #[test]
    fn servers_are_written_as_pythons_clients_write_them() {
        for (text, address) in [
            ("10.0.0.1", tcp("10.0.0.1", 11211, 1)),
            ("cache:11212", tcp("cache", 11212, 1)),
            ("cache:11212:3", tcp("cache", 11212, 3)),
            ("inet:cache:1", tcp("cache", 1, 1)),
            ("inet6:[::1]:1", tcp("::1", 1, 1)),
            ("[::1]", tcp("::1", 11211, 1)),
            ("::1", tcp("::1", 11211, 1)),
            ("fe80::1", tcp("fe80::1", 11211, 1)),
            ("fe80::1:2", tcp("fe80::1:2", 11211, 1)),
            ("fe80::1%eth0", tcp("fe80::1%eth0", 11211, 1)),
            ("[fe80::1]:2:3", tcp("fe80::1", 2, 3)),
        ] {
            assert_eq!(read(text).unwrap().0, [address], "{text}");
        }
        for text in ["unix:/run/cache.sock", "/run/cache.sock"] {
            let place = Place::Unix("/run/cache.sock".into());
            assert_eq!(read(text).unwrap().0, [Address { place, weight: 1 }]);
        }
    }

    #[test]
    fn several_servers_have_weights_within_or_beside() {
        let written =
            json!([["a:1", 2], { "server": "b:1", "weight": 3 }, "c:1:4", { "server": "d" }]);
        let Addresses(read) = serde_json::from_value(written).unwrap();
        let expected = [
            tcp("a", 1, 2),
            tcp("b", 1, 3),
            tcp("c", 1, 4),
            tcp("d", 11211, 1),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_no_server_is_refused_with_what_would_be_one() {
        for wrong in [
            "",
            ":1",
            "a:port",
            "a:0",
            "a:1:x",
            "a:1:0",
            "a:1,b:1",
            "unix:cache",
            "[::1]x",
            "::1:11211",
            "cache::3",
            "a:1:",
            "a:1:2:3",
            "a\t:1",
        ] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains(wrong), "{wrong}: {error}");
        }
        let Addresses(one) = serde_json::from_value(json!(["a:1:2"])).unwrap();
        assert_eq!(one, [tcp("a", 1, 2)]);
        for wrong in [
            json!([]),
            json!(["a", "a:11211"]),
            json!([["a:1:2", 3]]),
            json!(1),
            json!([["a", 0]]),
        ] {
            assert!(
                serde_json::from_value::<Addresses>(wrong.clone()).is_err(),
                "{wrong}"
            );
        }
    }
}
