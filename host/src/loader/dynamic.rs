//! A library's dynamic table, by which the dynamic linker finds everything else: checked against the sections.

use std::collections::BTreeMap;

use object::LittleEndian;
use object::elf::{self, DynamicTag, SectionHeader64, SectionType};
use object::read::elf::{Dyn, SectionHeader};

use super::Fault;
use super::elf::{ENDIAN, Sections, damaged, not_a_library};
use super::segments::Segments;

type Section = SectionHeader64<LittleEndian>;

/// Tables with a section of their own: the entries with address, length and number of elements.
struct Table {
    kind: SectionType,
    address: DynamicTag,
    length: Option<DynamicTag>,
    count: Option<DynamicTag>,
}

const fn table(
    kind: SectionType,
    address: DynamicTag,
    length: Option<DynamicTag>,
    count: Option<DynamicTag>,
) -> Table {
    Table {
        kind,
        address,
        length,
        count,
    }
}

const TABLES: &[Table] = &[
    table(elf::SHT_DYNSYM, elf::DT_SYMTAB, None, None),
    table(elf::SHT_HASH, elf::DT_HASH, None, None),
    table(elf::SHT_GNU_HASH, elf::DT_GNU_HASH, None, None),
    table(elf::SHT_GNU_VERSYM, elf::DT_VERSYM, None, None),
    table(
        elf::SHT_GNU_VERNEED,
        elf::DT_VERNEED,
        None,
        Some(elf::DT_VERNEEDNUM),
    ),
    table(
        elf::SHT_GNU_VERDEF,
        elf::DT_VERDEF,
        None,
        Some(elf::DT_VERDEFNUM),
    ),
    table(
        elf::SHT_PREINIT_ARRAY,
        elf::DT_PREINIT_ARRAY,
        Some(elf::DT_PREINIT_ARRAYSZ),
        None,
    ),
    table(
        elf::SHT_INIT_ARRAY,
        elf::DT_INIT_ARRAY,
        Some(elf::DT_INIT_ARRAYSZ),
        None,
    ),
    table(
        elf::SHT_FINI_ARRAY,
        elf::DT_FINI_ARRAY,
        Some(elf::DT_FINI_ARRAYSZ),
        None,
    ),
    table(elf::SHT_RELR, elf::DT_RELR, Some(elf::DT_RELRSZ), None),
];

/// Entries with one right value, which are there if and only if another is: the lengths of elements, and the kind of
/// relocations.
const CONSTANTS: &[(DynamicTag, u64, DynamicTag)] = &[
    (elf::DT_SYMENT, 24, elf::DT_SYMTAB),
    (elf::DT_RELAENT, RELOCATION, elf::DT_RELA),
    (elf::DT_RELRENT, 8, elf::DT_RELR),
    (elf::DT_PLTREL, 7, elf::DT_JMPREL),
];
const RELOCATION: u64 = 24;

/// Offsets into the strings.
const STRINGS: &[DynamicTag] = &[elf::DT_SONAME, elf::DT_RPATH, elf::DT_RUNPATH];

/// Checks that the table's addresses and lengths are those of the sections, and gives the names of the libraries that
/// are needed.
pub(super) fn check(
    sections: &Sections<'_>,
    segments: &Segments<'_>,
    bytes: &[u8],
) -> Result<Vec<String>, Fault> {
    let (entries, needed) = read(sections, bytes)?;
    for table in TABLES {
        entries.check_table(table, sections)?;
    }
    for (tag, right, of) in CONSTANTS {
        if entries.get(*tag) != entries.get(*of).map(|_| *right) {
            return Err(wrong(*tag));
        }
    }
    entries.check_strings(sections)?;
    entries.check_relocations(sections)?;
    for tag in [elf::DT_INIT, elf::DT_FINI] {
        if entries.get(tag).is_some_and(|at| !segments.is_code(at)) {
            return Err(wrong(tag));
        }
    }
    let begins = |at: u64| {
        let flags = elf::SHF_ALLOC.0 | elf::SHF_WRITE.0;
        move |section: &Section| {
            section.sh_addr(ENDIAN) == at && section.sh_flags(ENDIAN).0 & flags == flags
        }
    };
    match entries.get(elf::DT_PLTGOT) {
        Some(at) if !sections.iter().any(begins(at)) => Err(wrong(elf::DT_PLTGOT)),
        _ => Ok(needed),
    }
}

/// The entries, each tag once, and the names of needed libraries.
fn read(sections: &Sections<'_>, bytes: &[u8]) -> Result<(Entries, Vec<String>), Fault> {
    let (mut entries, mut needed) = (BTreeMap::new(), Vec::new());
    let table = sections
        .dynamic_table(ENDIAN, bytes)
        .map_err(|error| damaged(&error))?;
    let mut ends = false;
    for entry in table.dynamics() {
        let (tag, value) = (entry.d_tag(ENDIAN), entry.d_val(ENDIAN));
        match tag {
            elf::DT_NULL => {
                ends = true;
                break;
            }
            elf::DT_FLAGS_1 if value & PIE != 0 => return Err(not_a_library("a program")),
            elf::DT_NEEDED => {
                let name = u32::try_from(value)
                    .ok()
                    .and_then(|at| table.strings().get(at).ok())
                    .ok_or_else(|| damaged(&"the name of a needed library is not in the file"))?;
                needed.push(String::from_utf8_lossy(name).into_owned());
            }
            _ if entries.insert(tag.0, value).is_some() => {
                return Err(damaged(&format!("its dynamic table has {tag:?} twice")));
            }
            _ => {}
        }
    }
    if ends {
        Ok((Entries(entries), needed))
    } else {
        Err(damaged(&"its dynamic table has no end"))
    }
}

