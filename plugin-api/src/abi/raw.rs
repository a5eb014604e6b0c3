//! The one word that every function of the boundary answers with.

use std::mem::ManuallyDrop;

use abi_stable::StableAbi;

use crate::value::{Header, kind};
use crate::{Error, ErrorKind, Result, Value};

/// A reference to a value, or null. It owns the reference, but does not give it back when dropped.
#[repr(transparent)]
#[derive(StableAbi)]
pub struct RawValue(*mut Header);

// SAFETY: it stands for a `Value`, which is `Send` and `Sync`.
unsafe impl Send for RawValue {}
// SAFETY: as above.
unsafe impl Sync for RawValue {}

/// What a [`RawValue`] turned out to be.
pub(crate) enum Raw {
    Null,
    Value(Value),
}

impl RawValue {
    /// "Done", or "nothing there".
    pub const NULL: Self = Self(std::ptr::null_mut());

    #[inline]
    pub(crate) fn value(value: Value) -> Self {
        Self(value.into_raw())
    }

    #[cold]
    pub(crate) fn error(error: Error) -> Self {
        Self(error.into_value().into_raw())
    }

    /// Takes the reference over, and errors apart.
    ///
    /// # Safety
    ///
    /// It came from a function of the boundary, which keeps to the contract.
    #[inline]
    pub(crate) unsafe fn take(self) -> Result<Raw> {
        // SAFETY: by this function's contract the reference is ours.
        let Some(value) = (unsafe { Value::from_raw(self.0) }) else {
            return Ok(Raw::Null);
        };
        if value.kind() < kind::ERROR {
            Ok(Raw::Value(value))
        } else {
            Err(taken_error(&value))
        }
    }

    /// Takes over the answer of a `method` that gives nothing back but an error. A value is a breach of contract.
    ///
    /// # Safety
    ///
    /// As for [`RawValue::take`].
    #[inline]
    pub(crate) unsafe fn take_nothing(self, method: &str) -> Result<()> {
        // SAFETY: by this function's contract.
        match unsafe { self.take()? } {
            Raw::Null => Ok(()),
            Raw::Value(value) => Err(unexpected(method, &value)),
        }
    }

    /// Takes over the answer of a `method` that gives a text, or nothing. Anything else is a breach of contract.
    ///
    /// # Safety
    ///
    /// As for [`RawValue::take`].
    pub(crate) unsafe fn take_text(self, method: &str) -> Result<Option<String>> {
        // SAFETY: by this function's contract.
        let Raw::Value(value) = (unsafe { self.take()? }) else {
            return Ok(None);
        };
        let Some(bytes) = value.as_bytes() else {
            return Err(breach(method, "with an object, where a text is expected"));
        };
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(error) => Err(breach(
                method,
                &format!("with bytes that are not UTF-8: {error}"),
            )),
        }
    }

    /// Lends `value` across the boundary for the length of a call.
    #[inline]
    pub(crate) fn lend(value: &Value) -> Self {
        // SAFETY: the pointer is used while `value` is borrowed by the caller, and no reference is taken over from it.
        Self(unsafe { std::ptr::from_ref(value).cast::<*mut Header>().read() })
    }

    /// The value that was lent; null is a breach of contract.
    ///
    /// # Safety
    ///
    /// It came from [`RawValue::lend`], whose value is still borrowed.
    #[inline]
    pub(crate) unsafe fn borrowed(&self) -> Option<ManuallyDrop<Value>> {
        // SAFETY: the lender keeps the reference; `ManuallyDrop` keeps us from giving it back.
        unsafe { Value::from_raw(self.0) }.map(ManuallyDrop::new)
    }
}

#[cold]
fn unexpected(method: &str, value: &Value) -> Error {
    let what = if value.is_object() {
        "an object"
    } else {
        "bytes"
    };
    breach(method, &format!("with {what}, where nothing is expected"))
}

/// The error of a `method` that answered in a way that there is not.
#[cold]
pub(crate) fn breach(method: &str, how: &str) -> Error {
    Error::new(ErrorKind::Contract, format!("{method} answered {how}"))
}

#[cold]
fn taken_error(value: &Value) -> Error {
    if value.kind() == kind::ERROR {
        return Error::from_value(value);
    }
    Error::new(
        ErrorKind::Contract,
        format!(
            "answered with a value of kind {}, which does not exist",
            value.kind()
        ),
    )
}
