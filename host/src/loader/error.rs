//! Why a file could not be loaded as a plugin.

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Fault;

/// Why a file could not be loaded: which file, what was found, and what would be right.
///
/// One pointer wide; clones are cheap.
#[derive(Clone)]
pub struct LoadError(Arc<Inner>);

struct Inner {
    path: PathBuf,
    fault: Fault,
}

/// What sort of failure it is.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoadErrorKind {
    /// There is no such file.
    NotFound,
    /// A directory, a FIFO, a socket or a device.
    NotAFile,
    /// Larger than any plugin.
    TooLarge,
    /// A file of no bytes.
    Empty,
    /// Somebody else can change it: see [`Trust`](crate::Trust).
    Untrusted,
    /// Its SHA-256 is not the one that it was pinned to.
    WrongDigest,
    /// Somebody is writing to it.
    Changing,
    /// Not an ELF file.
    NotElf,
    /// An ELF file of another class than 64 bits.
    WrongClass,
    /// Built for another processor or byte order.
    WrongMachine,
    /// An ELF file which is no shared library.
    NotALibrary,
    /// It ends before what its own tables say.
    Truncated,
    /// Its own tables contradict each other.
    Damaged,
    /// It needs a newer C library, or another version of another library.
    MissingSymbolVersion,
    /// A shared library which exports no plugin.
    NotAPlugin,
    /// It exports more than one plugin.
    SeveralPlugins,
    /// Built for another version of the boundary.
    WrongEpoch,
    /// Built with `panic = "abort"`.
    Aborts,
    /// Its tables are laid out differently from the host's.
    Layout,
    /// A library that it needs is not there.
    MissingLibrary,
    /// The dynamic linker refused it for another reason.
    Link,
    /// It failed when it was started.
    Start,
    /// It does not say what it is, or says it wrong.
    Description,
    /// It offers two things of one name.
    OfferedTwice,
    /// It did not start and say what it is in time.
    TimedOut,
    /// The system gave no memory to map it from.
    Memory,
    /// It could not be read.
    Io,
}

impl LoadErrorKind {
    /// What an operator can search for: it is shown in messages, logs and JSON. It never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotFound => "file-not-found",
            Self::NotAFile => "file-not-regular",
            Self::TooLarge => "file-too-large",
            Self::Empty => "file-empty",
            Self::Untrusted => "file-untrusted",
            Self::WrongDigest => "file-wrong-digest",
            Self::Changing => "file-changing",
            Self::Io => "file-unreadable",
            Self::NotElf => "elf-not-one",
            Self::WrongClass => "elf-wrong-class",
            Self::WrongMachine => "elf-wrong-machine",
            Self::NotALibrary => "elf-no-library",
            Self::Truncated => "elf-truncated",
            Self::Damaged => "elf-damaged",
            Self::MissingSymbolVersion => "link-missing-version",
            Self::MissingLibrary => "link-missing-library",
            Self::Link => "link-failed",
            Self::Memory => "link-no-memory",
            Self::NotAPlugin => "plugin-none",
            Self::SeveralPlugins => "plugin-several",
            Self::WrongEpoch => "plugin-wrong-epoch",
            Self::Aborts => "plugin-panic-abort",
            Self::Layout => "plugin-wrong-layout",
            Self::Start => "plugin-start-failed",
            Self::Description => "plugin-description",
            Self::OfferedTwice => "plugin-offered-twice",
            Self::TimedOut => "plugin-load-timed-out",
        }
    }
}

impl LoadError {
    pub(super) fn new(path: &Path, fault: Fault) -> Self {
        Self(Arc::new(Inner {
            path: path.to_owned(),
            fault,
        }))
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> LoadErrorKind {
        self.0.fault.kind
    }

    /// The file, as it was named to the loader.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// What was found.
    pub fn message(&self) -> &str {
        &self.0.fault.message
    }

    /// What would be right.
    pub fn remedy(&self) -> &str {
        &self.0.fault.remedy
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { path, fault } = &*self.0;
        let code = fault.kind.code();
        write!(
            f,
            "{}: {} [{code}]; {}",
            path.display(),
            fault.message,
            fault.remedy
        )
    }
}

impl fmt::Debug for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadError")
            .field("path", &self.path())
            .field("kind", &self.kind())
            .field("message", &self.message())
            .field("remedy", &self.remedy())
            .finish()
    }
}

impl StdError for LoadError {}
