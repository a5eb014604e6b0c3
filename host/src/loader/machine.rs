//! The start of an ELF file, which says for what machine it is.

use object::elf;
use object::read::elf::FileHeader;

use super::elf::{ENDIAN, Elf, damaged, not_a_library, truncated};
use super::{Fault, LoadErrorKind};

#[cfg(target_arch = "x86_64")]
const MACHINE: elf::Machine = elf::EM_X86_64;
#[cfg(target_arch = "aarch64")]
const MACHINE: elf::Machine = elf::EM_AARCH64;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("the loader knows the ELF files of x86-64 and aarch64 only");

fn machine_name(machine: elf::Machine) -> &'static str {
    match machine {
        elf::EM_X86_64 => "x86-64",
        elf::EM_AARCH64 => "aarch64",
        elf::EM_386 => "x86",
        elf::EM_ARM => "arm",
        elf::EM_RISCV => "riscv",
        elf::EM_PPC64 => "ppc64",
        elf::EM_S390 => "s390",
        _ => "another",
    }
}

/// The first 64 bytes, if they are those of a library for this machine.
pub(super) fn file_header(bytes: &[u8]) -> Result<&Elf, Fault> {
    let rebuild = || {
        format!(
            "build it for {}, the target of this host",
            std::env::consts::ARCH
        )
    };
    if !bytes.starts_with(&elf::ELFMAG) {
        return Err(Fault::new(
            LoadErrorKind::NotElf,
            "it is not an ELF file",
            "name a shared library, lib….so",
        ));
    }
    let (class, order) = (bytes.get(4).copied(), bytes.get(5).copied());
    if class.is_some_and(|class| class != elf::ELFCLASS64.0) {
        return Err(Fault::new(
            LoadErrorKind::WrongClass,
            "it is not a 64-bit file",
            rebuild(),
        ));
    }
    if order.is_some_and(|order| order != elf::ELFDATA2LSB.0) {
        return Err(Fault::new(
            LoadErrorKind::WrongMachine,
            "it is built for a machine of the other byte order",
            rebuild(),
        ));
    }
    if bytes.len() < size_of::<Elf>() {
        return Err(truncated("ELF header", bytes));
    }
    let file = Elf::parse(bytes).map_err(|error| damaged(&error))?;
    let machine = file.e_machine(ENDIAN);
    if machine != MACHINE {
        return Err(Fault::new(
            LoadErrorKind::WrongMachine,
            format!(
                "it is built for machine {} ({}); this is {} ({})",
                machine.0,
                machine_name(machine),
                MACHINE.0,
                machine_name(MACHINE)
            ),
            rebuild(),
        ));
    }
    let kind = match file.e_type(ENDIAN) {
        elf::ET_DYN => return Ok(file),
        elf::ET_REL => "an object file",
        elf::ET_EXEC => "a program",
        elf::ET_CORE => "a core dump",
        _ => "an ELF file of an unknown kind",
    };
    Err(not_a_library(kind))
}
