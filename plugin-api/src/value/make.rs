//! The only place that allocates and frees values.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::any::TypeId;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;

use super::header::{External, HEADER_LENGTH, Header, IMAGE, ValueVtable, kind};
use super::{Metadata, Value, align_up, unreferenced};
use crate::{Key, panics};

/// The table of objects of type `T` made by this image.
pub(super) const fn vtable<T: Send + Sync + 'static>() -> &'static ValueVtable {
    const {
        &ValueVtable {
            destroy: destroy_with::<T>,
            image: &raw const IMAGE,
            is: is::<T>,
            reserved: [0; 4],
        }
    }
}

/// The table of objects of type `T` that carry an `E`.
const fn vtable_with_extra<T: Send + Sync + 'static, E: Send + Sync + 'static>()
-> &'static ValueVtable {
    const {
        &ValueVtable {
            destroy: destroy_with_extra::<T, E>,
            image: &raw const IMAGE,
            is: is::<T>,
            reserved: [0; 4],
        }
    }
}

/// What an object carries beside itself, behind it, with its type in front.
#[repr(C)]
struct Extra<E> {
    type_id: TypeId,
    extra: E,
}

unsafe extern "C" fn is<T: 'static>(type_id: *const ()) -> bool {
    // SAFETY: called only within one image, by `Value::holds`, with the address of a `TypeId`.
    unsafe { *type_id.cast::<TypeId>() == TypeId::of::<T>() }
}

/// What an [`External`] is as a payload: a `Vec<u8>` that knows how to be freed.
#[repr(transparent)]
struct OwnedExternal(External);

// SAFETY: it owns its bytes and never changes them.
unsafe impl Send for OwnedExternal {}
// SAFETY: as above.
unsafe impl Sync for OwnedExternal {}

impl Drop for OwnedExternal {
    fn drop(&mut self) {
        // SAFETY: the three parts are those of a `Vec<u8>` that this image gave up in `Value::with`.
        drop(unsafe { Vec::from_raw_parts(self.0.bytes, self.0.length, self.0.capacity) });
    }
}

/// Bytes that lie inline have nothing to drop; their length is in the header.
unsafe extern "C" fn destroy_inline(header: *mut Header) {
    // SAFETY: the last reference is gone, and this is the layout that `allocate` was called with.
    unsafe {
        let (key, length) = ((*header).key_length as usize, (*header).length as usize);
        dealloc(header.cast(), inline_layout(key, length));
    }
}

static INLINE: ValueVtable = ValueVtable {
    destroy: destroy_inline,
    image: &raw const IMAGE,
    is: is::<[u8; 0]>,
    reserved: [0; 4],
};

unsafe extern "C" fn destroy_with<T>(header: *mut Header) {
    // SAFETY: the last reference is gone, a `T` lies behind the key, and this is the layout that `allocate` was called
    // with.
    unsafe {
        if is_kept::<T>(header) {
            return;
        }
        let layout = payload_layout::<T>((*header).key_length as usize);
        destroy(header, layout, || payload::<T>(header).drop_in_place());
    }
}

unsafe extern "C" fn destroy_with_extra<T, E>(header: *mut Header) {
    // SAFETY: as in `destroy_with`; an `Extra<E>` lies where the layout says. It is dropped even if the `T` panics.
    unsafe {
        if is_kept::<T>(header) {
            return;
        }
        let (layout, offset) = extra_layout::<T, E>((*header).key_length as usize);
        destroy(header, layout, || {
            let _extra = DropInPlace(header.byte_add(offset).cast::<Extra<E>>());
            payload::<T>(header).drop_in_place();
        });
    }
}

/// Whether it is kept, since dropping the `T` may run the program's code, and destroyed later.
///
/// # Safety
///
/// As for `destroy`.
unsafe fn is_kept<T>(header: *mut Header) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        std::mem::needs_drop::<T>()
            && (*header).kind == kind::OBJECT
            && unreferenced::keep(NonNull::new_unchecked(header))
    }
}

struct DropInPlace<E>(*mut E);

