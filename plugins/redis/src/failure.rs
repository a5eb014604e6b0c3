use std::fmt;
use std::io;

use dogpile_plugin_api::{Error, ErrorKind};
use redis::ServerError;

use crate::target::Target;

/// What a call of the server comes to.
pub(crate) type Answer<T> = Result<T, Failure>;

/// Why a call did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is no connection, and none could be made.
    Connect(io::Error),
    /// The connection broke, or the time was over.
    Broken(io::Error),
    /// What came is not what such a call is answered with.
    Nonsense,
    /// The server answered that it does not do that. The connection is as good as before.
    Refused(ServerError),
    /// All connections are in use, and none became free in time.
    Busy(usize),
    /// After `close`.
    Closed,
}

impl Failure {
    /// Whether the connection can be used for another call.
    pub(crate) fn keeps_connection(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Whether the time was over.
    pub(crate) fn is_timeout(&self) -> bool {
        matches!(self, Self::Broken(error) if error.kind() == io::ErrorKind::TimedOut)
    }

    /// Whether the server answered with this code.
    pub(crate) fn is_code(&self, code: &str) -> bool {
        matches!(self, Self::Refused(error) if error.code() == code)
    }

    /// Whether it says something of the server: that it is down, or no master any more.
    pub(crate) fn is_about_server(&self) -> bool {
        self.did_nothing() || matches!(self, Self::Broken(_))
    }

    /// Whether the server was not reached, or is not one, for now, that does such things: another may do it.
    pub(crate) fn did_nothing(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Closed => true,
            Self::Refused(error) => {
                matches!(
                    error.code(),
                    "READONLY" | "MASTERDOWN" | "LOADING" | "CLUSTERDOWN"
                ) || is_readonly_script(error)
            }
            _ => false,
        }
    }

    /// The error for the host, which names the sentinel.
    pub(crate) fn on_sentinel(self, sentinel: &Target) -> Error {
        Error::unavailable(format_args!(
            "the sentinel {sentinel} {}",
            Phrased(&self, &SENTINEL)
        ))
    }

    /// The error for the host, which names the server.
    pub(crate) fn on(self, server: &Target) -> Error {
        let kind = match &self {
            // The breaker is to stay closed: the server reads and deletes.
            Self::Refused(error) if error.code() == "OOM" => ErrorKind::Refused,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, format_args!("the server {server} {self}"))
    }
}

/// Ends a sentence that begins with the server.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Phrased(self, &SERVER).fmt(f)
    }
}

/// What whoever failed is, and the arguments that say how it is spoken to.
struct Party {
    what: &'static str,
    username: &'static str,
    password: &'static str,
    ssl: &'static str,
    times: &'static str,
}

const SERVER: Party = Party {
    what: "a Redis or Valkey server",
    username: "username",
    password: "password",
    ssl: "ssl",
    times: "`socket_timeout` or `socket_connect_timeout`",
};

const SENTINEL: Party = Party {
    what: "a sentinel",
    username: "sentinel_username",
    password: "sentinel_password",
    ssl: "sentinel_ssl",
    times: "`sentinel_timeout`",
};

struct Phrased<'a>(&'a Failure, &'a Party);

impl fmt::Display for Phrased<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(failure, party) = self;
        match failure {
            Failure::Connect(error) => write!(f, "cannot be reached: {}", Told(error, party)),
            Failure::Broken(error) => write!(f, "did not answer: {}", Told(error, party)),
            Failure::Nonsense => write!(
                f,
                "answered with what is no such reply: is it {}, and is TLS on at both ends or none (`{}`)?",
                party.what, party.ssl
            ),
            Failure::Refused(error) => refused(f, error, party),
            Failure::Busy(most) => write!(
                f,
                "has all {most} connections in use, and none became free within `socket_timeout`: raise \
                 `max_connections`"
            ),
            Failure::Closed => f.write_str("is not asked any more: the backend is closed"),
        }
    }
}

/// An error of the network in words that help.
struct Told<'a>(&'a io::Error, &'a Party);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error, party) = self;
        match error.kind() {
            io::ErrorKind::TimedOut => write!(f, "it took longer than {}", party.times),
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => write!(
                f,
                "it closed the connection; if it always does, see that TLS is on at both ends or none (`{}`)",
                party.ssl
            ),
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
                write!(f, "{error}; is it running there?")
            }
            _ => error.fmt(f),
        }
    }
}

/// What the server said, and what to do.
fn refused(f: &mut fmt::Formatter<'_>, error: &ServerError, party: &Party) -> fmt::Result {
    let Party {
        what,
        username,
        password,
        ..
    } = party;
    let said = error.details().unwrap_or("no more");
    match error.code() {
        "NOAUTH" => write!(
            f,
            "wants a password: give `{password}`, and `{username}` if it has users"
        ),
        "WRONGPASS" => write!(
            f,
            "refuses this user and password: correct `{username}` and `{password}`"
        ),
        "NOPERM" => write!(
            f,
            "does not let this user do that: change its ACL. It says: {said}"
        ),
        "OOM" => write!(
            f,
            "has no memory left: raise its `maxmemory`, or let it evict by `maxmemory-policy`"
        ),
        "READONLY" => write!(f, "is a replica, which stores nothing: name the primary"),
        "LOADING" => write!(f, "is still reading its data from disk"),
        "MASTERDOWN" => write!(f, "is a replica without its primary: name the primary"),
        "BUSY" => write!(f, "is held up by somebody's script. It says: {said}"),
        "MISCONF" => write!(
            f,
            "cannot write to its disk, and stores nothing until it can. It says: {said}"
        ),
        "CLUSTERDOWN" => write!(
            f,
            "cannot do that while its cluster is down: see `CLUSTER INFO` and `CLUSTER NODES` there. It says: {said}"
        ),
        code @ ("MOVED" | "ASK" | "CROSSSLOT") => write!(
            f,
            "is part of a cluster: use the backend `redis_cluster` or `valkey_cluster`; there, its nodes do not agree who \
             has these keys. It says: {code} {said}"
        ),
        "ERR" if said.contains("cluster support disabled") => {
            write!(f, "is in no cluster: use the backend `redis` or `valkey`")
        }
        "ERR" if said.contains("without any password configured") => {
            write!(f, "has no password: leave `{password}` out, or give it one")
        }
        "ERR" if said.starts_with("unknown command") => {
            write!(
                f,
                "does not know that: is it {what}, of version 6 or later? It says: {said}"
            )
        }
        "ERR" if said.contains("DB index") => write!(f, "has no such database: correct `db`"),
        "ERR" => write!(f, "refused: {said}"),
        code => write!(f, "refused: {code} {said}"),
    }
}

/// Redis 6 tells of a script on a replica so.
fn is_readonly_script(error: &ServerError) -> bool {
    error
        .details()
        .is_some_and(|said| said.contains("-READONLY "))
}

/// What a server says in that line.
#[cfg(test)]
pub(crate) fn refused_with(line: &str) -> Failure {
    let line = format!("-{line}\r\n");
    match redis::Parser::new().parse_value(line.as_bytes()) {
        Ok(redis::Value::ServerError(error)) => Failure::Refused(error),
        other => panic!("{other:?}"),
    }
}
