//! What is to be done in one step, by scripts that the server runs.

use std::slice;
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

/// Keys: lock, tombstone. Arguments: token. Gives a lock up, if it is the token's. 1: it was.
pub(crate) static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    script(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 1",
    )
});

/// Keys: lock, tombstone. Arguments: token, milliseconds. Begins a lease anew, if the lock is the token's. 1: it was.
pub(crate) static RENEW: LazyLock<Script> = LazyLock::new(|| {
    script(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
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

/// Keys: any. Arguments: what locks begin with, what tombstones begin with, `locks` or `all`. Deletes all keys, or only
/// those that are locked; keeps the locks, with a note for who has them, and such notes. A lock is told from a value of a
/// like name by what is in it: the 32 digits of a token. The note comes second, as above.
pub(crate) static CLEAR: LazyLock<Script> = LazyLock::new(|| {
    script(
        "local function is_token(name)
  local found = redis.pcall('GET', name)
  return type(found) == 'string' and #found == 32 and not found:find('%X') and found
end
for _, name in ipairs(KEYS) do
  local token = name:sub(1, #ARGV[1]) == ARGV[1] and is_token(name)
  if token then
    local key, left = name:sub(#ARGV[1] + 1), redis.call('PTTL', name)
    redis.call('UNLINK', key)
    if left > 0 then redis.call('SET', ARGV[2] .. key, token, 'PX', left) end
  elseif ARGV[3] == 'all' and not (name:sub(1, #ARGV[2]) == ARGV[2] and is_token(name)) then
    redis.call('UNLINK', name)
  end
end
return #KEYS",
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
        let mut numbers = self.run_all(on, slice::from_ref(call))?;
        numbers.pop().ok_or(Failure::Nonsense)
    }

    /// What calls of it return, which are made at once.
    pub(crate) fn run_all(&self, on: &mut Connection, calls: &[Cmd]) -> Answer<Vec<i64>> {
        let mut replies = on.pipeline(calls)?;
        let unknown: Vec<usize> = (0..replies.len())
            .filter(|place| is_unknown(&replies[*place]))
            .collect();
        if !unknown.is_empty() {
            on.call(redis::cmd("SCRIPT").arg("LOAD").arg(self.text))?;
            let again: Vec<Cmd> = unknown.iter().map(|place| calls[*place].clone()).collect();
            for (place, reply) in unknown.into_iter().zip(on.pipeline(&again)?) {
                replies[place] = reply;
            }
        }
        let numbers = replies.into_iter().map(|reply| match accepted(reply)? {
            Value::Int(number) => Ok(number),
            _ => Err(Failure::Nonsense),
        });
        numbers.collect()
    }
}

fn is_unknown(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if error.code() == "NOSCRIPT")
}