impl<E> Drop for DropInPlace<E> {
    fn drop(&mut self) {
        // SAFETY: made in `destroy_with_extra` alone, of what lives there.
        unsafe { self.0.drop_in_place() }
    }
}

/// Where the payload of type `T` lies.
///
/// # Safety
///
/// The header was written by `allocate`, with room for a `T` behind the key.
unsafe fn payload<T>(header: *mut Header) -> *mut T {
    // SAFETY: the caller's promise.
    unsafe {
        let key = (*header).key_length as usize;
        align_up::<T>(header.cast::<u8>().add(HEADER_LENGTH as usize + key))
    }
}

/// Drops what a value holds and frees its memory, even if the drop panics.
///
/// # Safety
///
/// The last reference is gone, and this is the layout that `allocate` was called with.
unsafe fn destroy(header: *mut Header, layout: Layout, drop_payload: impl FnOnce()) {
    struct Free(*mut Header, Layout);
    impl Drop for Free {
        fn drop(&mut self) {
            // SAFETY: the promise of `destroy`'s caller.
            unsafe { dealloc(self.0.cast(), self.1) }
        }
    }
    let free = Free(header, layout);
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(drop_payload));
    drop(free);
    if let Err(payload) = dropped {
        let message = panics::message(payload);
        tracing::error!(target: "dogpile", "the drop of a cached value panicked, its memory was freed: {message}");
    }
}

fn inline_layout(key: usize, length: usize) -> Layout {
    Layout::from_size_align(HEADER_LENGTH as usize + key + length, align_of::<Header>())
        .expect("lengths are below 4 GiB each")
}

fn payload_layout<T>(key: usize) -> Layout {
    let start = HEADER_LENGTH as usize + key;
    let align = align_of::<T>().max(align_of::<Header>());
    let padding = start.next_multiple_of(align_of::<T>()) - start;
    Layout::from_size_align(start + padding + size_of::<T>(), align)
        .expect("lengths are below 4 GiB each")
}

/// With an `Extra<E>` behind the payload, and where that is.
fn extra_layout<T, E>(key: usize) -> (Layout, usize) {
    let extended = payload_layout::<T>(key).extend(Layout::new::<Extra<E>>());
    extended.expect("lengths are below 4 GiB each")
}

/// Allocates and writes header and key, of a value which holds `beside` bytes of memory elsewhere.
fn allocate(
    layout: Layout,
    vtable: &'static ValueVtable,
    kind: u8,
    metadata: &Metadata,
    key: Key<'_>,
    length: usize,
    beside: usize,
) -> NonNull<Header> {
    let size = layout.size();
    // SAFETY: the layout holds at least a header.
    let memory = unsafe { alloc(layout) };
    #[expect(
        clippy::cast_ptr_alignment,
        reason = "the layout has the header's alignment"
    )]
    let Some(header) = NonNull::new(memory.cast::<Header>()) else {
        handle_alloc_error(layout)
    };
    let weight = if metadata.weight == 0 {
        u32::try_from(size.saturating_add(beside)).unwrap_or(u32::MAX)
    } else {
        metadata.weight
    };
    // SAFETY: fresh memory of that layout, which has room for the header and behind it for the key.
    unsafe {
        header.write(Header {
            vtable,
            references: AtomicU32::new(1),
            mark: AtomicU32::new(0),
            hash: key.hash(),
            created: metadata.created,
            started: metadata.started,
            keep_until: metadata.keep_until,
            key_length: u32_length(key.len()),
            length: u32_length(length),
            weight,
            kind,
            key_offset: HEADER_LENGTH,
            code: 0,
        });
        let behind = header.as_ptr().cast::<u8>().add(HEADER_LENGTH as usize);
        behind.copy_from_nonoverlapping(key.as_ptr(), key.len());
    }
    header
}

fn u32_length(length: usize) -> u32 {
    u32::try_from(length).expect("keys and values are shorter than 4 GiB")
}

