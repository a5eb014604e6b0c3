//! A cached value: one thin, counted pointer that crosses the plugin boundary.
//!
//! A value is *bytes*, which anybody may read, or an *object* of the host, which a plugin can hold and give back but
//! not look into. Header, key and payload lie in one allocation, so that a backend which holds objects answers a hit
//! by counting one reference: no copy, no serialisation, no allocation.

mod header;
mod make;
mod object;
mod unreferenced;

use std::any::TypeId;
use std::fmt;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering};

use abi_stable::StableAbi;

pub use self::object::Object;
pub use self::unreferenced::{Unreferenced, keep_unreferenced};

use self::header::IMAGE;
pub(crate) use self::header::{External, kind};
pub use self::header::{Header, ValueVtable};

/// What the host knows of a value beside its payload. Times are nanoseconds since 1970. It has no fields but these: what
/// else there may be to know will be asked of the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// When its creation ended (dogpile's `ct`), from which it expires.
    pub created: u64,
    /// When its creation started (`st`), against which an invalidation is compared.
    pub started: u64,
    /// From when on nobody may want it any more: a backend may drop it then. 0: never.
    pub keep_until: u64,
    /// What it counts against a backend's `max_bytes`, in bytes; 0: the memory that it holds, which is its own
    /// allocation with the key and, of bytes that lie elsewhere, theirs.
    pub weight: u32,
}

/// A value that a backend stores and gives back.
///
/// Cloning counts a reference; the payload is never copied and never changed. It may be sent to and dropped on any
/// thread and by any image: the image that made it frees it. To drop the last reference to an object runs the program's
/// code, which may call the backend again; see [`Backend`](crate::Backend).
#[repr(transparent)]
#[derive(StableAbi)]
pub struct Value {
    header: NonNull<Header>,
}

// SAFETY: the header is changed only through atomics, the payload never; `Object` demands `T: Send + Sync`.
unsafe impl Send for Value {}
// SAFETY: as above.
unsafe impl Sync for Value {}

