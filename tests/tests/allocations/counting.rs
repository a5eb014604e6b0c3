//! Counts what this thread asks of the C library's allocator, from whichever image: the names that are defined here come
//! before those of the C library, for plugins that are loaded too.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{c_int, c_void};

/// How often this thread called the allocator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) allocations: u64,
    pub(crate) frees: u64,
}

thread_local! {
    // Without a destructor and with a constant start, so that counting allocates nothing itself.
    static CALLS: Cell<Calls> = const { Cell::new(Calls { allocations: 0, frees: 0 }) };
}

/// What `work` gives, and what it asked of the allocator.
pub(crate) fn during<T>(work: impl FnOnce() -> T) -> (T, Calls) {
    let before = CALLS.get();
    let result = work();
    let after = CALLS.get();
    let calls = Calls {
        allocations: after.allocations - before.allocations,
        frees: after.frees - before.frees,
    };
    (result, calls)
}

fn allocated() {
    let calls = CALLS.get();
    CALLS.set(Calls {
        allocations: calls.allocations + 1,
        ..calls
    });
}

unsafe extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(old: *mut c_void, size: usize) -> *mut c_void;
    fn __libc_memalign(alignment: usize, size: usize) -> *mut c_void;
    fn __libc_free(old: *mut c_void);
}

#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut c_void {
    allocated();
    // SAFETY: the same function under its other name; so in all that follow.
    unsafe { __libc_malloc(size) }
}

#[unsafe(no_mangle)]
extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    allocated();
    // SAFETY: as in `malloc`.
    unsafe { __libc_calloc(count, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(old: *mut c_void, size: usize) -> *mut c_void {
    allocated();
    // SAFETY: as in `malloc`.
    unsafe { __libc_realloc(old, size) }
}

#[unsafe(no_mangle)]
extern "C" fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void {
    allocated();
    // SAFETY: as in `malloc`.
    unsafe { __libc_memalign(alignment, size) }
}

#[unsafe(no_mangle)]
extern "C" fn memalign(alignment: usize, size: usize) -> *mut c_void {
    allocated();
    // SAFETY: as in `malloc`.
    unsafe { __libc_memalign(alignment, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(new: *mut *mut c_void, alignment: usize, size: usize) -> c_int {
    const OUT_OF_MEMORY: c_int = 12;
    allocated();
    // SAFETY: as in `malloc`.
    let memory = unsafe { __libc_memalign(alignment, size) };
    if memory.is_null() {
        return OUT_OF_MEMORY;
    }
    // SAFETY: the caller gives a place for the pointer.
    unsafe { new.write(memory) };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn free(old: *mut c_void) {
    if !old.is_null() {
        let calls = CALLS.get();
        CALLS.set(Calls {
            frees: calls.frees + 1,
            ..calls
        });
    }
    // SAFETY: as in `malloc`.
    unsafe { __libc_free(old) }
}
