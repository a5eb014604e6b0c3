//! The layout that every value starts with, and the table through which its maker is asked to free it.

use std::sync::atomic::{AtomicU32, Ordering, fence};

use abi_stable::StableAbi;

/// What a value's payload is. A byte in the header; unknown numbers are refused where a value enters.
pub(crate) mod kind {
    /// Bytes that follow the key.
    pub(crate) const INLINE: u8 = 0;
    /// A `Vec<u8>` of the maker's image that follows the key; read through [`super::External`].
    pub(crate) const EXTERNAL: u8 = 1;
    /// A `T` of the maker's image that follows the key.
    pub(crate) const OBJECT: u8 = 2;
    /// An error: bytes as in `INLINE`, with the error's kind in `code`.
    pub(crate) const ERROR: u8 = 3;
}

/// The start of every value: one cache line of 64 bytes, then the key's bytes, then the payload at its alignment.
///
/// Numbers that are compared on every hit (`hash`, `created`, `started`) stand beside the reference count, whose line
/// a hit must own anyway.
#[repr(C)]
#[derive(StableAbi)]
pub struct Header {
    pub(crate) vtable: *const ValueVtable,
    pub(crate) references: AtomicU32,
    pub(crate) mark: AtomicU32,
    pub(crate) hash: u64,
    pub(crate) created: u64,
    pub(crate) started: u64,
    pub(crate) keep_until: u64,
    pub(crate) key_length: u32,
    /// Of bytes, how many they are; of an object, where its extra starts, in bytes from the header's start, or 0.
    pub(crate) length: u32,
    pub(crate) weight: u32,
    pub(crate) kind: u8,
    /// Where the key starts, in bytes from the header's start: a later interface may put more behind this header.
    pub(crate) key_offset: u8,
    /// Of an error, its [`crate::ErrorKind`]; else 0.
    pub(crate) code: u16,
}

const _: () = assert!(size_of::<Header>() == 64);

/// The header's length as it is written into new values.
#[expect(clippy::cast_possible_truncation, reason = "64, asserted above")]
pub(crate) const HEADER_LENGTH: u8 = size_of::<Header>() as u8;

/// How the image that made a value frees it and recognises it.
#[repr(C)]
#[derive(StableAbi)]
pub struct ValueVtable {
    /// Drops the payload and frees the allocation. Called once, by whoever gave up the last reference, on any thread.
    pub(crate) destroy: unsafe extern "C" fn(*mut Header),
    /// [`IMAGE`] of the image that made the value.
    pub(crate) image: *const u8,
    /// Whether an object is of the type whose `TypeId` is given; only called by the image that made it.
    pub(crate) is: unsafe extern "C" fn(type_id: *const ()) -> bool,
    /// Zeros.
    pub(crate) reserved: [usize; 4],
}

// SAFETY: the pointers are addresses of statics which are never written.
unsafe impl Sync for ValueVtable {}

/// Its address tells the images (the host, each plugin) of a process apart.
pub(crate) static IMAGE: u8 = 0;

/// Where and how long a `Vec<u8>` is that a value carries, in C layout: readable by every image, freed by its maker.
#[repr(C)]
pub(crate) struct External {
    pub(crate) bytes: *mut u8,
    pub(crate) length: usize,
    pub(crate) capacity: usize,
}

impl Header {
    /// One more reference. Like `Arc`, ends the process rather than overflow the count.
    #[inline]
    pub(crate) fn retain(&self) {
        if self.references.fetch_add(1, Ordering::Relaxed) > u32::MAX / 2 {
            std::process::abort();
        }
    }

    /// One reference less; true if it was the last and the value must be destroyed.
    #[inline]
    pub(crate) fn release(&self) -> bool {
        if self.references.fetch_sub(1, Ordering::Release) != 1 {
            return false;
        }
        fence(Ordering::Acquire);
        true
    }
}
