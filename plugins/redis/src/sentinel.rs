//! What one sentinel says.

use std::time::Instant;

use dogpile_net::endpoint::Place;
use dogpile_plugin_api::{Error, Result};
use redis::Value;

use crate::connection::{Connection, accepted};
use crate::failure::{Answer, Failure};
use crate::target::Target;
use crate::wire::Wire;

/// The servers of a service, as a sentinel sees them.
pub(crate) struct Report {
    pub(crate) master: Place,
    /// Those that can be asked, and have heard from the master lately.
    pub(crate) replicas: Vec<Place>,
}

/// Asks that sentinel, by the deadline. `None`: it does not know the service.
pub(crate) fn ask(sentinel: &Target, service: &str, deadline: Instant) -> Result<Option<Report>> {
    let deadline = deadline.min(Instant::now() + sentinel.timeout);
    let asked =
        Wire::open(sentinel, deadline).and_then(|mut wire| report(&mut wire.calls(), service));
    asked.map_err(|failure| failure.on_sentinel(sentinel))
}

fn report(on: &mut Connection, service: &str) -> Answer<Option<Report>> {
    let about = |what: &str| {
        let mut command = redis::cmd("SENTINEL");
        command.arg(what).arg(service);
        command
    };
    let commands = [about("GET-MASTER-ADDR-BY-NAME"), about("REPLICAS")];
    let mut replies = on.pipeline(&commands)?.into_iter();
    let (Some(master), Some(replicas)) = (replies.next(), replies.next()) else {
        return Err(Failure::Nonsense);
    };
    let master = match accepted(master)? {
        Value::Nil => return Ok(None),
        Value::Array(parts) => match &parts[..] {
            [host, port] => place(text(host), text(port)).ok_or(Failure::Nonsense)?,
            _ => return Err(Failure::Nonsense),
        },
        _ => return Err(Failure::Nonsense),
    };
    let replicas = match accepted(replicas)? {
        Value::Array(replicas) => replicas.iter().filter_map(usable).collect(),
        _ => return Err(Failure::Nonsense),
    };
    Ok(Some(Report { master, replicas }))
}

/// Where a replica is, unless the sentinel sees that it is down, or does not hear from the master.
fn usable(replica: &Value) -> Option<Place> {
    let Value::Array(fields) = replica else {
        return None;
    };
    let field = |name: &str| {
        let mut pairs = fields.chunks_exact(2);
        pairs.find_map(|pair| {
            text(&pair[0])
                .filter(|field| *field == name)
                .and(text(&pair[1]))
        })
    };
    let is_down = |flag: &str| ["s_down", "o_down", "disconnected"].contains(&flag);
    if field("flags")?.split(',').any(is_down) || field("master-link-status")? != "ok" {
        return None;
    }
    place(field("ip"), field("port"))
}

fn place(host: Option<&str>, port: Option<&str>) -> Option<Place> {
    Some(Place::Tcp(host?.to_owned(), port?.parse().ok()?))
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// What a server says of itself: whether it is a master.
pub(crate) fn is_master(on: &mut Connection) -> Answer<bool> {
    match on.call(&redis::cmd("ROLE")) {
        Ok(Value::Array(parts)) => match parts.first().and_then(text) {
            Some(role) => Ok(role == "master"),
            None => Err(Failure::Nonsense),
        },
        Ok(_) => Err(Failure::Nonsense),
        // A user who may not ask relies on the sentinels; a replica refuses to store.
        Err(failure) if failure.is_code("NOPERM") => Ok(true),
        Err(failure) => Err(failure),
    }
}

/// The error where none of the sentinels gave a server.
pub(crate) fn all_failed(service: &str, errors: &[Error]) -> Error {
    let told: Vec<String> = errors
        .iter()
        .map(|error| error.message().to_owned())
        .collect();
    Error::unavailable(format_args!(
        "no sentinel leads to the master of `{service}`: {}",
        told.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(flags: &str, link: &str) -> Value {
        let fields = [
            ("ip", "127.0.0.1"),
            ("port", "7000"),
            ("flags", flags),
            ("master-link-status", link),
        ];
        let texts = fields.into_iter().flat_map(|(name, value)| [name, value]);
        let texts = texts.map(|text| Value::BulkString(text.as_bytes().to_owned()));
        Value::Array(texts.collect())
    }

    #[test]
    fn replicas_that_are_down_or_hear_nothing_are_left_out() {
        let place = Place::Tcp(String::from("127.0.0.1"), 7000);
        assert_eq!(usable(&replica("slave", "ok")), Some(place));
        for (flags, link) in [
            ("s_down,slave", "ok"),
            ("s_down,o_down,slave", "ok"),
            ("slave,o_down", "ok"),
            ("slave,disconnected", "ok"),
            ("slave", "err"),
            ("slave", ""),
        ] {
            assert_eq!(usable(&replica(flags, link)), None, "{flags} {link}");
        }
        assert_eq!(usable(&Value::Array(Vec::new())), None);
        assert_eq!(usable(&Value::Nil), None);
    }
}
