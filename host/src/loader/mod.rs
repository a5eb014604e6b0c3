//! From a `.so` file to a plugin that can be called.
//!
//! [`Loader::load`] goes through these steps; the first that fails says what was found and what would be right, as a
//! [`LoadError`]:
//!
//! 1. The file is opened once, without waiting, if [`Trust`] lets it pass, and must be a regular file that nobody is
//!    writing to. Its bytes are read through that one descriptor. If its SHA-256 was [given](Loader::pin), that decides,
//!    and whose file it is does not matter.
//! 2. If an image of the same bytes is loaded already, that is the answer.
//! 3. The bytes are checked as ELF, and the plugin's plain header is read from them: nothing of a file that is cut
//!    off, foreign, no plugin, of another epoch or built with `panic = "abort"` is ever mapped or run, nor of one whose
//!    program headers, dynamic table and sections contradict each other.
//! 4. The bytes are copied into a sealed file in memory, which is mapped. What was checked is what runs, whatever
//!    becomes of the file meanwhile, and a changed file at the same path is new code.
//! 5. The tables' layout is checked, in both directions: those of an older or newer plugin may end earlier or later, and
//!    nothing else.
//! 6. On a thread of its own, and within [`Loader::timeout`], the plugin's logs and panics are led to the host, and it is
//!    asked what it is. It must not offer two things of one name.
//!
//! # Known problems
//!
//! A loaded image is never unloaded, since nobody can know whether a thread of the plugin still runs. Each takes its
//! size in memory and one file descriptor; [`loaded_images`] counts them.
//!
//! The SHA-256 of a large file takes seconds where `sha2` is not optimised: a program that loads plugins in debug builds
//! sets `[profile.dev.package.sha2] opt-level = 3`.
//!
//! Since the file in memory has no folder, a plugin cannot find libraries by `$ORIGIN`.
//!
//! The check is for mistakes, not for malice, and not for every accident: what the tables lead to (relocations,
//! symbols, hashes, code and data) is taken as it is, and so are the functions that the dynamic table names. A file
//! that is damaged there and kept its length can end the process as it is mapped, or later, and nothing in the process
//! can catch that: copy files whole, beside their place, and rename them. `dogpile check` loads every plugin in a
//! process of its own, and tells by which signal that died.
//!
//! Code that runs while a library is mapped (constructors) cannot be caught if it panics, hangs or exits.
//!
//! An image that was refused after it was mapped stays refused for the life of the process, also where it was only slow
//! to start: to map it again would only leak it again.

mod attempts;
mod dynamic;
mod elf;
mod error;
mod fault;
mod file;
mod handshake;
mod header;
mod host_functions;
mod images;
mod library;
mod machine;
mod open;
mod seal;
mod segments;
mod versions;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dogpile_plugin_api::{Plugin, PluginInfo};

use crate::trust::Trust;

pub(crate) use self::attempts::Attempts;
pub use self::error::{LoadError, LoadErrorKind};
use self::fault::Fault;
pub use self::host_functions::host_functions;
use self::images::{Digest, Image, Images};
pub(crate) use self::open::within;
pub use self::open::{OpenError, open_backend, open_mangler, open_proxy, open_template_cache};

static IMAGES: Images = Images::new();

/// Turns files into plugins. Cheap to make; what is loaded belongs to the process, not to the loader.
#[derive(Clone, Debug, Default)]
#[must_use = "a loader does nothing until it loads"]
pub struct Loader {
    /// None: as the environment says.
    trust: Option<Trust>,
    pin: Option<String>,
    /// Whether there is a manifest that could pin it.
    is_listed: bool,
    /// None: the usual.
    timeout: Option<Duration>,
}

/// How long a plugin may take to start and to say what it is, if nobody says otherwise: as long as `open_timeout` is by
/// default.
const STARTING: Duration = Duration::from_secs(10);

/// A loaded plugin. Clones are the same.
#[derive(Clone)]
pub struct Loaded {
    /// Its functions.
    pub plugin: Plugin,
    /// What it said of itself when it was started.
    pub info: PluginInfo,
    /// The SHA-256 of the file's bytes, in hexadecimal.
    pub digest: String,
    /// The version of plugin-api that it was built with.
    pub api_version: String,
    /// The compiler that it was built with. For people, not for comparison.
    pub rustc: String,
    /// Where the bytes were read this time.
    pub path: PathBuf,
    /// The number of the image in this process, counted from 1. Two loads of identical bytes have the same.
    pub image: u64,
    /// The size of the file. An image takes about as much.
    pub bytes: u64,
}

/// What a plugin's file says of itself without being run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspected {
    /// The name of its package.
    pub package: String,
    /// The SHA-256 of the file's bytes, in hexadecimal.
    pub digest: String,
    /// The version of plugin-api that it was built with.
    pub api_version: String,
    /// The compiler that it was built with.
    pub rustc: String,
}

