//! What is to be done in one step, by scripts that the server runs.

use std::sync::LazyLock;

use redis::{Cmd, Value};

use crate::connection::{Connection, accepted};
use crate::failure::{Answer, Failure};

/// A script, which the server keeps under its hash once it was loaded.
pub(crate) struct Script {
    text: &'static str,
    hash: String,
}

fn script(text: &'static str) -> Script {
    let hash = redis::Script::new(text).get_hash().to_owned();
    Script { text, hash }
}

/// Keys: lock, or lock and tombstone, or tombstone. Arguments: token. Removes what is that token's. 1: the first was.
pub(crate) static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    script(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
if KEYS[2] and redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 1",
    )
});

/// Keys: lock, or lock and tombstone, or tombstone. Arguments: token, milliseconds. Begins the time anew of what is that
/// token's. 1: the first was.
pub(crate) static RENEW: LazyLock<Script> = LazyLock::new(|| {
    script(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if KEYS[2] and redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
return 1",
    )
});

/// Keys: value, lock, tombstone. Arguments: token, value, milliseconds or 0 for ever. 0: the lock is not the token's;
/// 2: the value was deleted since it was taken; 1: stored.
pub(crate) static STORE: LazyLock<Script> = LazyLock::new(|| {
    script(
        "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
if redis.call('GET', KEYS[3]) == ARGV[1] then return 2 end
if ARGV[3] == '0' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1",
    )
});

/// Keys: value. Arguments: value. Deletes it, if it is still that one.
pub(crate) static UNDO: LazyLock<Script> = LazyLock::new(|| {
    script(
        "if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end return redis.call('DEL', KEYS[1])",
    )
});

/// Keys: value, lock, tombstone. Deletes, and notes it for the one who has the lock, for as long as that is his. A
/// server without memory lets a script store once it has deleted: so the note comes second.
pub(crate) static DELETE: LazyLock<Script> = LazyLock::new(|| {
    script(
        "local deleted = redis.call('DEL', KEYS[1])
local left = redis.call('PTTL', KEYS[2])
if left > 0 then redis.call('SET', KEYS[3], redis.call('GET', KEYS[2]), 'PX', left) end
return deleted",
    )
});

/// Keys: any one. Deletes it, unless it holds the 32 digits of a token: by these a lock, or a note for who has it, is told
/// from a value of a like name. 1: it does.
pub(crate) static CLEAR: LazyLock<Script> = LazyLock::new(|| {
    script(
        "local found = redis.pcall('GET', KEYS[1])
if type(found) == 'string' and #found == 32 and not found:find('%X') then return 1 end
redis.call('UNLINK', KEYS[1])
return 0",
    )
});

impl Script {
    /// A call of it.
    pub(crate) fn call(&self, keys: &[&[u8]], arguments: &[&[u8]]) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.hash).arg(keys.len());
        for part in keys.iter().chain(arguments) {
            command.arg(*part);
        }
        command
    }

    /// What a call of it returns. It is loaded if the server does not have it.
    pub(crate) fn run(&self, on: &mut Connection, call: &Cmd) -> Answer<i64> {
        match on.call(call) {
            Err(failure) if failure.is_code(UNKNOWN) => {
                self.load(on)?;
                number(on.call(call)?)
            }
            reply => number(reply?),
        }
    }

    /// The replies to calls of it, which are made at once, as `Connection::pipeline_around` makes them.
    pub(crate) fn pipeline_around<'c>(
        &self,
        on: &mut Connection,
        calls: impl Iterator<Item = &'c Cmd> + Clone,
        meanwhile: impl FnOnce(),
    ) -> Answer<Vec<Value>> {
        let mut replies = on.pipeline_around(calls.clone(), meanwhile)?;
        if replies.iter().any(is_unknown) {
            self.load(on)?;
            let unknown = calls
                .zip(&replies)
                .filter_map(|(call, reply)| is_unknown(reply).then_some(call));
            let again: Vec<&Cmd> = unknown.collect();
            let again = on.pipeline(again)?;
            let unknown = replies.iter_mut().filter(|reply| is_unknown(reply));
            for (reply, new) in unknown.zip(again) {
                *reply = new;
            }
        }
        Ok(replies)
    }

    fn load(&self, on: &mut Connection) -> Answer<()> {
        on.call(redis::cmd("SCRIPT").arg("LOAD").arg(self.text))
            .map(drop)
    }
}

/// What a script returned.
pub(crate) fn number(reply: Value) -> Answer<i64> {
    match accepted(reply)? {
        Value::Int(number) => Ok(number),
        _ => Err(Failure::Nonsense),
    }
}

const UNKNOWN: &str = "NOSCRIPT";

fn is_unknown(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if error.code() == UNKNOWN)
}
