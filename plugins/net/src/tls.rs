//! TLS as the arguments ask for it. Certificates are always checked.

use std::path::Path;
use std::sync::Arc;

use dogpile_plugin_api::{Error, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// The files, and the names of the arguments that name them.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// What asks for TLS.
    pub tls: &'a str,
    /// Who may have signed the server's certificate; without them, the system's authorities.
    pub authorities: (&'a str, Option<&'a Path>),
    /// Our own certificate.
    pub certificate: (&'a str, Option<&'a Path>),
    /// The key of that.
    pub key: (&'a str, Option<&'a Path>),
}

/// Reads the files, and the system's authorities where none are named.
pub fn config(files: &Files<'_>) -> Result<Arc<ClientConfig>> {
    let (certificate_argument, certificate) = files.certificate;
    let (key_argument, key) = files.key;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::argument(files.tls, error))?
        .with_root_certificates(roots(files.authorities)?);
    let config = match (certificate, key) {
        (Some(certificate), Some(key)) => {
            let chain = certificates(certificate_argument, certificate)?;
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| unreadable(key_argument, key, error))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| Error::argument(certificate_argument, error))?
        }
        (None, None) => builder.with_no_client_auth(),
        (Some(_), None) => {
            return Err(Error::argument(
                key_argument,
                format!("`{certificate_argument}` needs its key"),
            ));
        }
        (None, Some(_)) => {
            return Err(Error::argument(
                certificate_argument,
                format!("`{key_argument}` needs its certificate"),
            ));
        }
    };
    Ok(Arc::new(config))
}

fn roots((argument, authorities): (&str, Option<&Path>)) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = authorities {
        for certificate in certificates(argument, file)? {
            roots
                .add(certificate)
                .map_err(|error| unreadable(argument, file, error))?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(Error::argument(
                argument,
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
