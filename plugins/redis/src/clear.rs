use dogpile_plugin_api::Result;
use redis::Value;

use crate::failure::{Answer, Failure};
use crate::locks::Locks;
use crate::names::TOMBSTONE;
use crate::script::CLEAR;
use crate::server::Server;

/// So many keys are looked at in a step, which holds up the server's other clients.
const STEP: usize = 1000;

/// Removes everything but the locks, for which it is noted: what is created meanwhile is not stored.
///
/// First the locks are noted: what was created under one that has gone by then is stored, and goes with the rest.
pub(crate) fn clear(server: &Server, locks: &Locks) -> Result<()> {
    let prefix = &*locks.prefix;
    // The prefix has no character that is special in a pattern.
    each(
        server,
        Some(&format!("{prefix}*")),
        &[prefix, TOMBSTONE, "locks"],
    )?;
    each(server, None, &[prefix, TOMBSTONE, "all"])
}

/// Runs the script with all names that match, step by step.
fn each(server: &Server, pattern: Option<&str>, arguments: &[&str]) -> Result<()> {
    let arguments: Vec<&[u8]> = arguments
        .iter()
        .map(|argument| argument.as_bytes())
        .collect();
    let mut cursor = b"0".to_vec();
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(&cursor).arg("COUNT").arg(STEP);
        if let Some(pattern) = pattern {
            scan.arg("MATCH").arg(pattern);
        }
        cursor = server.with(|on| {
            let (next, names) = page(on.call(&scan)?)?;
            let keys: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
            CLEAR.run(on, &CLEAR.call(&keys, &arguments))?;
            Ok(next)
        })?;
        if cursor == b"0" {
            return Ok(());
        }
    }
}

/// Where to go on, and the names that were found.
fn page(reply: Value) -> Answer<(Vec<u8>, Vec<Vec<u8>>)> {
    let bytes = |value| match value {
        Value::BulkString(bytes) => Ok(bytes),
        _ => Err(Failure::Nonsense),
    };
    let Value::Array(parts) = reply else {
        return Err(Failure::Nonsense);
    };
    let [next, Value::Array(names)] =
        <[Value; 2]>::try_from(parts).map_err(|_| Failure::Nonsense)?
    else {
        return Err(Failure::Nonsense);
    };
    let names: std::result::Result<_, _> = names.into_iter().map(bytes).collect();
    Ok((bytes(next)?, names?))
}
