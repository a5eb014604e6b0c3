//! TLS as the arguments ask for it. Certificates are always checked.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use dogpile_plugin_api::{Error, Result};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::socket::Socket;

/// How TLS is spoken.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    /// What asked for it, for errors.
    argument: &'static str,
}

/// The files, and the names of the arguments that name them.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// What asks for TLS.
    pub tls: &'static str,
    /// Who may have signed the server's certificate; without them, the system's authorities.
    pub authorities: (&'a str, Option<&'a Path>),
    /// Our own certificate.
    pub certificate: (&'a str, Option<&'a Path>),
    /// The key of that.
    pub key: (&'a str, Option<&'a Path>),
}

impl Tls {
    /// Reads the files, and the system's authorities where none are named.
    pub fn new(files: &Files<'_>) -> Result<Self> {
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
        Ok(Self {
            config: Arc::new(config),
            argument: files.tls,
        })
    }

    /// The same, where each session is a new one.
    #[must_use]
    pub fn without_resumption(self) -> Self {
        let mut config = Arc::unwrap_or_clone(self.config);
        config.resumption = Resumption::disabled();
        Self {
            config: Arc::new(config),
            ..self
        }
    }

    /// Makes itself known to the other end, which has a certificate of that name.
    pub(crate) fn connect(&self, host: &str, socket: &mut Socket) -> io::Result<ClientConnection> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let config = Arc::clone(&self.config);
        let mut session = ClientConnection::new(config, name).map_err(io::Error::other)?;
        while session.is_handshaking() {
            let done = session.complete_io(socket);
            done.map_err(|error| self.no_tls(error))?;
        }
        Ok(session)
    }

    /// A server without TLS may wait for the rest of a command, or answer what is no TLS.
    fn no_tls(&self, error: io::Error) -> io::Error {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        let what = match (error.kind(), inner) {
            (ErrorKind::TimedOut, _) => "began no TLS in time",
            (_, Some(rustls::Error::InvalidMessage(_))) => "speaks no TLS",
            _ => return error,
        };
        let argument = self.argument;
        io::Error::other(format!(
            "it {what}: is it on at its end too (`{argument}`)?"
        ))
    }
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
