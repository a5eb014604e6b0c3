use std::fmt;
use std::io;
use std::time::Duration;

use dogpile_net::pool::Unlent;

/// What a call of a server comes to.
pub(crate) type Answer<T> = Result<T, Failure>;

/// Why a call did not succeed. The connection is not used again.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is no connection, and none could be made.
    Connect(io::Error),
    /// The connection broke, or the time was over.
    Broken(io::Error),
    /// The time was over while the reply came.
    Slow,
    /// What came is not what such a call is answered with.
    Nonsense,
    /// The server does not let us in. It said so.
    Login(String),
    /// The server does not do such things at all. It said so.
    Rejected(String),
    /// The server takes no more connections. It said so.
    Full,
    /// No connection is lent.
    Unlent(Unlent),
    /// The time of the call was over before the server had its share of it.
    NoTime,
    /// It failed before, for that reason, and is left alone for so long.
    Down(String, Duration),
}

impl Failure {
    /// Whether the server is to be left alone for a while.
    pub(crate) fn is_about_server(&self) -> bool {
        !matches!(self, Self::Unlent(_) | Self::NoTime | Self::Down(..))
    }

    /// Whether the same may succeed on another connection at once.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Connect(error) | Self::Broken(error) => error.kind() != io::ErrorKind::TimedOut,
            _ => false,
        }
    }

    /// Whether the server may have done what it was asked for.
    pub(crate) fn leaves_doubt(&self) -> bool {
        matches!(
            self,
            Self::Broken(_) | Self::Slow | Self::Nonsense | Self::NoTime
        )
    }

    /// The same of a server that was asked for so long only. It is not to be blamed for a time that another took.
    pub(crate) fn after(self, asked: Duration, share: Duration) -> Self {
        match self {
            Self::Connect(error) | Self::Broken(error)
                if error.kind() == io::ErrorKind::TimedOut && asked < share =>
            {
                Self::NoTime
            }
            failure => failure,
        }
    }

    /// The same of a server whose reply was read for so long only.
    pub(crate) fn after_reading(self, read: Duration, share: Duration) -> Self {
        match self {
            Self::Slow if read < share => Self::NoTime,
            failure => failure,
        }
    }
}

/// Ends a sentence that begins with the server.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "cannot be reached: {}", Told(error)),
            Self::Broken(error) => write!(f, "did not answer: {}", Told(error)),
            Self::Slow => f.write_str(
                "was still answering when the time was over: raise `socket_timeout`, or ask for less at once",
            ),
            Self::Nonsense => f.write_str(
                "answered with what is no such reply: is it memcached, does it speak that protocol, and is TLS on at \
                 both ends or none (`tls`)?",
            ),
            Self::Login(said) => write!(
                f,
                "does not let us in: correct `username` and `password`. It says: {said}"
            ),
            Self::Rejected(said) => write!(
                f,
                "does not know that: is it memcached, of version 1.6 or later? It says: {said}"
            ),
            Self::Full => f.write_str(
                "has as many connections as it takes: raise its `-c`, or lower `max_connections` in the programs that share it",
            ),
            Self::Unlent(unlent) => unlent.fmt(f),
            Self::NoTime => f.write_str(
                "had no time to answer: `socket_timeout` was nearly over when its turn came",
            ),
            Self::Down(why, left) => write!(
                f,
                "is left alone for {:.1} s more (`dead_retry`), since it {why}",
                left.as_secs_f64()
            ),
        }
    }
}

/// An error of the network in words that help.
struct Told<'a>(&'a io::Error);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        match error.kind() {
            io::ErrorKind::TimedOut => f.write_str(
                "it took longer than `socket_timeout` or `socket_connect_timeout`; if it always does, see that it speaks \
                 that protocol, and that TLS is on at both ends or none (`tls`)",
            ),
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => f.write_str(
                "it closed the connection; if it always does, see that TLS is on at both ends or none (`tls`), and that \
                 it speaks that protocol and wants no login",
            ),
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
                write!(f, "{error}; is it running there?")
            }
            _ => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Duration = Duration::from_secs(1);

    #[test]
    fn a_server_is_blamed_for_silence_only_if_it_had_its_share_of_the_time() {
        let silence = || Failure::Broken(io::ErrorKind::TimedOut.into());
        assert!(silence().after(SHARE, SHARE).is_about_server());
        let short = silence().after(SHARE / 2, SHARE);
        assert!(!short.is_about_server());
        assert!(short.leaves_doubt());
        let ended = Failure::Broken(io::ErrorKind::UnexpectedEof.into());
        assert!(ended.after(SHARE / 2, SHARE).is_about_server());
    }
}
