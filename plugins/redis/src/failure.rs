use std::fmt;
use std::io;

use dogpile_net::pool::Unlent;
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
    /// No connection is lent.
    Unlent(Unlent),
}

impl Failure {
    /// The same, for another whom it concerns.
    pub(crate) fn shared(&self) -> Self {
        let same = |error: &io::Error| match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(error.kind(), error.to_string()),
        };
        match self {
            Self::Connect(error) => Self::Connect(same(error)),
            Self::Broken(error) => Self::Broken(same(error)),
            Self::Nonsense => Self::Nonsense,
            Self::Refused(error) => Self::Refused(error.clone()),
            Self::Unlent(unlent) => Self::Unlent(*unlent),
        }
    }

    /// Whether the connection can be used for another call.
    pub(crate) fn keeps_connection(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    pub(crate) fn timed_out() -> Self {
        Self::Broken(io::ErrorKind::TimedOut.into())
    }

    /// Whether the time was over.
    pub(crate) fn is_timeout(&self) -> bool {
        matches!(self, Self::Broken(error) if error.kind() == io::ErrorKind::TimedOut)
    }

    /// Whether the server answered with this code.
    pub(crate) fn is_code(&self, code: &str) -> bool {
        self.said().is_some_and(|(said, _)| said == code)
    }

    /// Whether it says something of the server: that it is down, or no master any more.
    pub(crate) fn is_about_server(&self) -> bool {
        self.did_nothing() || matches!(self, Self::Broken(_))
    }

    /// Whether the server was not reached, or is not one, for now, that does such things: another may do it.
    pub(crate) fn did_nothing(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Unlent(Unlent::Closed) => true,
            _ => self.said().is_some_and(|(code, _)| {
                [
                    "READONLY",
                    "MASTERDOWN",
                    "LOADING",
                    "NOREPLICAS",
                    "CLUSTERDOWN",
                ]
                .contains(&code)
            }),
        }
    }

    /// What the server answered: a code, and what follows it.
    fn said(&self) -> Option<(&str, &str)> {
        match self {
            Self::Refused(error) => Some(said(error)),
            _ => None,
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
    pub(crate) fn on(self, server: &Target, party: &Party) -> Error {
        let kind = if self.is_code("OOM") {
            // The breaker is to stay closed: the server reads and deletes.
            ErrorKind::Refused
        } else {
            ErrorKind::Unavailable
        };
        Error::new(
            kind,
            format_args!("the server {server} {}", Phrased(&self, party)),
        )
    }
}

/// Ends a sentence that begins with the server.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Phrased(self, &SERVER).fmt(f)
    }
}

/// What whoever failed is, and the arguments that say how it is spoken to.
pub(crate) struct Party {
    what: &'static str,
    username: &'static str,
    password: &'static str,
    ssl: &'static str,
    times: &'static str,
    /// What to do about one that is no master.
    replaced: &'static str,
}

/// A server that the arguments name.
pub(crate) const SERVER: Party = Party {
    what: "a Redis or Valkey server",
    username: "username",
    password: "password",
    ssl: "ssl",
    times: "`socket_timeout` or `socket_connect_timeout`",
    replaced: "name the primary",
};

/// A server that sentinels name.
pub(crate) const WATCHED: Party = Party {
    replaced: "a failover may be under way, and the next master is used as soon as the sentinels name it; if they do \
               not, see what `SENTINEL MASTER` says",
    ..SERVER
};

/// A node of a cluster.
pub(crate) const CLUSTERED: Party = Party {
    replaced: "a failover may be under way, and the next master is used as soon as the nodes name it; if they do not, \
               see what `CLUSTER NODES` says",
    ..SERVER
};

