//! Another client of a server, which says what it is told to say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use dogpile_tests::memcached_server::MemcachedServer;

pub(crate) struct Raw(BufReader<TcpStream>);

/// What a server has under a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct There {
    pub(crate) bytes: Vec<u8>,
    pub(crate) flags: u32,
    /// Seconds; -1 for ever.
    pub(crate) ttl: i64,
}

impl Raw {
    pub(crate) fn to(server: &MemcachedServer) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self(BufReader::new(stream))
    }

    /// The first line of the answer.
    pub(crate) fn ask(&mut self, command: &str) -> String {
        self.0.get_mut().write_all(command.as_bytes()).unwrap();
        self.line()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(crate) fn get(&mut self, key: &str) -> Option<There> {
        let line = self.ask(&format!("mg {key} v f t\r\n"));
        if line == "EN" {
            return None;
        }
        let mut words = line.strip_prefix("VA ").unwrap().split(' ');
        let mut number = |prefix: &str| -> i64 {
            let word = words.next().unwrap();
            word.strip_prefix(prefix).unwrap().parse().unwrap()
        };
        let (length, flags, ttl) = (number(""), number("f"), number("t"));
        let mut bytes = vec![0; usize::try_from(length).unwrap() + 2];
        self.0.read_exact(&mut bytes).unwrap();
        bytes.truncate(bytes.len() - 2);
        let flags = u32::try_from(flags).unwrap();
        Some(There { bytes, flags, ttl })
    }

    /// The text that is there.
    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        self.get(key)
            .map(|there| String::from_utf8(there.bytes).unwrap())
    }

    pub(crate) fn set(&mut self, key: &str, flags: u32, bytes: &[u8]) {
        let mut command = format!("ms {key} {} F{flags}\r\n", bytes.len()).into_bytes();
        command.extend_from_slice(bytes);
        command.extend_from_slice(b"\r\n");
        self.0.get_mut().write_all(&command).unwrap();
        assert_eq!(self.line(), "HD");
    }

    /// Whether it was there or not.
    pub(crate) fn delete(&mut self, key: &str) {
        self.ask(&format!("delete {key}\r\n"));
    }

    /// One of the server's numbers.
    pub(crate) fn stat(&mut self, name: &str) -> u64 {
        let mut line = self.ask("stats\r\n");
        let mut found = None;
        while line != "END" {
            if let Some(value) = line.strip_prefix(&format!("STAT {name} ")) {
                found = Some(value.parse().unwrap());
            }
            line = self.line();
        }
        found.unwrap()
    }
}