fn inline(kind: u8, metadata: &Metadata, key: Key<'_>, bytes: &[u8]) -> NonNull<Header> {
    let header = allocate(
        inline_layout(key.len(), bytes.len()),
        &INLINE,
        kind,
        metadata,
        key,
        bytes.len(),
        0,
    );
    // SAFETY: the layout has room for the bytes behind the key.
    unsafe {
        let behind = header
            .as_ptr()
            .cast::<u8>()
            .add(HEADER_LENGTH as usize + key.len());
        behind.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
    }
    header
}

/// Puts `payload`, which holds `beside` bytes of memory elsewhere, behind the key.
pub(super) fn with_payload<T: Send + Sync + 'static>(
    kind: u8,
    metadata: &Metadata,
    key: Key<'_>,
    length: usize,
    beside: usize,
    payload: T,
) -> Value {
    let header = allocate(
        payload_layout::<T>(key.len()),
        vtable::<T>(),
        kind,
        metadata,
        key,
        length,
        beside,
    );
    // SAFETY: the layout has room for an aligned `T` behind the key.
    unsafe { self::payload::<T>(header.as_ptr()).write(payload) };
    Value { header }
}

/// Puts `object` behind the key, and `extra` behind that.
pub(super) fn with_extra<T: Send + Sync + 'static, E: Send + Sync + 'static>(
    metadata: &Metadata,
    key: Key<'_>,
    object: T,
    extra: E,
) -> Value {
    let (layout, offset) = extra_layout::<T, E>(key.len());
    let vtable = vtable_with_extra::<T, E>();
    let header = allocate(layout, vtable, kind::OBJECT, metadata, key, offset, 0);
    let extra = Extra {
        type_id: TypeId::of::<E>(),
        extra,
    };
    // SAFETY: the layout has room for an aligned `T` behind the key, and for an aligned `Extra<E>` at the offset.
    unsafe {
        payload::<T>(header.as_ptr()).write(object);
        header
            .as_ptr()
            .byte_add(offset)
            .cast::<Extra<E>>()
            .write(extra);
    }
    Value { header }
}

/// The extra of an object, if it is an `E`.
///
/// # Safety
///
/// [`with_extra`] of this image made the object, which lives for `'a`.
pub(super) unsafe fn extra_of<'a, E: 'static>(header: *const Header) -> Option<&'a E> {
    // SAFETY: the caller's promise; the type's mark stands in front, whatever the type.
    unsafe {
        let pointer = header.byte_add((*header).length as usize);
        if *pointer.cast::<TypeId>() != TypeId::of::<E>() {
            return None;
        }
        Some(&(*pointer.cast::<Extra<E>>()).extra)
    }
}

impl Value {
    /// A copy of `bytes`, for `key`, in one allocation.
    ///
    /// # Panics
    ///
    /// If the key or the bytes are 4 GiB or longer.
    pub fn copied(metadata: &Metadata, key: Key<'_>, bytes: &[u8]) -> Self {
        Self {
            header: inline(kind::INLINE, metadata, key, bytes),
        }
    }

    /// Takes over `bytes` without copying them, for `key`. What their allocation has to spare stays with the value and
    /// counts in its weight: shrink them before, or use [`Value::copied`], if a backend may keep it.
    ///
    /// # Panics
    ///
    /// If the key or the bytes are 4 GiB or longer.
    pub fn with(metadata: &Metadata, key: Key<'_>, bytes: Vec<u8>) -> Self {
        let length = bytes.len();
        let mut bytes = std::mem::ManuallyDrop::new(bytes);
        let external = External {
            bytes: bytes.as_mut_ptr(),
            length,
            capacity: bytes.capacity(),
        };
        with_payload(
            kind::EXTERNAL,
            metadata,
            key,
            length,
            bytes.capacity(),
            OwnedExternal(external),
        )
    }

    /// An error's text as a value, which is how errors cross the boundary.
    pub(crate) fn error(code: u16, text: &str) -> Self {
        let header = inline(
            kind::ERROR,
            &Metadata::default(),
            Key::NONE,
            text.as_bytes(),
        );
        // SAFETY: nobody else has the value yet.
        unsafe { (*header.as_ptr()).code = code };
        Self { header }
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::with(&Metadata::default(), Key::NONE, bytes)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::copied(&Metadata::default(), Key::NONE, bytes)
    }
}
