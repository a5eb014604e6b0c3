//! What a library's program headers have mapped: checked against each other, and against the sections.

use std::ops::Range;

use object::LittleEndian;
use object::elf::{self, ProgramHeader64, SectionHeader64};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};

use super::Fault;
use super::elf::{ENDIAN, Elf, Sections, damaged, lies_in, not_a_library, truncated};

/// The smallest page of any machine. The dynamic linker demands its own machine's.
const PAGE: u64 = 4096;
/// More than the code of a library can reach.
const LARGEST: u64 = 1 << 32;

/// The program headers, each of which lies in the file with all that it names.
pub(super) struct Segments<'a> {
    all: Vec<Segment>,
    bytes: &'a [u8],
}

/// One of them.
struct Segment {
    kind: elf::ProgramType,
    flags: u32,
    offset: u64,
    address: u64,
    in_file: u64,
    in_memory: u64,
    align: u64,
}

impl Segment {
    fn new(header: &ProgramHeader64<LittleEndian>) -> Self {
        Self {
            kind: header.p_type(ENDIAN),
            flags: header.p_flags(ENDIAN).0,
            offset: header.p_offset(ENDIAN),
            address: header.p_vaddr(ENDIAN),
            in_file: header.p_filesz(ENDIAN),
            in_memory: header.p_memsz(ENDIAN),
            align: header.p_align(ENDIAN),
        }
    }

    fn may(&self, access: elf::ProgramFlags) -> bool {
        self.flags & access.0 != 0
    }

    /// The end in memory; saturated, which no mapping reaches.
    fn end(&self) -> u64 {
        self.address.saturating_add(self.in_memory)
    }

    /// Whether the range of addresses lies in it.
    fn holds(&self, address: u64, length: u64) -> bool {
        let end = address.checked_add(length);
        self.address <= address && end.is_some_and(|end| end <= self.end())
    }

    /// Whether that range of addresses is mapped from that place in the file.
    fn maps(&self, offset: u64, address: u64, length: u64) -> bool {
        let end = address.checked_add(length);
        self.address <= address
            && end.is_some_and(|end| end <= self.address.saturating_add(self.in_file))
            && offset.checked_sub(self.offset) == Some(address - self.address)
    }

    fn names(&self, section: &SectionHeader64<LittleEndian>) -> bool {
        self.offset == section.sh_offset(ENDIAN)
            && self.address == section.sh_addr(ENDIAN)
            && self.in_file == section.sh_size(ENDIAN)
    }
}

impl<'a> Segments<'a> {
    pub(super) fn read(file: &Elf, bytes: &'a [u8]) -> Result<Self, Fault> {
        let length = u64::from(file.e_phentsize(ENDIAN)) * u64::from(file.e_phnum(ENDIAN));
        if !lies_in(bytes, file.e_phoff(ENDIAN), length) {
            return Err(truncated("program headers", bytes));
        }
        let headers = file
            .program_headers(ENDIAN, bytes)
            .map_err(|error| damaged(&error))?;
        let all: Vec<_> = headers.iter().map(Segment::new).collect();
        for segment in &all {
            if !lies_in(bytes, segment.offset, segment.in_file) {
                return Err(truncated("segments", bytes));
            }
        }
        if !all.iter().any(|segment| segment.kind == elf::PT_LOAD) {
            return Err(not_a_library("an ELF file with nothing to load"));
        }
        Ok(Self { all, bytes })
    }

    fn loaded(&self) -> impl Iterator<Item = &Segment> {
        self.of(elf::PT_LOAD)
    }

    fn of(&self, kind: elf::ProgramType) -> impl Iterator<Item = &Segment> {
        self.all.iter().filter(move |segment| segment.kind == kind)
    }

    /// The only one of that kind, if there is any.
    fn only(&self, kind: elf::ProgramType, name: &str) -> Result<Option<&Segment>, Fault> {
        let mut found = self.of(kind);
        match (found.next(), found.next()) {
            (found, None) => Ok(found),
            _ => Err(damaged(&format!("it has several segments {name}"))),
        }
    }

