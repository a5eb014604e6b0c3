use std::path::{Path, PathBuf};

use dogpile_plugin_api::schemars;
use dogpile_plugin_api::serde::{self, Deserialize};
use dogpile_plugin_api::{Error, JsonSchema, Result};

use crate::byte_size::ByteSize;
use crate::file::{Places, folder_of};
use crate::lock_file::LockFile;

/// The arguments of the backend `dbm`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct DbmArguments {
    /// The file, by an absolute path: a relative one is of the folder that is current in the process. Its folder must
    /// exist; the file is made.
    pub filename: PathBuf,
    /// A lock file that reads share and a write has alone: a path, `true` for `FILENAME.rw.lock`, or `false` for none.
    /// Default: `false`.
    #[serde(default = "LockFile::off")]
    pub rw_lockfile: LockFile,
    /// The lock file of creations: a path, `true` for `FILENAME.dogpile.lock`, or `false` for the lock within the
    /// process alone. Default: `true`.
    #[serde(default = "LockFile::on")]
    pub dogpile_lockfile: LockFile,
    /// What a creation locks for other processes: its `"key"`, or the whole `"file"` as in Python. Default: `"key"`.
    #[serde(default)]
    pub dogpile_lock_scope: Scope,
    /// How much room the entries may take: bytes, or a string such as `"64MiB"`. Default: 256 MiB.
    #[serde(default = "default_max_bytes")]
    pub max_bytes: ByteSize,
    /// How much of the file each process keeps in memory at most: bytes, or a string such as `"64MiB"`. Default:
    /// 32 MiB.
    #[serde(default = "default_cache_bytes")]
    pub cache_bytes: ByteSize,
    /// What the entries survive: the death of a `"process"`, or the loss of `"power"` too. Default:
    /// `"process"`.
    #[serde(default)]
    pub durability: Durability,
}

/// What a creation locks for other processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "lowercase")]
#[schemars(crate = "schemars")]
pub enum Scope {
    /// Its key.
    #[default]
    Key,
    /// The whole file: while a process creates anything, no other creates.
    File,
}

/// What the entries survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "lowercase")]
#[schemars(crate = "schemars")]
pub enum Durability {
    /// The death of any process at any moment. A file from before the machine started is thrown away.
    #[default]
    Process,
    /// The loss of power too: each write waits until the disk has it.
    Power,
}

const fn default_max_bytes() -> ByteSize {
    ByteSize::mebibytes(256)
}

const fn default_cache_bytes() -> ByteSize {
    ByteSize::mebibytes(32)
}

impl DbmArguments {
    /// The defaults, for that file.
    pub(crate) fn at(filename: &Path) -> Self {
        Self {
            filename: filename.to_owned(),
            rw_lockfile: LockFile::off(),
            dogpile_lockfile: LockFile::on(),
            dogpile_lock_scope: Scope::default(),
            max_bytes: default_max_bytes(),
            cache_bytes: default_cache_bytes(),
            durability: Durability::default(),
        }
    }

    /// Refuses what cannot be, with the argument that is wrong.
    pub(crate) fn check(&self) -> Result<()> {
        if self.filename.file_name().is_none() {
            return Err(Error::argument(
                "filename",
                format!("{} is no name of a file", self.filename.display()),
            ));
        }
        let creation = self.dogpile_lockfile.path(&self.filename, "dogpile.lock");
        let read_write = self.rw_lockfile.path(&self.filename, "rw.lock");
        if let (Some(creation), Some(read_write)) = (&creation, &read_write)
            && is_same(creation, read_write)
        {
            return Err(Error::argument(
                "dogpile_lockfile",
                "it is the file of `rw_lockfile` too: each needs one of its own",
            ));
        }
        for (argument, path) in [("dogpile_lockfile", creation), ("rw_lockfile", read_write)] {
            let Some(path) = path else { continue };
            let places = Places::new(&self.filename);
            for taken in [&places.data, &places.state, &places.damaged] {
                if is_same(&path, taken) {
                    return Err(Error::argument(
                        argument,
                        format!(
                            "{} is a file of `filename`: name another, or write true for one beside it",
                            taken.display()
                        ),
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Whether two names are of one place, by whichever way to its folder.
fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let folder = folder_of(path);
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        (folder, path.file_name().map(ToOwned::to_owned))
    };
    one == other || place(one) == place(other)
}
