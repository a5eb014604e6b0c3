//! What stands for a template of which nothing is known but the program in which it is.

use std::any::TypeId;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::panic::Location;
use std::sync::{LazyLock, PoisonError, RwLock};

use sha2::{Digest, Sha256};

use super::identity::ENGINE;
use crate::cache::{Template, hex};

/// What stands for one body of a filter, for as long as the program is not built anew with a change: no two bodies have
/// one.
pub(super) struct Standin {
    pub(super) template: Template,
    /// Why nothing can.
    pub(super) fault: Option<&'static str>,
}

static KNOWN: LazyLock<RwLock<HashMap<TypeId, &'static Standin>>> = LazyLock::new(RwLock::default);

/// For the body of type `F`, in the template whose type is declared at `place`.
pub(super) fn of<F>(place: &Location<'_>) -> &'static Standin {
    // Each body is a type of its own; the number that stands for it is the same in every process of one build.
    let id = typeid::of::<F>();
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(standin) = known.get(&id) {
        return standin;
    }
    drop(known);
    let (digest, fault) = match &*PROGRAM {
        Ok(digest) => (format!("{digest} {id:?}"), None),
        Err(error) => (String::new(), Some(&**error)),
    };
    let name = format!("{}:{}", place.file(), place.line());
    let template = Template::new(ENGINE, name, digest);
    let made = Box::new(Standin { template, fault });
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    known.entry(id).or_insert_with(|| Box::leak(made))
}

static PROGRAM: LazyLock<Result<String, String>> = LazyLock::new(|| {
    program().map_err(|error| {
        format!(
            "its template derives no `CachedTemplate`, and the program's own file, whose digest would stand for it, \
             cannot be read: {error}"
        )
    })
});

/// The digest of the program's file.
fn program() -> io::Result<String> {
    // Not by its name: another file may have it by now.
    let mut file = File::open("/proc/self/exe")?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            length => hash.update(&buffer[..length]),
        }
    }
}
