use std::borrow::Cow;

use dogpile_net::endpoint::Place;
use dogpile_plugin_api::JsonSchema;
use dogpile_plugin_api::schemars::{Schema, SchemaGenerator, json_schema};
use dogpile_plugin_api::serde::{self, Deserialize};

/// Where a sentinel or a node of a cluster is: `"HOST:PORT"`, `["HOST", PORT]` or `{ host = "HOST", port = PORT }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(crate = "serde", try_from = "Written")]
pub struct Node {
    pub(crate) host: String,
    port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(
    crate = "serde",
    untagged,
    expecting = "a place is written as \"HOST:PORT\", [\"HOST\", PORT] or { host = \"HOST\", port = PORT }"
)]
enum Written {
    Text(String),
    Pair(String, Option<u16>),
    Table(Table),
}

#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
struct Table {
    host: String,
    #[serde(default)]
    port: Option<u16>,
}

impl Node {
    /// Its place; with that port if none is written.
    pub(crate) fn place(&self, port: u16) -> Place {
        Place::Tcp(self.host.clone(), self.port.unwrap_or(port))
    }
}

impl TryFrom<Written> for Node {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let node = match written {
            Written::Text(text) => parse(&text)?,
            Written::Pair(host, port) | Written::Table(Table { host, port }) => Self { host, port },
        };
        if node.host.contains('@') {
            return Err(String::from(
                "a place names nobody who logs in: that is `username` and `password`",
            ));
        }
        if node.host.is_empty() || node.port == Some(0) {
            return Err(String::from(
                "a place has a host, and a port from 1 to 65535",
            ));
        }
        Ok(node)
    }
}

/// An address of IPv6 that has a port is in brackets.
fn parse(text: &str) -> Result<Node, String> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or(port))),
        None if text.matches(':').count() > 1 => (text, None),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        Some(port) => match port.parse() {
            Ok(port) => Some(port),
            Err(_) => {
                return Err(format!(
                    "the port of \"{text}\" is no number from 1 to 65535"
                ));
            }
        },
        None => None,
    };
    Ok(Node {
        host: host.to_owned(),
        port,
    })
}

impl JsonSchema for Node {
    fn schema_name() -> Cow<'static, str> {
        "Node".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "string" },
            {
                "type": "array",
                "prefixItems": [{ "type": "string" }, { "type": "integer" }],
                "minItems": 2,
                "maxItems": 2,
            },
            {
                "type": "object",
                "properties": { "host": { "type": "string" }, "port": { "type": "integer" } },
                "required": ["host"],
                "additionalProperties": false,
            },
        ] })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_are_read_as_texts_pairs_and_tables() {
        for (written, host, port) in [
            (json!("cache:5000"), "cache", 5000),
            (json!("cache"), "cache", 26379),
            (json!("[::1]:5000"), "::1", 5000),
            (json!("[::1]"), "::1", 26379),
            (json!("::1"), "::1", 26379),
            (json!(["cache", 5000]), "cache", 5000),
            (json!(["cache"]), "cache", 26379),
            (json!({ "host": "cache", "port": 5000 }), "cache", 5000),
            (json!({ "host": "cache" }), "cache", 26379),
        ] {
            let node: Node = serde_json::from_value(written.clone()).unwrap();
            let place = Place::Tcp(host.to_owned(), port);
            assert_eq!(node.place(26379), place, "{written}");
        }
        for wrong in [
            json!(""),
            json!(":5000"),
            json!("cache:"),
            json!("cache:0"),
            json!("cache:65536"),
            json!("[::1]5000x"),
            json!(5000),
            json!({ "host": "cache", "prot": 5000 }),
        ] {
            let read: Result<Node, _> = serde_json::from_value(wrong.clone());
            assert!(read.is_err(), "{wrong}");
        }
    }
}
