//! Where a server is.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::tls::Tls;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A name or address, and a port.
    Tcp(String, u16),
    /// A socket of Unix.
    Unix(PathBuf),
}

/// A server's place, and how it is connected to.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Where it is.
    pub place: Place,
    /// How TLS is spoken, if at all. There is none on a socket of Unix.
    pub tls: Option<Tls>,
    /// How long it may take to connect, with TLS and within the time of the call.
    pub connect_timeout: Duration,
    /// Whether the kernel asks now and then whether an idle connection still stands.
    pub keepalive: bool,
}

/// As errors name it.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}
