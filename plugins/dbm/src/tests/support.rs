use std::path::{Path, PathBuf};
use std::sync::Arc;

use dogpile_plugin_api::testing::{TestHost, host};
use dogpile_plugin_api::{Backend, Metadata, Result, Value};
use tempfile::TempDir;

use crate::arguments::{DbmArguments, Durability, Scope};
use crate::byte_size::ByteSize;
use crate::dbm::Dbm;
use crate::file::{Disk, Medium, Opening, Places};
use crate::lock_file::LockFile;

pub(super) fn arguments(filename: &Path) -> DbmArguments {
    DbmArguments {
        filename: filename.to_owned(),
        rw_lockfile: LockFile::Off,
        dogpile_lockfile: LockFile::On,
        dogpile_lock_scope: Scope::Key,
        max_bytes: ByteSize::mebibytes(256),
        cache_bytes: ByteSize::mebibytes(32),
        durability: Durability::Process,
    }
}

/// A folder with a place for a data file, and a host.
pub(super) struct Bench {
    pub(super) folder: TempDir,
    pub(super) host: TestHost,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            host: host(),
        }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    pub(super) fn arguments(&self) -> DbmArguments {
        arguments(&self.data())
    }

    pub(super) fn opening(&self) -> Opening {
        self.opening_on(Arc::new(Disk))
    }

    pub(super) fn opening_on(&self, medium: Arc<dyn Medium>) -> Opening {
        Opening::new(Places::new(&self.data()), &self.arguments(), medium).unwrap()
    }

    pub(super) fn open(&self) -> Result<Dbm> {
        Dbm::open(self.arguments(), &self.host.context())
    }

    pub(super) fn open_as(&self, opening: Opening) -> Result<Dbm> {
        Dbm::with(&self.arguments(), opening, self.host.context())
    }

    pub(super) fn set(&self, on: &Dbm, key: &str, bytes: &[u8]) -> Result<()> {
        self.set_until(on, key, bytes, 0)
    }

    pub(super) fn set_until(&self, on: &Dbm, key: &str, bytes: &[u8], until: u64) -> Result<()> {
        on.set(&self.host.key(key).as_key(), &self.value(key, bytes, until))
    }

    pub(super) fn value(&self, key: &str, bytes: &[u8], keep_until: u64) -> Value {
        let metadata = Metadata {
            keep_until,
            ..Metadata::default()
        };
        Value::copied(&metadata, self.host.key(key).as_key(), bytes)
    }

    pub(super) fn get(&self, on: &Dbm, key: &str) -> Result<Option<Vec<u8>>> {
        let found = on.get(&self.host.key(key).as_key())?;
        Ok(found.map(|value| value.as_bytes().unwrap().to_vec()))
    }

    pub(super) fn delete(&self, on: &Dbm, key: &str) -> Result<()> {
        on.delete(&self.host.key(key).as_key())
    }
}

/// Numbers that look random and are the same in each run.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        number ^ (number >> 31)
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }
}
