//! What a node says of its cluster.

use std::ops::RangeInclusive;
use std::time::Instant;

use dogpile_net::endpoint::Place;
use redis::Value;

use crate::connection::accepted;
use crate::failure::{Answer, Failure};
use crate::redirect::announced;
use crate::slots::SLOTS;
use crate::target::Target;
use crate::wire::Wire;

/// A cluster, as a node sees it.
pub(crate) struct Topology {
    pub(crate) ranges: Vec<Range>,
    /// Which slots are served, by the node's word.
    pub(crate) is_ok: bool,
    /// Counts the changes that this node has heard of.
    pub(crate) epoch: u64,
}

/// Slots, and who has them.
pub(crate) struct Range {
    pub(crate) slots: RangeInclusive<u16>,
    pub(crate) master: Place,
    pub(crate) replicas: Vec<Place>,
}

/// Asks that node, by the deadline.
pub(crate) fn ask(node: &Target, deadline: Instant) -> Answer<Topology> {
    let mut wire = Wire::open(node, deadline)?;
    let about = |what: &str| {
        let mut command = redis::cmd("CLUSTER");
        command.arg(what);
        command
    };
    // The same in all versions, Valkey's too.
    let replies = wire.calls().pipeline(&[about("SLOTS"), about("INFO")])?;
    let [slots, info] = <[Value; 2]>::try_from(replies).map_err(|_| Failure::Nonsense)?;
    let Value::Array(ranges) = accepted(slots)? else {
        return Err(Failure::Nonsense);
    };
    let ranges: Option<Vec<Range>> = ranges
        .iter()
        .map(|range| self::range(range, &node.endpoint.place))
        .collect();
    let (is_ok, epoch) = match accepted(info) {
        Ok(info) => (
            field(&info, "cluster_state").ok_or(Failure::Nonsense)? == "ok",
            field(&info, "cluster_current_epoch")
                .and_then(|epoch| epoch.parse().ok())
                .ok_or(Failure::Nonsense)?,
        ),
        // A user who may not ask relies on the slots.
        Err(failure) if failure.is_code("NOPERM") => (true, 0),
        Err(failure) => return Err(failure),
    };
    Ok(Topology {
        ranges: ranges.ok_or(Failure::Nonsense)?,
        is_ok,
        epoch,
    })
}

fn range(range: &Value, by: &Place) -> Option<Range> {
    let Value::Array(parts) = range else {
        return None;
    };
    let [Value::Int(first), Value::Int(last), master, replicas @ ..] = &parts[..] else {
        return None;
    };
    let slot = |number: &i64| u16::try_from(*number).ok().filter(|slot| *slot < SLOTS);
    Some(Range {
        slots: slot(first)?..=slot(last)?,
        master: place(master, by)?,
        replicas: replicas
            .iter()
            .filter_map(|replica| place(replica, by))
            .collect(),
    })
}

/// `[endpoint, port, id, [name, value, …]]`, with the address among the latter where the endpoint is a name.
fn place(node: &Value, by: &Place) -> Option<Place> {
    let Value::Array(parts) = node else {
        return None;
    };
    let [endpoint, Value::Int(port), rest @ ..] = &parts[..] else {
        return None;
    };
    let more = match rest.get(1) {
        Some(Value::Array(more)) => &more[..],
        _ => &[],
    };
    let mut pairs = more.chunks_exact(2);
    let address = pairs.find_map(|pair| (text(&pair[0])? == "ip").then(|| text(&pair[1])));
    announced(
        text(endpoint),
        address.flatten(),
        u16::try_from(*port).ok()?,
        by,
    )
}

/// What a line of `CLUSTER INFO` says.
fn field<'i>(info: &'i Value, name: &str) -> Option<&'i str> {
    let mut lines = text(info)?.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => str::from_utf8(bytes).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text),
        _ => None,
    }
}
