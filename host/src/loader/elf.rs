//! Checks a plugin's bytes as ELF, as strictly as is needed for the dynamic linker to be safe with them.
//!
//! The linker itself trusts its input: a file that ends early kills the process with SIGBUS when it is mapped.

use std::ops::Range;

use dogpile_plugin_api::abi::SYMBOL_PREFIX;
use object::elf::{self, FileHeader64, ProgramHeader64, SectionHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader, SectionTable, Sym};
use object::{LittleEndian, SymbolIndex};

use super::header::{self, Texts};
use super::{Fault, LoadErrorKind, machine, versions};

pub(super) const ENDIAN: LittleEndian = LittleEndian;

pub(super) type Elf = FileHeader64<LittleEndian>;
type Sections<'a> = SectionTable<'a, Elf>;

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
    let segments = segments(file, bytes)?;
    let sections = sections(file, bytes)?;
    let needed = needed(&sections, bytes)?;
    let (symbol, address, length) = exported(&sections, bytes)?;
    let found = in_file(segments, bytes, address);
    let header = header::check(&symbol, length, found)?;
    // After the header, since "built for another host" says more than "built for another system".
    versions(&sections, bytes)?;
    Ok(Checked {
        symbol,
        address,
        plain: found[..header::PLAIN].to_vec(),
        header,
        code: code(segments),
        needed,
    })
}

/// The program headers, each of which lies in the file with all that it names.
fn segments<'a>(file: &Elf, bytes: &'a [u8]) -> Result<&'a [ProgramHeader64<LittleEndian>], Fault> {
    let length = u64::from(file.e_phentsize(ENDIAN)) * u64::from(file.e_phnum(ENDIAN));
    if !lies_in(bytes, file.e_phoff(ENDIAN), length) {
        return Err(truncated("program headers", bytes));
    }
    let segments = file
        .program_headers(ENDIAN, bytes)
        .map_err(|error| damaged(&error))?;
    for segment in segments {
        if !lies_in(bytes, segment.p_offset(ENDIAN), segment.p_filesz(ENDIAN)) {
            return Err(truncated("segments", bytes));
        }
    }
    if !segments.iter().any(is_loaded) {
        return Err(not_a_library("an ELF file with nothing to load"));
    }
    Ok(segments)
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

/// The names of the libraries that it needs.
fn needed(sections: &Sections<'_>, bytes: &[u8]) -> Result<Vec<String>, Fault> {
    let mut needed = Vec::new();
    let table = sections
        .dynamic_table(ENDIAN, bytes)
        .map_err(|error| damaged(&error))?;
    for entry in table.dynamics() {
        match entry.d_tag(ENDIAN) {
            elf::DT_NULL => break,
            elf::DT_FLAGS_1 if entry.d_val(ENDIAN) & PIE != 0 => {
                return Err(not_a_library("a program"));
            }
            elf::DT_NEEDED => {
                let name = u32::try_from(entry.d_val(ENDIAN))
                    .ok()
                    .and_then(|at| table.strings().get(at).ok())
                    .ok_or_else(|| damaged(&"the name of a needed library is not in the file"))?;
                needed.push(String::from_utf8_lossy(name).into_owned());
            }
            _ => {}
        }
    }
    Ok(needed)
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

/// The file's bytes which are mapped from `address` on; none if there are none.
fn in_file<'a>(
    segments: &[ProgramHeader64<LittleEndian>],
    bytes: &'a [u8],
    address: u64,
) -> &'a [u8] {
    for segment in segments.iter().filter(|segment| is_loaded(segment)) {
        let start = segment.p_vaddr(ENDIAN);
        let Some(skipped) = address.checked_sub(start) else {
            continue;
        };
        if skipped < segment.p_filesz(ENDIAN) {
            let data = segment.data(ENDIAN, bytes).unwrap_or_default();
            let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
            return data.get(skipped..).unwrap_or_default();
        }
    }
    &[]
}

fn code(segments: &[ProgramHeader64<LittleEndian>]) -> Vec<Range<u64>> {
    segments
        .iter()
        .filter(|segment| is_loaded(segment) && segment.p_flags(ENDIAN).0 & elf::PF_X.0 != 0)
        .map(|segment| {
            let start = segment.p_vaddr(ENDIAN);
            start..start.saturating_add(segment.p_filesz(ENDIAN))
        })
        .collect()
}

fn is_loaded(segment: &ProgramHeader64<LittleEndian>) -> bool {
    segment.p_type(ENDIAN) == elf::PT_LOAD
}

fn lies_in(bytes: &[u8], start: u64, length: u64) -> bool {
    start
        .checked_add(length)
        .and_then(|end| usize::try_from(end).ok())
        .is_some_and(|end| end <= bytes.len())
}

const PIE: u64 = elf::DF_1_PIE.0;

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