const SENTINEL: Party = Party {
    what: "a sentinel",
    username: "sentinel_username",
    password: "sentinel_password",
    ssl: "sentinel_ssl",
    times: "`sentinel_timeout`",
    replaced: "name a sentinel",
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
            Failure::Unlent(unlent) => unlent.fmt(f),
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
        replaced,
        ..
    } = party;
    let (code, said) = said(error);
    match code {
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
        "READONLY" => write!(f, "is a replica, which stores nothing: {replaced}"),
        "LOADING" => write!(f, "is still reading its data from disk"),
        "MASTERDOWN" => write!(f, "is a replica without its primary: {replaced}"),
        "NOREPLICAS" => write!(
            f,
            "stores nothing while it has fewer replicas than its `min-replicas-to-write`: see that they are up, or \
             lower it"
        ),
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
        "ERR" if said.contains("The user executing the script can't run") => write!(
            f,
            "does not let this user do in a script what it does: change its ACL. It says: {said}"
        ),
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

/// The code, and what follows it. Redis 6 wraps what a command in a script came to.
fn said(error: &ServerError) -> (&str, &str) {
    let details = error.details().unwrap_or("no more");
    let is_wrapped = error.code() == "ERR" && details.starts_with("Error running script");
    let within = details.split_once(": -").filter(|_| is_wrapped);
    match within.and_then(|(_, said)| said.split_once(' ')) {
        Some(said) => said,
        None => (error.code(), details),
    }
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

#[cfg(test)]
mod tests {
    use dogpile_net::endpoint::Place;

    use super::*;

    const SCRIPT: &str = "Error running script (call to f_6b6163a06c1a7cf1d690fee5224d07e3171b7239): @user_script:2: \
                          @user_script: 2: ";

    fn told(failure: Failure, party: &Party) -> Error {
        failure.on(&target(), party)
    }

    fn target() -> Target {
        let arguments = serde_json::from_str("{}").unwrap();
        Target::new(&arguments)
            .unwrap()
            .at(Place::Tcp(String::from("cache"), 6379))
    }

    #[test]
    fn what_a_script_came_to_is_the_same_for_redis_6_and_7() {
        let seven = " script: 6b6163a06c1a7cf1d690fee5224d07e3171b7239, on @user_script:2.";
        for (said, did_nothing, kind, words) in [
            (
                "READONLY You can't write against a read only replica.",
                true,
                ErrorKind::Unavailable,
                "is a replica, which stores nothing",
            ),
            (
                "NOREPLICAS Not enough good replicas to write.",
                true,
                ErrorKind::Unavailable,
                "`min-replicas-to-write`",
            ),
            (
                "OOM command not allowed when used memory > 'maxmemory'.",
                false,
                ErrorKind::Refused,
                "raise its `maxmemory`",
            ),
        ] {
            for line in [
                said.to_owned(),
                format!("{said}{seven}"),
                format!("ERR {SCRIPT}-{said}"),
            ] {
                let failure = refused_with(&line);
                assert_eq!(failure.did_nothing(), did_nothing, "{line}");
                assert!(failure.keeps_connection());
                let error = told(failure, &SERVER);
                assert_eq!(error.kind(), kind, "{line}");
                assert!(error.message().contains(words), "{error}");
            }
        }
        let refused = "The user executing the script can't run this command or subcommand";
        for line in [
            format!("ERR {refused}{seven}"),
            format!("ERR {SCRIPT}{refused}"),
        ] {
            let error = told(refused_with(&line), &SERVER);
            assert!(error.message().contains("change its ACL"), "{error}");
        }
    }

    #[test]
    fn of_a_replica_the_remedy_is_what_its_finder_can_do() {
        for line in ["READONLY You can't", "MASTERDOWN Link with MASTER is down"] {
            let named = told(refused_with(line), &SERVER);
            assert!(named.message().ends_with("name the primary"), "{named}");
            for party in [&WATCHED, &CLUSTERED] {
                let replaced = told(refused_with(line), party);
                let message = replaced.message();
                assert!(!message.contains("name the primary"), "{message}");
                assert!(message.contains("a failover may be under way"), "{message}");
            }
        }
    }
}
