use dogpile_plugin_api::Result;
use redis::{Cmd, Value};

use crate::failure::{Answer, Failure};
use crate::guard::found;
use crate::locks::Locks;
use crate::many::Request;
use crate::names::TOMBSTONE;
use crate::script::{CLEAR, number};
use crate::server::Server;

/// So many keys are looked at in a step, which holds up the server's other clients.
const STEP: usize = 1000;

/// Removes everything but the locks, for which it is noted: what is created meanwhile is not stored.
///
/// First the locks are noted: what was created under one that has gone by then is stored, and goes with the rest.
pub(crate) fn clear(locks: &Locks) -> Result<()> {
    let servers = locks.servers.all(locks.servers.deadline())?;
    let prefix = &*locks.names.prefix;
    // The prefix has no character that is special in a pattern.
    let pattern = format!("{prefix}*");
    for server in &servers {
        each(server, Some(&pattern), |names| {
            let gets = names.iter().map(|name| request(locks, "GET", name));
            let gets: Vec<Request> = gets.collect();
            let held = locks
                .servers
                .read_all(&gets, locks.servers.deadline(), |_, reply| {
                    Ok(found(reply)?.is_some_and(|found| is_token(&found)))
                })?;
            note(locks, names, &held)
        })?;
    }
    for server in &servers {
        each(server, None, |names| {
            let is_beside = |name: &Vec<u8>| {
                name.starts_with(prefix.as_bytes()) || name.starts_with(TOMBSTONE.as_bytes())
            };
            let (beside, values): (Vec<Vec<u8>>, Vec<Vec<u8>>) =
                names.iter().cloned().partition(is_beside);
            let unlinks = values.iter().map(|name| request(locks, "UNLINK", name));
            let unlinks: Vec<Request> = unlinks.collect();
            locks
                .servers
                .write_all(&unlinks, None, locks.servers.deadline(), |_, reply| {
                    number(reply).map(drop)
                })?;
            let calls = beside
                .iter()
                .map(|name| locks.servers.request(name, CLEAR.call(&[name], &[])));
            let calls: Vec<Request> = calls.collect();
            let held = locks.servers.write_all(
                &calls,
                Some(&CLEAR),
                locks.servers.deadline(),
                |_, reply| Ok(number(reply)? == 1),
            )?;
            note(locks, &beside, &held)
        })?;
    }
    Ok(())
}

/// Deletes the values of those locks that are held, and notes it.
fn note(locks: &Locks, names: &[Vec<u8>], held: &[bool]) -> Result<()> {
    let held = names.iter().zip(held).filter(|(_, is_held)| **is_held);
    // A name that is no text is none of ours.
    let keys = held.filter_map(|(name, _)| locks.names.key_of(str::from_utf8(name).ok()?));
    locks.delete(&keys.collect::<Vec<&str>>())
}

fn request(locks: &Locks, what: &str, name: &[u8]) -> Request {
    let mut command = redis::cmd(what);
    command.arg(name);
    locks.servers.request(name, command)
}

fn is_token(found: &[u8]) -> bool {
    found.len() == 32 && found.iter().all(u8::is_ascii_hexdigit)
}

/// Does that with all names of a server that match, step by step.
fn each(
    server: &Server,
    pattern: Option<&str>,
    mut step: impl FnMut(&[Vec<u8>]) -> Result<()>,
) -> Result<()> {
    let mut cursor = b"0".to_vec();
    loop {
        let scan = scan(&cursor, pattern);
        let (next, names) = server.with(|on| page(on.call(&scan)?))?;
        step(&names)?;
        cursor = next;
        if cursor == b"0" {
            return Ok(());
        }
    }
}

fn scan(cursor: &[u8], pattern: Option<&str>) -> Cmd {
    let mut scan = redis::cmd("SCAN");
    scan.arg(cursor).arg("COUNT").arg(STEP);
    if let Some(pattern) = pattern {
        scan.arg("MATCH").arg(pattern);
    }
    scan
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
