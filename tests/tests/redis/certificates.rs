//! Certificates for TLS: of an authority, of the server, and of the client.

use std::fs;
use std::path::PathBuf;

use dogpile_tests::redis_server::RedisServer;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// Files of an authority, and of what it signed.
pub(crate) struct Certificates(TempDir);

impl Certificates {
    pub(crate) fn new() -> Self {
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
    pub(crate) fn into_file(self, name: &str) -> PathBuf {
        self.0.keep().join(name)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A server that speaks TLS alone, and wants a certificate.
    pub(crate) fn server(&self) -> RedisServer {
        let file = |name| self.file(name).to_str().unwrap().to_owned();
        let (authority, certificate, key) =
            (file("ca.pem"), file("server.pem"), file("server.key"));
        RedisServer::start(&[
            "--bind",
            "127.0.0.1",
            "127.0.0.2",
            "--port",
            "0",
            "--tls-port",
            "{port}",
            "--tls-ca-cert-file",
            &authority,
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
        ])
    }

    /// What that server wants.
    pub(crate) fn arguments(&self, server: &RedisServer) -> Json {
        json!({
            "host": "127.0.0.1", "port": server.port(), "ssl": true,
            "ssl_ca_certs": self.file("ca.pem"), "ssl_certfile": self.file("client.pem"),
            "ssl_keyfile": self.file("client.key"),
        })
    }
}