impl Loader {
    /// A loader that trusts as `DOGPILE_TRUST` says, by default strictly.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whose files it loads, whatever `DOGPILE_TRUST` says.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// If it is given one, it loads only a file of this SHA-256, in hexadecimal, and from anybody: the manifest's
    /// `sha256`.
    pub fn pin(mut self, sha256: impl Into<Option<String>>) -> Self {
        self.pin = sha256.into().map(|pin| pin.to_ascii_lowercase());
        self
    }

    /// Says that a manifest lists the files. Then the error of one that is not trusted advises to pin it there, too.
    pub fn listed(mut self) -> Self {
        self.is_listed = true;
        self
    }

    /// How long a plugin may take to start and to say what it is. By default 10 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Loads the plugin in the file at `path`; its log records carry the name of its package.
    ///
    /// Identical bytes give the image that is loaded already, whichever loader of the process did it. Blocks for the
    /// reading, the mapping and the plugin's own start. Safe to call from several threads.
    pub fn load(&self, path: &Path) -> Result<Loaded, LoadError> {
        self.load_named(path, None)
    }

    /// As [`Loader::load`], with the name that the plugin's log records are to carry. If an image of the same bytes
    /// is loaded already, it keeps the name that it has.
    pub fn load_as(&self, path: &Path, name: &str) -> Result<Loaded, LoadError> {
        self.load_named(path, Some(name))
    }

    /// Reads and checks the file at `path` as [`Loader::load`] does, up to where it would be mapped.
    pub fn inspect(&self, path: &Path) -> Result<Inspected, LoadError> {
        let inspected = || {
            let (bytes, digest) = self.read(path)?;
            let checked = elf::check(&bytes)?;
            Ok(Inspected {
                package: checked.package().to_owned(),
                digest: digest.to_string(),
                api_version: checked.header.api_version,
                rustc: checked.header.rustc,
            })
        };
        inspected().map_err(|fault| LoadError::new(path, fault))
    }

    fn load_named(&self, path: &Path, name: Option<&str>) -> Result<Loaded, LoadError> {
        let loaded = || {
            let (bytes, digest) = self.read(path)?;
            let timeout = self.timeout.unwrap_or(STARTING);
            let image =
                IMAGES.get_or_load(digest, |number| start(&bytes, name, timeout, number))?;
            Ok((image, digest, bytes.len() as u64))
        };
        let (image, digest, bytes) = loaded().map_err(|fault| LoadError::new(path, fault))?;
        Ok(Loaded {
            plugin: image.plugin,
            info: image.info.clone(),
            digest: digest.to_string(),
            api_version: image.api_version.clone(),
            rustc: image.rustc.clone(),
            path: path.to_owned(),
            image: image.number,
            bytes,
        })
    }

    /// The bytes of a file that may be loaded.
    fn read(&self, path: &Path) -> Result<(Vec<u8>, Digest), Fault> {
        let trust = match (&self.pin, self.trust) {
            (Some(_), _) => Trust::Off,
            (None, Some(trust)) => trust,
            (None, None) => Trust::of_environment().map_err(file::untrusted)?,
        };
        let bytes = file::read(path, trust).map_err(|mut fault| {
            if self.is_listed && fault.kind == LoadErrorKind::Untrusted {
                fault.remedy += "; or pin the file: `dogpile plugins --pin`";
            }
            fault
        })?;
        let digest = Digest::of(&bytes);
        match &self.pin {
            Some(pin) if *pin != digest.to_string() => Err(Fault::new(
                LoadErrorKind::WrongDigest,
                format!("its SHA-256 is {digest}, and {pin} is expected"),
                "put the file back whose digest that is; if this one is meant, pin it: `dogpile plugins --pin`",
            )),
            _ => Ok((bytes, digest)),
        }
    }
}

/// How many images this process has mapped, including those that were refused afterwards. They stay for its life.
pub fn loaded_images() -> usize {
    IMAGES.mapped()
}

/// All steps after the reading, for an image that is not loaded yet.
fn start(
    bytes: &[u8],
    name: Option<&str>,
    timeout: Duration,
    number: images::Numbers<'_>,
) -> Result<Arc<Image>, Fault> {
    let checked = elf::check(bytes)?;
    let memory = seal::sealed(bytes)?;
    let mapped = library::open(memory, &checked)?;
    let number = number.mapped();
    let plugin = handshake::plugin(&mapped, &checked)?;
    let info = handshake::start(plugin, name.unwrap_or(checked.package()), timeout)?;
    Ok(Arc::new(Image {
        plugin,
        info,
        api_version: checked.header.api_version,
        rustc: checked.header.rustc,
        number,
    }))
}
