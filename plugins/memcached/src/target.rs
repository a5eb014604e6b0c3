use std::fmt;
use std::time::Duration;

use dogpile_net::secret::Secret;
use dogpile_net::stream::Endpoint;

/// A server, and how it is spoken to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) endpoint: Endpoint,
    pub(crate) protocol: Protocol,
    pub(crate) login: Option<Login>,
    pub(crate) connect_timeout: Duration,
}

/// How commands are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Text,
    Binary,
}

/// Who logs in.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) username: String,
    pub(crate) password: Secret,
}

/// Its place.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.place.fmt(f)
    }
}
