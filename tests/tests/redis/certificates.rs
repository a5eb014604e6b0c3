//! Servers that speak TLS, and what they want.

use std::path::PathBuf;

use dogpile_tests::certificates::CertificateFiles;
use dogpile_tests::redis_server::RedisServer;
use serde_json::{Value as Json, json};

/// Files of an authority, and of what it signed.
pub(crate) struct Certificates(CertificateFiles);

impl Certificates {
    pub(crate) fn new() -> Self {
        Self(CertificateFiles::new())
    }

    /// A file whose others are gone.
    pub(crate) fn into_file(self, name: &str) -> PathBuf {
        self.0.into_file(name)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.file(name)
    }

    /// A server that speaks TLS alone, and wants a certificate.
    pub(crate) fn server(&self) -> RedisServer {
        let options = self.options();
        RedisServer::start(&options.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// A sentinel for that server, which speaks and wants the same.
    pub(crate) fn sentinel(&self, server: &RedisServer) -> RedisServer {
        let mut options = self.options();
        options.extend(["--tls-replication", "yes"].map(String::from));
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let monitor = format!("sentinel monitor mymaster 127.0.0.1 {} 1\n", server.port());
        RedisServer::start_sentinel(&monitor, &options)
    }

    /// The options of such a server.
    pub(crate) fn options(&self) -> Vec<String> {
        let file = |name| self.file(name).to_str().unwrap().to_owned();
        let options = ["--bind", "127.0.0.1", "127.0.0.2", "--port", "0"];
        let mut options: Vec<String> = options.map(String::from).into();
        for (option, value) in [
            ("--tls-port", String::from("{port}")),
            ("--tls-ca-cert-file", file("ca.pem")),
            ("--tls-cert-file", file("server.pem")),
            ("--tls-key-file", file("server.key")),
        ] {
            options.extend([option.to_owned(), value]);
        }
        options
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
