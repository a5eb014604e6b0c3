//! Certificates for TLS: of an authority, of the server, and of the client.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// Files of an authority, `ca.pem`, and of what it signed: `server.pem` and `client.pem`, with their keys.
#[derive(Debug)]
pub struct CertificateFiles(TempDir);

/// A test wants files: anything else is the end of the test.
#[expect(
    clippy::missing_panics_doc,
    clippy::new_without_default,
    reason = "said once, above"
)]
impl CertificateFiles {
    /// For the server 127.0.0.1.
    pub fn new() -> Self {
        let certificates = Self(tempfile::tempdir().unwrap());
        let mut parameters = CertificateParams::new([]).unwrap();
        parameters
            .distinguished_name
            .push(DnType::CommonName, "authority");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        fs::write(certificates.file("ca.pem"), authority.pem()).unwrap();
        for (name, host) in [("server", "127.0.0.1"), ("client", "client")] {
            let key = KeyPair::generate().unwrap();
            let mut parameters = CertificateParams::new([host.to_owned()]).unwrap();
            parameters.distinguished_name.push(DnType::CommonName, name);
            let certificate = parameters.signed_by(&key, &authority).unwrap();
            fs::write(certificates.file(&format!("{name}.pem")), certificate.pem()).unwrap();
            fs::write(
                certificates.file(&format!("{name}.key")),
                key.serialize_pem(),
            )
            .unwrap();
        }
        certificates
    }

    /// A file whose others are gone.
    pub fn into_file(self, name: &str) -> PathBuf {
        self.0.keep().join(name)
    }

    /// One of them.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}
