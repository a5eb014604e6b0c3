//! An object of the host in a value, with its type.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use super::{Metadata, Value, align_up, kind, make};
use crate::Key;

/// A value known to hold a `T` that this image made.
///
/// Cloning counts a reference. It derefs to the `T`.
pub struct Object<T> {
    value: Value,
    holds: PhantomData<T>,
}

impl<T: Send + Sync + 'static> Object<T> {
    /// Moves `object` into a value for `key`: one allocation for header, key and object.
    ///
    /// # Panics
    ///
    /// If the key is 4 GiB or longer.
    pub fn new(metadata: &Metadata, key: Key<'_>, object: T) -> Self {
        Self {
            value: make::with_payload(kind::OBJECT, metadata, key, 0, 0, object),
            holds: PhantomData,
        }
    }

    /// As [`Object::new`], with something beside the object that travels with it: [`Value::extra`] reads it. Meant for
    /// what few values have, so that those without it pay nothing.
    ///
    /// # Panics
    ///
    /// If the key is 4 GiB or longer.
    pub fn with_extra<E: Send + Sync + 'static>(
        metadata: &Metadata,
        key: Key<'_>,
        object: T,
        extra: E,
    ) -> Self {
        Self {
            value: make::with_extra(metadata, key, object, extra),
            holds: PhantomData,
        }
    }

    /// The value as an object of type `T` that carries no extra; gives the value back if it is anything else. As quick
    /// as [`Object::from_value`].
    #[inline]
    pub fn from_value_without_extra(value: Value) -> Result<Self, Value> {
        if value.holds_only::<T>() {
            Ok(Self {
                value,
                holds: PhantomData,
            })
        } else {
            Err(value)
        }
    }

    /// The value as an object of type `T`; gives the value back if it is bytes, another type, or made elsewhere.
    #[inline]
    pub fn from_value(value: Value) -> Result<Self, Value> {
        if value.holds::<T>() {
            Ok(Self {
                value,
                holds: PhantomData,
            })
        } else {
            Err(value)
        }
    }

    /// The value that a backend stores.
    #[inline]
    pub fn as_value(&self) -> &Value {
        &self.value
    }

    /// The value that a backend stores, with this reference.
    #[inline]
    pub fn into_value(self) -> Value {
        self.value
    }
}

impl<T> Deref for Object<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the only ways to make an `Object<T>` put, or have checked for, a `T` of this image behind the key.
        unsafe { &*align_up::<T>(self.value.after_key()) }
    }
}

impl<T> Clone for Object<T> {
    #[inline]
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            holds: PhantomData,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Object<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