impl Value {
    /// The bytes, or `None` of an object.
    #[inline]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        let header = self.header();
        match header.kind {
            kind::INLINE | kind::ERROR => {
                // SAFETY: the maker put `length` bytes behind the key.
                Some(unsafe { slice::from_raw_parts(self.after_key(), header.length as usize) })
            }
            kind::EXTERNAL => {
                // SAFETY: the maker put an `External` behind the key, at its alignment, which lives as long as this.
                unsafe {
                    let external = &*align_up::<External>(self.after_key());
                    Some(slice::from_raw_parts(external.bytes, external.length))
                }
            }
            _ => None,
        }
    }

    /// Whether this is an object of the host, which has no bytes.
    #[inline]
    pub fn is_object(&self) -> bool {
        self.header().kind == kind::OBJECT
    }

    /// The key that it was made for, after mangling; empty if for none.
    #[inline]
    pub fn key(&self) -> &str {
        let header = self.header();
        // SAFETY: the maker copied a `str` of that length there.
        unsafe {
            let start = self
                .header
                .as_ptr()
                .cast::<u8>()
                .add(header.key_offset as usize);
            std::str::from_utf8_unchecked(slice::from_raw_parts(start, header.key_length as usize))
        }
    }

    /// The hash of [`Value::key`], as [`Key::hash`](crate::Key::hash) gave it; only meaningful in this process.
    #[inline]
    pub fn key_hash(&self) -> u64 {
        self.header().hash
    }

    /// Times and weight.
    #[inline]
    pub fn metadata(&self) -> Metadata {
        let header = self.header();
        Metadata {
            created: header.created,
            started: header.started,
            keep_until: header.keep_until,
            weight: header.weight,
        }
    }

    /// What it counts against a limit in bytes.
    #[inline]
    pub fn weight(&self) -> u32 {
        self.header().weight
    }

    /// From when on nobody may want it, in nanoseconds since 1970; 0: never.
    #[inline]
    pub fn keep_until(&self) -> u64 {
        self.header().keep_until
    }

    /// Whether its `keep_until` lies at or before `now` (nanoseconds since 1970).
    #[inline]
    pub fn is_unwanted(&self, now: u64) -> bool {
        (1..=now).contains(&self.header().keep_until)
    }

    /// Thirty-two bits for the backend that holds the value, such as an eviction policy's reference bits: on a hit
    /// their cache line is at hand. They mean nothing to anybody else, and start as 0.
    #[inline]
    pub fn mark(&self) -> &AtomicU32 {
        &self.header().mark
    }

    /// How many references there are, at some moment of the call. For tests.
    #[doc(hidden)]
    pub fn references(&self) -> u32 {
        self.header().references.load(Ordering::Relaxed)
    }

    /// The address of the payload, which stays the same for the value's life. For tests.
    #[doc(hidden)]
    pub fn address(&self) -> usize {
        self.header.as_ptr() as usize
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: a value holds a reference, so its header is alive.
        unsafe { self.header.as_ref() }
    }

    #[inline]
    fn after_key(&self) -> *mut u8 {
        let header = self.header();
        // SAFETY: header, key and payload are one allocation.
        unsafe {
            self.header
                .as_ptr()
                .cast::<u8>()
                .add(header.key_offset as usize + header.key_length as usize)
        }
    }

    /// What the object carries beside itself, if it is an `E`; see [`Object::with_extra`]. `None` of bytes, and of
    /// objects that another image made.
    pub fn extra<E: Send + Sync + 'static>(&self) -> Option<&E> {
        if !self.is_own_object() || !self.has_extra() {
            return None;
        }
        // SAFETY: this image's objects have a length only if `with_extra` made them.
        unsafe { make::extra_of(self.header.as_ptr()) }
    }

    /// Whether this image made it as an object of type `T`.
    #[inline]
    fn holds<T: Send + Sync + 'static>(&self) -> bool {
        self.has_table_of::<T>() || self.is_of_type::<T>()
    }

    /// Whether this image made it as an object of type `T` that carries no extra. Of most objects their table tells
    /// both.
    #[inline]
    fn holds_only<T: Send + Sync + 'static>(&self) -> bool {
        self.has_table_of::<T>() || (self.is_of_type::<T>() && !self.has_extra())
    }

    /// Only objects of type `T` without extra have this table.
    #[inline]
    fn has_table_of<T: Send + Sync + 'static>(&self) -> bool {
        std::ptr::eq(self.header().vtable, make::vtable::<T>())
    }

    /// The same type can have several tables: one in each codegen unit, and others for those with an extra.
    #[inline]
    fn is_of_type<T: Send + Sync + 'static>(&self) -> bool {
        let wanted = TypeId::of::<T>();
        // SAFETY: a vtable is a static of an image that is never unloaded; `is` is called only if that is this one.
        self.is_own_object() && unsafe { ((*self.header().vtable).is)((&raw const wanted).cast()) }
    }

    #[inline]
    fn is_own_object(&self) -> bool {
        let header = self.header();
        // SAFETY: a vtable is a static of an image that is never unloaded.
        let image = unsafe { (*header.vtable).image };
        header.kind == kind::OBJECT && std::ptr::eq(image, &raw const IMAGE)
    }

    #[inline]
    fn has_extra(&self) -> bool {
        self.header().length != 0
    }

    /// Gives the reference away as a pointer, for [`Value::from_raw`].
    #[inline]
    pub(crate) fn into_raw(self) -> *mut Header {
        ManuallyDrop::new(self).header.as_ptr()
    }

    /// Takes over the reference that `raw` stands for; `None` if it is null.
    ///
    /// # Safety
    ///
    /// Null, or from [`Value::into_raw`] of any image and not taken over before.
    #[inline]
    pub(crate) unsafe fn from_raw(raw: *mut Header) -> Option<Self> {
        NonNull::new(raw).map(|header| Self { header })
    }

    pub(crate) fn kind(&self) -> u8 {
        self.header().kind
    }

    pub(crate) fn code(&self) -> u16 {
        self.header().code
    }
}

impl Clone for Value {
    #[inline]
    fn clone(&self) -> Self {
        self.header().retain();
        Self {
            header: self.header,
        }
    }
}

impl Drop for Value {
    #[inline]
    fn drop(&mut self) {
        if self.header().release() {
            // SAFETY: it was the last reference; the maker's table knows how to free it.
            unsafe { ((*self.header().vtable).destroy)(self.header.as_ptr()) }
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Value");
        out.field("key", &self.key());
        match self.as_bytes() {
            Some(bytes) => out.field("bytes", &bytes.len()),
            None => out.field("object", &true),
        };
        out.finish_non_exhaustive()
    }
}

/// Two values are equal if both are bytes and these are equal, or if they are the same object.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self.as_bytes(), other.as_bytes()) {
            (Some(own), Some(others)) => own == others,
            _ => self.header == other.header,
        }
    }
}

impl Eq for Value {}

/// `pointer` moved up to the alignment of `T`.
#[inline]
fn align_up<T>(pointer: *mut u8) -> *mut T {
    // SAFETY: the maker's layout has room for the padding and a `T` behind it.
    unsafe { pointer.add(pointer.align_offset(align_of::<T>())).cast() }
}

/// The mark of this image (the host, or a plugin), by which it knows its own objects.
pub(crate) const fn image() -> *const u8 {
    &raw const IMAGE
}
