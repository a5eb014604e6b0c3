//! Maps a sealed file as a library, for the life of the process.

use std::fmt::Write as _;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use dogpile_plugin_api::abi::PluginHeader;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use super::elf::Checked;
use super::{Fault, LoadErrorKind};

/// A library that is mapped and stays so.
pub(super) struct Mapped {
    /// The plugin's header, where the linker resolved its symbol to.
    pub(super) header: *const PluginHeader,
}

/// Maps `memory`, whose bytes are those that were `checked`, and runs its constructors.
pub(super) fn open(memory: OwnedFd, checked: &Checked) -> Result<Mapped, Fault> {
    let path = new_spelling(&memory);
    // SAFETY: mapping a library runs its constructors, which are trusted as any of a plugin's code is. The file is
    // whole, for this machine, and sealed.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) }
        .map_err(|error| refused(&error, &path, checked))?;
    // Never closed: the plugin's threads and statics may be in use. The descriptor lets debuggers read the image.
    let library = ManuallyDrop::new(library);
    let _open_for_life = ManuallyDrop::new(memory);
    // SAFETY: the symbol is an object, as its type in the symbol table says; only its address is taken here.
    let symbol = unsafe { library.get::<*const PluginHeader>(checked.symbol.as_bytes()) }
        .map_err(|error| refused(&error, &path, checked))?;
    Ok(Mapped {
        header: symbol.as_raw_ptr().cast::<PluginHeader>().cast_const(),
    })
}

/// A path of the descriptor that this process never used before.
///
/// The dynamic linker takes a path that it has seen for the library that it loaded then, whatever is there now. A
/// descriptor's number returns once it is closed (as after a refusal), so the path has a number of its own, in binary:
/// `/.` is a one, `/` a nought.
fn new_spelling(memory: &OwnedFd) -> String {
    static USED: AtomicU64 = AtomicU64::new(1);
    let mut number = USED.fetch_add(1, Ordering::Relaxed);
    let mut path = String::from("/proc/self/fd");
    while number > 0 {
        path.push_str(if number & 1 == 1 { "/." } else { "/" });
        number >>= 1;
    }
    // Writing to a string does not fail.
    let _ = write!(path, "/{}", memory.as_raw_fd());
    path
}

/// What the dynamic linker's refusal means.
fn refused(error: &libloading::Error, path: &str, checked: &Checked) -> Fault {
    let text = match error {
        libloading::Error::DlOpen { source } | libloading::Error::DlSym { source } => {
            source.to_string()
        }
        other => other.to_string(),
    };
    // It names the library that it could not find first, and the path in memory means nothing to a reader.
    let missing = checked
        .needed
        .iter()
        .find(|needed| text.starts_with(&format!("{needed}:")));
    let text = text.replace(&format!("{path}: "), "").replace(path, "it");
    if let Some(missing) = missing {
        return Fault::new(
            LoadErrorKind::MissingLibrary,
            format!("it needs the library {missing}, which cannot be loaded ({text})"),
            format!("install {missing} where the dynamic linker looks, or link it statically"),
        );
    }
    if text.contains("version `") {
        return Fault::new(
            LoadErrorKind::MissingSymbolVersion,
            format!("the dynamic linker refuses it: {text}"),
            "build it on a system as old as this one",
        );
    }
    Fault::new(
        LoadErrorKind::Link,
        format!("the dynamic linker refuses it: {text}"),
        "link everything that it needs into it; `ldd -r` lists what is missing",
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::loader::seal;

    #[test]
    fn one_descriptor_has_as_many_spellings_as_are_asked_for() {
        let memory = seal::sealed(b"plugin").unwrap();
        let spellings: HashSet<_> = (0..1000).map(|_| new_spelling(&memory)).collect();
        assert_eq!(spellings.len(), 1000);
        for spelling in spellings {
            assert_eq!(std::fs::read(spelling).unwrap(), b"plugin");
        }
    }
}
