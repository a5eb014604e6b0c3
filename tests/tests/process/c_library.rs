//! What only the C library does: fork. And counts what this thread asks of its allocator, from whichever image, or holds a
//! thread up there: the names that are defined here come before those of the C library, for plugins that are loaded too.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::thread;

use rustix::process::Pid;

/// Has a child of this process, with all that is in it but the other threads, do that and end: with 0, or with 1 if it
/// panics.
pub(crate) fn in_a_child(work: impl FnOnce()) -> Pid {
    // SAFETY: it takes nothing. The child's one thread is in no call of the C library; its allocator's locks are made
    // free by `fork` itself.
    let number = unsafe { fork() };
    if number == 0 {
        let ended = catch_unwind(AssertUnwindSafe(work));
        // SAFETY: it runs nothing of this process's, whose exit is not the child's to make, and does not return.
        unsafe { _exit(c_int::from(ended.is_err())) }
    }
    Pid::from_raw(number).expect("it can be forked")
}

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

/// Which of these it is: nobody is to be held up, whoever is next, or somebody is.
static HOLD_UP: AtomicU8 = AtomicU8::new(NOBODY);
const NOBODY: u8 = 0;
const NEXT: u8 = 1;
const HELD: u8 = 2;

/// The size that blocks must have for it, and the thread whose own are left out.
static SIZE: AtomicUsize = AtomicUsize::new(0);
static BUT_FOR: AtomicUsize = AtomicUsize::new(0);

/// A number that no other thread has now.
fn own_number() -> usize {
    CALLS.with(|calls| ptr::from_ref(calls).addr())
}

/// Another thread that frees a block waits there, with all that it has locked, until this is dropped.
pub(crate) struct HoldUp(&'static AtomicU8);

impl HoldUp {
    /// Whoever is the next to free a block of at least that size. There is one at a time.
    pub(crate) fn who_frees(size: usize) -> Self {
        SIZE.store(size, Ordering::SeqCst);
        BUT_FOR.store(own_number(), Ordering::SeqCst);
        HOLD_UP.store(NEXT, Ordering::SeqCst);
        Self(&HOLD_UP)
    }

    /// It was this thread itself that freed one, so that nobody is held up.
    pub(crate) fn was_missed(&self) -> bool {
        self.0.load(Ordering::SeqCst) == NOBODY
    }

    pub(crate) fn has_somebody(&self) -> bool {
        self.0.load(Ordering::SeqCst) == HELD
    }
}

impl Drop for HoldUp {
    fn drop(&mut self) {
        self.0.store(NOBODY, Ordering::SeqCst);
    }
}

/// A block of that size is to be freed. Allocates nothing.
fn freeing(size: usize) {
    if HOLD_UP.load(Ordering::SeqCst) != NEXT || size < SIZE.load(Ordering::SeqCst) {
        return;
    }
    let is_own = BUT_FOR.load(Ordering::SeqCst) == own_number();
    let then = if is_own { NOBODY } else { HELD };
    let begun = HOLD_UP.compare_exchange(NEXT, then, Ordering::SeqCst, Ordering::SeqCst);
    while begun.is_ok() && HOLD_UP.load(Ordering::SeqCst) == HELD {
        thread::yield_now();
    }
}

unsafe extern "C" {
    fn fork() -> c_int;
    fn _exit(status: c_int) -> !;
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(old: *mut c_void, size: usize) -> *mut c_void;
    fn __libc_memalign(alignment: usize, size: usize) -> *mut c_void;
    fn __libc_free(old: *mut c_void);
    fn malloc_usable_size(of: *mut c_void) -> usize;
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
        // SAFETY: a block that the allocator gave, which is freed no sooner than below.
        freeing(unsafe { malloc_usable_size(old) });
    }
    // SAFETY: as in `malloc`.
    unsafe { __libc_free(old) }
}
