use std::fmt;

use dogpile_net::endpoint::Endpoint;
use dogpile_net::secret::Secret;

/// A server, and how it is spoken to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) endpoint: Endpoint,
    pub(crate) protocol: Protocol,
    pub(crate) login: Option<Login>,
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
