//! The panic barrier that stands in every function of the boundary.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::abi::RawValue;
use crate::{Error, ErrorKind, Result, Value, panics};

/// Runs a method; a panic becomes an error that names it.
#[inline]
pub(super) fn guarded<T>(method: &'static str, call: impl FnOnce() -> Result<T>) -> Result<T> {
    // What a panic leaves half-done is inside the plugin's instance, which the error tells the host to give up.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result,
        Err(payload) => Err(panicked(method, payload)),
    }
}

// Never in line: a call that does not panic would carry what the message is made of.
#[cold]
#[inline(never)]
fn panicked(method: &str, payload: Box<dyn Any + Send>) -> Error {
    let message = panics::message(payload);
    Error::new(ErrorKind::Panic, format!("panicked in {method}: {message}"))
}

/// The answer of a method that gives nothing back.
#[inline]
pub(super) fn done(method: &'static str, call: impl FnOnce() -> Result<()>) -> RawValue {
    match guarded(method, call) {
        Ok(()) => RawValue::NULL,
        Err(error) => RawValue::error(error),
    }
}

/// The answer of a method that gives a value or nothing back.
#[inline]
pub(super) fn answer(
    method: &'static str,
    call: impl FnOnce() -> Result<Option<Value>>,
) -> RawValue {
    match guarded(method, call) {
        Ok(Some(value)) => RawValue::value(value),
        Ok(None) => RawValue::NULL,
        Err(error) => RawValue::error(error),
    }
}
