//! TLS as the arguments ask for it.

use std::path::Path;
use std::sync::Arc;

use dogpile_net::tls::{Files, config as with_files};
use dogpile_plugin_api::Result;
use rustls::ClientConfig;

/// Reads the files, and the system's authorities where none are named.
pub(crate) fn config(
    authorities: Option<&Path>,
    certificate: Option<&Path>,
    key: Option<&Path>,
) -> Result<Arc<ClientConfig>> {
    with_files(&Files {
        tls: "ssl",
        authorities: ("ssl_ca_certs", authorities),
        certificate: ("ssl_certfile", certificate),
        key: ("ssl_keyfile", key),
    })
}
