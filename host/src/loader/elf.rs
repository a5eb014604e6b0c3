//! Checks a plugin's bytes as ELF before the dynamic linker sees them.
//!
//! The linker itself trusts its input: a file that ends early kills the process with SIGBUS when it is mapped, a wrong
//! address with SIGSEGV. What it goes by is said twice in a file, in the program headers and the dynamic table, and in
//! the sections, which it never looks at: a file in which the two differ is refused. What stands at the addresses is
//! not looked into.

use std::ops::Range;

use dogpile_plugin_api::abi::SYMBOL_PREFIX;
use object::elf::{self, FileHeader64, SectionHeader64};
use object::read::elf::{FileHeader, SectionHeader, SectionTable, Sym};
use object::{LittleEndian, SymbolIndex};

use super::header::{self, Texts};
use super::segments::Segments;
use super::{Fault, LoadErrorKind, dynamic, machine, versions};

pub(super) const ENDIAN: LittleEndian = LittleEndian;

pub(super) type Elf = FileHeader64<LittleEndian>;
pub(super) type Sections<'a> = SectionTable<'a, Elf>;

/// What the bytes were found to be.
pub(super) struct Checked {
    /// The exported symbol, which starts with [`SYMBOL_PREFIX`].
    pub(super) symbol: String,
    /// The symbol's address, relative to where the library is mapped.
    pub(super) address: u64,
    /// The header's first [`header::PLAIN`] bytes.
    pub(super) plain: Vec<u8>,
    pub(super) header: Texts,
    /// Where its code is, relative to where the library is mapped.
    pub(super) code: Vec<Range<u64>>,
    /// The libraries that it needs, by name.
    pub(super) needed: Vec<String>,
}

impl Checked {
    /// The name of the plugin's package.
    pub(super) fn package(&self) -> &str {
        &self.symbol[SYMBOL_PREFIX.len()..]
    }
}

/// Checks that `bytes` are a shared library for this machine which exports one plugin of this epoch.
pub(super) fn check(bytes: &[u8]) -> Result<Checked, Fault> {
    let file = machine::file_header(bytes)?;
    let segments = Segments::read(file, bytes)?;
    let sections = sections(file, bytes)?;
    segments.check(file, &sections)?;
    let needed = dynamic::check(&sections, &segments, bytes)?;
    let (symbol, address, length) = exported(&sections, bytes)?;
    let found = segments.in_file(address);
    let header = header::check(&symbol, length, found)?;
    // After the header, since "built for another host" says more than "built for another system".
    versions(&sections, bytes)?;
    Ok(Checked {
        symbol,
        address,
        plain: found[..header::PLAIN].to_vec(),
        header,
        code: segments.code().collect(),
        needed,
    })
}

/// The sections, each of which lies in the file.
fn sections<'a>(file: &Elf, bytes: &'a [u8]) -> Result<Sections<'a>, Fault> {
    let length = u64::from(file.e_shentsize(ENDIAN)) * u64::from(file.e_shnum(ENDIAN));
    if !lies_in(bytes, file.e_shoff(ENDIAN), length) {
        return Err(truncated("section table", bytes));
    }
    let sections = file
        .sections(ENDIAN, bytes)
        .map_err(|error| damaged(&error))?;
    let in_file =
        |section: &&SectionHeader64<LittleEndian>| section.sh_type(ENDIAN) != elf::SHT_NOBITS;
    for section in sections.iter().filter(in_file) {
        if !lies_in(bytes, section.sh_offset(ENDIAN), section.sh_size(ENDIAN)) {
            return Err(truncated("sections", bytes));
        }
    }
    Ok(sections)
}

/// The one exported symbol that is a plugin's header: name, address and length.
fn exported(sections: &Sections<'_>, bytes: &[u8]) -> Result<(String, u64, u64), Fault> {
    let table = sections
        .symbols(ENDIAN, bytes, elf::SHT_DYNSYM)
        .map_err(|error| damaged(&error))?;
    let mut found = Vec::new();
    for index in 1..table.len() {
        let symbol = table
            .symbol(SymbolIndex(index))
            .map_err(|error| damaged(&error))?;
        let name = table
            .symbol_name(ENDIAN, symbol)
            .map_err(|error| damaged(&error))?;
        let defined = symbol.st_type() == elf::STT_OBJECT && !symbol.is_undefined(ENDIAN);
        if defined && name.starts_with(SYMBOL_PREFIX.as_bytes()) {
            let name = String::from_utf8_lossy(name).into_owned();
            found.push((name, symbol.st_value(ENDIAN), symbol.st_size(ENDIAN)));
        }
    }
    match (found.pop(), found.as_slice()) {
        (Some(only), []) => Ok(only),
        (Some(last), others) => {
            let mut names: Vec<_> = others.iter().map(|other| other.0.as_str()).collect();
            names.push(&last.0);
            Err(Fault::new(
                LoadErrorKind::SeveralPlugins,
                format!("it exports {} plugins: {}", names.len(), names.join(", ")),
                "use `export_plugin!` once in a library, and link no other plugin into it",
            ))
        }
        (None, _) => Err(Fault::new(
            LoadErrorKind::NotAPlugin,
            format!("it is a shared library, but exports no symbol {SYMBOL_PREFIX}…"),
            "export a plugin with `export_plugin!` from a crate of type cdylib",
        )),
    }
}

/// Refuses what needs a newer C library than the one that runs.
fn versions(sections: &Sections<'_>, bytes: &[u8]) -> Result<(), Fault> {
    let broken = |error: object::Error| damaged(&error);
    let Some((needs, link)) = sections.gnu_verneed(ENDIAN, bytes).map_err(broken)? else {
        return Ok(());
    };
    let strings = sections.strings(ENDIAN, bytes, link).map_err(broken)?;
    let Some(running) = versions::of_running_libc() else {
        return Ok(());
    };
    for need in needs {
        let (_, symbols) = need.map_err(broken)?;
        for symbol in symbols {
            let name = symbol
                .map_err(broken)?
                .name(ENDIAN, strings)
                .map_err(broken)?;
            let name = String::from_utf8_lossy(name);
            if versions::of_symbol(&name).is_some_and(|needed| needed > running) {
                let (major, minor) = running;
                return Err(Fault::new(
                    LoadErrorKind::MissingSymbolVersion,
                    format!("it needs {name}; the C library here is glibc {major}.{minor}"),
                    format!("build it on a system with glibc {major}.{minor} or older"),
                ));
            }
        }
    }
    Ok(())
}

pub(super) fn lies_in(bytes: &[u8], start: u64, length: u64) -> bool {
    start
        .checked_add(length)
        .and_then(|end| usize::try_from(end).ok())
        .is_some_and(|end| end <= bytes.len())
}

pub(super) fn truncated(what: &str, bytes: &[u8]) -> Fault {
    Fault::new(
        LoadErrorKind::Truncated,
        format!(
            "it has {} bytes, and its {what} would go on after them",
            bytes.len()
        ),
        "copy it again, whole",
    )
}

pub(super) fn damaged(error: &dyn std::fmt::Display) -> Fault {
    Fault::new(
        LoadErrorKind::Damaged,
        format!("its ELF tables are damaged: {error}"),
        "build or copy it again",
    )
}

pub(super) fn not_a_library(found: &str) -> Fault {
    Fault::new(
        LoadErrorKind::NotALibrary,
        format!("it is {found}, not a shared library"),
        "build the plugin's crate with crate-type = [\"cdylib\"]",
    )
}
