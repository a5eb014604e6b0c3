use std::fs;

use crate::failure::Failure;

/// What the kernel calls this run of the machine.
pub(crate) type BootId = [u8; 36];

pub(crate) fn boot_id() -> Result<BootId, Failure> {
    const FROM: &str = "/proc/sys/kernel/random/boot_id";
    let read = fs::read(FROM).map_err(|error| Failure::io(FROM, &error))?;
    let id = read.first_chunk::<36>().copied();
    id.ok_or_else(|| Failure::other(format_args!("{FROM} holds no boot id")))
}