const PIE: u64 = elf::DF_1_PIE.0;

/// Values by tag.
struct Entries(BTreeMap<i64, u64>);

impl Entries {
    fn get(&self, tag: DynamicTag) -> Option<u64> {
        self.0.get(&tag.0).copied()
    }

    /// The table has an entry if and only if it has a section, and both say the same.
    fn check_table(&self, table: &Table, sections: &Sections<'_>) -> Result<(), Fault> {
        let mut found = loaded(sections, table.kind);
        let (section, more) = (found.next(), found.next());
        let pairs = [
            (
                Some(table.address),
                section.map(|section| section.sh_addr(ENDIAN)),
            ),
            (table.length, section.map(|section| section.sh_size(ENDIAN))),
            (
                table.count,
                section.map(|section| u64::from(section.sh_info(ENDIAN))),
            ),
        ];
        for (tag, right) in pairs {
            if let Some(tag) = tag
                && (self.get(tag) != right || more.is_some())
            {
                return Err(wrong(tag));
            }
        }
        Ok(())
    }

    /// The strings are those of the symbols.
    fn check_strings(&self, sections: &Sections<'_>) -> Result<(), Fault> {
        let symbols = loaded(sections, elf::SHT_DYNSYM).next();
        let strings = symbols.and_then(|symbols| {
            let link = usize::try_from(symbols.sh_link(ENDIAN)).ok()?;
            sections.iter().nth(link)
        });
        let Some(strings) = strings else {
            return Err(wrong(elf::DT_STRTAB));
        };
        let length = strings.sh_size(ENDIAN);
        for (tag, right) in [
            (elf::DT_STRTAB, strings.sh_addr(ENDIAN)),
            (elf::DT_STRSZ, length),
        ] {
            if self.get(tag) != Some(right) {
                return Err(wrong(tag));
            }
        }
        for tag in STRINGS {
            if self.get(*tag).is_some_and(|at| at >= length) {
                return Err(wrong(*tag));
            }
        }
        Ok(())
    }

    /// Two ranges of relocations, each of one section or of several that follow one another, are all that there are.
    fn check_relocations(&self, sections: &Sections<'_>) -> Result<(), Fault> {
        if self.get(elf::DT_REL).is_some() {
            return Err(damaged(
                &"it has relocations of a kind that this machine has not",
            ));
        }
        let ranges = [
            (elf::DT_RELA, elf::DT_RELASZ),
            (elf::DT_JMPREL, elf::DT_PLTRELSZ),
        ];
        let mut covered = 0;
        for (start, length) in ranges {
            let (from, bytes) = match (self.get(start), self.get(length)) {
                (Some(from), Some(bytes)) => (from, bytes),
                (None, None | Some(0)) => continue,
                _ => return Err(wrong(length)),
            };
            let end = from.checked_add(bytes).ok_or_else(|| wrong(length))?;
            let within = |section: &&Section| {
                let at = section.sh_addr(ENDIAN);
                from <= at && at.saturating_add(section.sh_size(ENDIAN)) <= end
            };
            let inside: u64 = loaded(sections, elf::SHT_RELA)
                .filter(within)
                .map(|section| section.sh_size(ENDIAN))
                .sum();
            // As many bytes as those sections have, none of which is counted unless it lies inside.
            if inside != bytes {
                return Err(wrong(start));
            }
            covered += inside;
        }
        let all: u64 = loaded(sections, elf::SHT_RELA)
            .map(|section| section.sh_size(ENDIAN))
            .sum();
        // Some linkers count those of the procedure table among the others.
        if covered < all {
            return Err(wrong(elf::DT_RELASZ));
        }
        let relative = self.get(elf::DT_RELACOUNT).unwrap_or(0);
        let length = self.get(elf::DT_RELASZ).unwrap_or(0);
        match relative.checked_mul(RELOCATION) {
            Some(relative) if relative <= length => Ok(()),
            _ => Err(wrong(elf::DT_RELACOUNT)),
        }
    }
}

/// Sections of that kind which are loaded and not empty.
fn loaded<'a>(
    sections: &Sections<'a>,
    kind: SectionType,
) -> impl Iterator<Item = &'a Section> + use<'a> {
    sections.iter().filter(move |section| {
        section.sh_type(ENDIAN) == kind
            && section.sh_flags(ENDIAN).0 & elf::SHF_ALLOC.0 != 0
            && section.sh_size(ENDIAN) > 0
    })
}

fn wrong(tag: DynamicTag) -> Fault {
    damaged(&format!(
        "{tag:?} of its dynamic table is not what its sections say"
    ))
}
