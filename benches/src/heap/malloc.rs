//! What glibc's allocator has given out. The one module with unsafe code: a call of a C function without arguments.
#![allow(unsafe_code)]

/// Bytes in use, of all arenas and in mappings of their own.
pub(super) fn in_use() -> usize {
    // SAFETY: it takes nothing, gives a plain struct, and takes the allocator's locks itself.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}
