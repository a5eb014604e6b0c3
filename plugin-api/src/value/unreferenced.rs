//! Objects that lose their last reference during a call, kept until it is over.

use std::cell::Cell;
use std::fmt;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;

use super::Value;
use super::header::Header;

thread_local! {
    /// Those of the call under way on this thread; none: they are dropped at once.
    static KEPT: Cell<Option<Vec<Value>>> = const { Cell::new(None) };
}

/// Objects that lost their last reference during a call of [`keep_unreferenced`]: they are dropped with this, on whatever
/// thread.
#[must_use = "they are dropped with this: let that be where their code may run"]
#[derive(Default)]
pub struct Unreferenced(Vec<Value>);

/// Runs `call`. Objects of this image that lose their last reference on this thread meanwhile are kept, and given back
/// with what it gives: to drop an object runs the program's code, which may call the backend again, or wait for whoever
/// waits for this call.
///
/// Within another such call, what is dropped is kept for that one.
pub fn keep_unreferenced<T>(call: impl FnOnce() -> T) -> (T, Unreferenced) {
    let scope = Scope(replace(Some(Vec::new())));
    let outcome = call();
    (outcome, Unreferenced(scope.end()))
}

impl Unreferenced {
    /// Keeps those as well.
    pub fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }
}

/// What was kept before, to be put back.
struct Scope(Option<Vec<Value>>);

impl Scope {
    fn end(mut self) -> Vec<Value> {
        let kept = replace(self.0.take());
        std::mem::forget(self);
        kept.unwrap_or_default()
    }
}

/// The call panicked.
impl Drop for Scope {
    fn drop(&mut self) {
        let kept = replace(self.0.take());
        drop(kept);
    }
}

/// Gives what there was. Nothing is kept while the thread's locals are being destroyed.
fn replace(next: Option<Vec<Value>>) -> Option<Vec<Value>> {
    KEPT.try_with(|kept| kept.replace(next)).ok().flatten()
}

/// Keeps an object whose last reference is gone; false if nothing is kept on this thread.
///
/// # Safety
///
/// The last reference is gone, and the value is not being destroyed yet. If it is kept, the caller is done with it.
pub(super) unsafe fn keep(header: NonNull<Header>) -> bool {
    let kept = KEPT.try_with(|kept| {
        let Some(mut values) = kept.take() else {
            return false;
        };
        // SAFETY: the caller's promise; nobody else has a reference, and this is one.
        unsafe { header.as_ref() }
            .references
            .store(1, Ordering::Relaxed);
        values.push(Value { header });
        kept.set(Some(values));
        true
    });
    kept.unwrap_or(false)
}

impl fmt::Debug for Unreferenced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unreferenced").field(&self.0.len()).finish()
    }
}
