//! The parts of processes, and the values that they store.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dogpile_plugin_api::testing::{TestHost, host};
use dogpile_plugin_api::{Backend, Metadata, Result, Value};
use dogpile_plugin_dbm::Dbm;
use serde_json::json;

const PART: &str = "DOGPILE_TEST_PART";
const FILE: &str = "DOGPILE_TEST_FILE";

/// In a process that plays this part: the data file.
pub(crate) fn part(name: &str) -> Option<PathBuf> {
    env::var_os(PART).filter(|part| part == name)?;
    env::var_os(FILE).map(PathBuf::from)
}

/// This program with that part, which it plays in the test of that name; what it tells comes on its error stream.
pub(crate) fn program(test: &str, part: &str, file: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args([test, "--exact", "--nocapture"])
        .env(PART, part)
        .env(FILE, file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// An open backend, with the host that it is open in.
pub(crate) struct Cache {
    host: TestHost,
    pub(crate) on: Dbm,
}

impl Cache {
    pub(crate) fn open(file: &Path) -> Self {
        Self::open_with(&json!({ "filename": file }))
    }

    pub(crate) fn open_with(arguments: &serde_json::Value) -> Self {
        let host = host();
        let arguments = serde_json::from_value(arguments.clone()).unwrap();
        let on = Dbm::open(arguments, &host.context()).unwrap();
        Self { host, on }
    }

    pub(crate) fn set(&self, key: &str, bytes: &[u8]) -> Result<()> {
        let key = self.host.key(key);
        let value = Value::copied(&Metadata::default(), key.as_key(), bytes);
        self.on.set(&key.as_key(), &value)
    }

    pub(crate) fn set_all(&self, entries: &[(String, Vec<u8>)]) -> Result<()> {
        let keys: Vec<_> = entries
            .iter()
            .map(|(key, _)| self.host.key(&**key))
            .collect();
        let entries: Vec<_> = keys
            .iter()
            .zip(entries)
            .map(|(key, (_, bytes))| {
                let value = Value::copied(&Metadata::default(), key.as_key(), bytes);
                (key.as_key(), value)
            })
            .collect();
        self.on.set_multi(&entries)
    }

    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let found = self.on.get(&self.host.key(key).as_key())?;
        Ok(found.map(|value| value.as_bytes().unwrap().to_vec()))
    }

    pub(crate) fn delete(&self, key: &str) -> Result<()> {
        self.on.delete(&self.host.key(key).as_key())
    }
}

/// A value that tells whether it is whole, and of that key.
pub(crate) fn value(key: &str, number: u64) -> Vec<u8> {
    let filling = u8::try_from(number % 251).unwrap();
    let length = usize::try_from(number % 3_000).unwrap();
    let mut bytes = format!("{key}:{number}:").into_bytes();
    bytes.resize(bytes.len() + length, filling);
    bytes
}

pub(crate) fn is_right(key: &str, bytes: &[u8]) -> bool {
    let mut parts = bytes.splitn(3, |byte| *byte == b':');
    parts.next();
    let number = parts.next().and_then(|number| str::from_utf8(number).ok());
    number
        .and_then(|number| number.parse().ok())
        .is_some_and(|number| value(key, number) == bytes)
}