    /// Whether the address is in code.
    pub(super) fn is_code(&self, address: u64) -> bool {
        self.code().any(|code| code.contains(&address))
    }

    /// Where its code is.
    pub(super) fn code(&self) -> impl Iterator<Item = Range<u64>> {
        let code = self.loaded().filter(|segment| segment.may(elf::PF_X));
        code.map(|segment| segment.address..segment.address.saturating_add(segment.in_file))
    }

    /// The file's bytes which are mapped from `address` on; none if there are none.
    pub(super) fn in_file(&self, address: u64) -> &'a [u8] {
        let usize = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        for segment in self.loaded() {
            if let Some(skipped) = address.checked_sub(segment.address)
                && skipped < segment.in_file
            {
                let end = segment.offset.saturating_add(segment.in_file);
                let start = segment.offset.saturating_add(skipped);
                return self.bytes.get(usize(start)..usize(end)).unwrap_or_default();
            }
        }
        &[]
    }

    /// Checks that what is mapped is what the sections say, and that the other program headers name parts of it.
    pub(super) fn check(&self, file: &Elf, sections: &Sections<'_>) -> Result<(), Fault> {
        self.check_loaded()?;
        for section in sections.iter() {
            self.check_section(section)?;
        }
        self.check_parts(file)?;
        self.check_dynamic(sections)?;
        self.check_thread_locals(sections)?;
        self.check_unwinding(sections)
    }

    fn check_loaded(&self) -> Result<(), Fault> {
        let mut end = 0;
        for segment in self.loaded() {
            let Segment { align, address, .. } = *segment;
            let fault = if segment.in_file > segment.in_memory {
                "a segment is longer in the file than in memory"
            } else if !align.is_power_of_two() || !(PAGE..=LARGEST).contains(&align) {
                "a segment is not aligned to pages"
            } else if segment.offset % align != address % align {
                "a segment cannot be mapped at its address"
            } else if address < end {
                "its segments overlap, or are not in their order"
            } else if segment.end() > LARGEST {
                "a segment ends beyond 4 GiB"
            } else if !segment.may(elf::PF_R) {
                "a segment cannot be read"
            } else {
                end = segment.end();
                continue;
            };
            return Err(damaged(&fault));
        }
        Ok(())
    }

    /// What the program uses of a section, it finds where the section says.
    fn check_section(&self, section: &SectionHeader64<LittleEndian>) -> Result<(), Fault> {
        let has = |flag: elf::SectionFlags| section.sh_flags(ENDIAN).0 & flag.0 != 0;
        let (address, length) = (section.sh_addr(ENDIAN), section.sh_size(ENDIAN));
        let is_zeroed = section.sh_type(ENDIAN) == elf::SHT_NOBITS;
        // Thread-local zeros are in no mapping.
        if !has(elf::SHF_ALLOC) || length == 0 || (is_zeroed && has(elf::SHF_TLS)) {
            return Ok(());
        }
        let is_mapped = |segment: &Segment| {
            let offset = section.sh_offset(ENDIAN);
            let maps = if is_zeroed {
                segment.holds(address, length)
            } else {
                segment.maps(offset, address, length)
            };
            maps && (segment.may(elf::PF_W) || !has(elf::SHF_WRITE))
                && (segment.may(elf::PF_X) || !has(elf::SHF_EXECINSTR))
        };
        if self.loaded().any(is_mapped) {
            return Ok(());
        }
        Err(damaged(&format!(
            "the section at {address:#x} is not mapped as it says"
        )))
    }

    /// Program headers that name a part of what is loaded.
    fn check_parts(&self, file: &Elf) -> Result<(), Fault> {
        let parts = [
            (elf::PT_PHDR, "PT_PHDR"),
            (elf::PT_DYNAMIC, "PT_DYNAMIC"),
            (elf::PT_TLS, "PT_TLS"),
            (elf::PT_GNU_RELRO, "PT_GNU_RELRO"),
            (elf::PT_GNU_EH_FRAME, "PT_GNU_EH_FRAME"),
            (elf::PT_NOTE, "PT_NOTE"),
            (elf::PT_GNU_PROPERTY, "PT_GNU_PROPERTY"),
        ];
        for (kind, name) in parts {
            for part in self.of(kind) {
                let maps = |segment: &Segment| {
                    segment.maps(part.offset, part.address, part.in_file)
                        // These two go on beyond it, and have a check of their own.
                        && (matches!(kind, elf::PT_TLS | elf::PT_GNU_RELRO)
                            || segment.holds(part.address, part.in_memory))
                };
                if part.in_file > part.in_memory || !self.loaded().any(maps) {
                    return Err(damaged(&format!("{name} is no part of what is loaded")));
                }
            }
        }
        if let Some(own) = self.only(elf::PT_PHDR, "PT_PHDR")?
            && own.offset != file.e_phoff(ENDIAN)
        {
            return Err(damaged(&"PT_PHDR is not where the program headers are"));
        }
        self.check_protected()
    }

    /// What is write-protected after relocation begins with a segment, and ends with it or with a page of it.
    fn check_protected(&self) -> Result<(), Fault> {
        let Some(relro) = self.only(elf::PT_GNU_RELRO, "PT_GNU_RELRO")? else {
            return Ok(());
        };
        let fits = |segment: &Segment| {
            let padded = segment.end().checked_next_multiple_of(segment.align);
            let in_whole_pages = relro.end().is_multiple_of(PAGE)
                && padded.is_some_and(|padded| relro.end() <= padded);
            segment.may(elf::PF_W)
                && segment.address == relro.address
                && (segment.end() == relro.end() || in_whole_pages)
        };
        if self.loaded().any(fits) {
            Ok(())
        } else {
            Err(damaged(&"PT_GNU_RELRO is no whole pages of a segment"))
        }
    }

    /// The dynamic linker reads the dynamic table by its program header, and the checks by its section.
    fn check_dynamic(&self, sections: &Sections<'_>) -> Result<(), Fault> {
        let segment = self.only(elf::PT_DYNAMIC, "PT_DYNAMIC")?;
        let mut tables = sections
            .iter()
            .filter(|section| section.sh_type(ENDIAN) == elf::SHT_DYNAMIC);
        match (segment, tables.next(), tables.next()) {
            (Some(segment), Some(table), None) if segment.names(table) => Ok(()),
            _ => Err(damaged(&"PT_DYNAMIC is not its one dynamic table")),
        }
    }

    fn check_thread_locals(&self, sections: &Sections<'_>) -> Result<(), Fault> {
        let parts = sections
            .iter()
            .filter(|section| section.sh_flags(ENDIAN).0 & elf::SHF_TLS.0 != 0)
            .map(|section| {
                let address = section.sh_addr(ENDIAN);
                (address, address.saturating_add(section.sh_size(ENDIAN)))
            });
        let whole = parts.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
        let segment = self.only(elf::PT_TLS, "PT_TLS")?;
        let fits = match (segment, whole) {
            (None, None) => true,
            (Some(segment), Some((start, end))) => {
                let padded = end.checked_next_multiple_of(segment.align.max(1));
                segment.align.is_power_of_two()
                    && segment.align <= PAGE
                    && segment.address == start
                    && end <= segment.end()
                    && padded.is_some_and(|padded| segment.end() <= padded)
            }
            _ => false,
        };
        if fits {
            Ok(())
        } else {
            Err(damaged(&"PT_TLS is not its thread-local sections"))
        }
    }

    /// Without its table a panic could not be caught.
    fn check_unwinding(&self, sections: &Sections<'_>) -> Result<(), Fault> {
        let table = sections.section_by_name(ENDIAN, b".eh_frame_hdr");
        let segment = self.only(elf::PT_GNU_EH_FRAME, "PT_GNU_EH_FRAME")?;
        match (segment, table) {
            (Some(segment), Some((_, table))) if segment.names(table) => Ok(()),
            (None, None) => Ok(()),
            _ => Err(damaged(&"PT_GNU_EH_FRAME is not its table for unwinding")),
        }
    }
}
