//! TLS as the arguments ask for it. Certificates are always checked.

use std::path::Path;
use std::sync::Arc;

use dogpile_plugin_api::{Error, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Reads the files, and the system's authorities where none are named.
pub(crate) fn config(
    authorities: Option<&Path>,
    certificate: Option<&Path>,
    key: Option<&Path>,
) -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::argument("ssl", error))?
        .with_root_certificates(roots(authorities)?);
    let config = match (certificate, key) {
        (Some(certificate), Some(key)) => {
            let chain = certificates("ssl_certfile", certificate)?;
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| unreadable("ssl_keyfile", key, error))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| Error::argument("ssl_certfile", error))?
        }
        (None, None) => builder.with_no_client_auth(),
        (Some(_), None) => {
            return Err(Error::argument(
                "ssl_keyfile",
                "`ssl_certfile` needs its key",
            ));
        }
        (None, Some(_)) => {
            return Err(Error::argument(
                "ssl_certfile",
                "`ssl_keyfile` needs its certificate",
            ));
        }
    };
    Ok(Arc::new(config))
}

fn roots(authorities: Option<&Path>) -> Result<RootCertStore> {
    const ARGUMENT: &str = "ssl_ca_certs";
    let mut roots = RootCertStore::empty();
    if let Some(file) = authorities {
        for certificate in certificates(ARGUMENT, file)? {
            roots
                .add(certificate)
                .map_err(|error| unreadable(ARGUMENT, file, error))?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(Error::argument(
                ARGUMENT,
                "this system has no authorities of its own: name a PEM file, or install ca-certificates",
            ));
        }
    }
    Ok(roots)
}

fn certificates(argument: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| unreadable(argument, file, error))?;
    if certificates.is_empty() {
        return Err(unreadable(argument, file, "there is no certificate in it"));
    }
    Ok(certificates)
}

fn unreadable(argument: &str, file: &Path, error: impl std::fmt::Display) -> Error {
    Error::argument(argument, format!("{}: {error}", file.display()))
}
