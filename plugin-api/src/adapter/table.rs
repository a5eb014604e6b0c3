//! The side that is called: a table of functions over a backend, a proxy, or what a host hands to a proxy.

use std::marker::PhantomData;

use abi_stable::prefix_type::WithMetadata;
use abi_stable::staticref;
use abi_stable::std_types::{ROption, RSlice, RStr};

use super::any::AnyBackend;
use super::barrier::{answer, done};
use super::mutex::MutexProvider;
use crate::Guarded;
use crate::abi::{BackendTable, BackendTableRef, RawBackend, RawMutex, RawValue, property};
use crate::{Error, ErrorKind, Key, Lease, Result, Storage, Value};

/// Hands it to the other side, which destroys it.
pub(super) fn give<S: AnyBackend>(served: S) -> RawBackend {
    RawBackend {
        state: Box::into_raw(Box::new(served)).cast_const().cast(),
        table: BackendTableRef(Provider::<S>::TABLE.as_prefix()),
    }
}

/// The functions of an `S`; `state` is a `Box<S>`.
struct Provider<S>(PhantomData<S>);

impl<S: AnyBackend> Provider<S> {
    staticref!(const TABLE: WithMetadata<BackendTable> = WithMetadata::new(BackendTable {
        get: Self::get,
        set: Self::set,
        delete: Self::delete,
        get_multi: Self::get_multi,
        set_multi: Self::set_multi,
        delete_multi: Self::delete_multi,
        get_fresh: Self::get_fresh,
        get_multi_fresh: Self::get_multi_fresh,
        clear: Self::clear,
        ping: Self::ping,
        stats: Self::stats,
        close: Self::close,
        destroy: Self::destroy,
        properties: Self::properties,
        key_mangler: Self::key_mangler,
        mutex: Self::mutex,
        set_guarded: Self::set_guarded,
        set_guarded_multi: Self::set_guarded_multi,
        reconfigure: Self::reconfigure,
        longest_call: Self::longest_call,
    }));

    /// # Safety
    ///
    /// `state` came from `give` and was not destroyed.
    #[inline]
    unsafe fn backend<'a>(state: *const ()) -> &'a S {
        // SAFETY: by this function's contract.
        unsafe { &*state.cast::<S>() }
    }

    unsafe extern "C" fn get(state: *const (), key: &Key<'_>) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        answer("get", || backend.get(key))
    }

    unsafe extern "C" fn set(state: *const (), key: &Key<'_>, value: &RawValue) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        // SAFETY: the value is lent for the call.
        done("set", || backend.set(key, &*unsafe { lent(value) }?))
    }

    unsafe extern "C" fn delete(state: *const (), key: &Key<'_>) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        done("delete", || backend.delete(key))
    }

    unsafe extern "C" fn get_multi(
        state: *const (),
        keys: RSlice<'_, Key<'_>>,
        values: *mut RawValue,
    ) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        done("get_multi", || {
            let got = backend.get_multi(keys.as_slice())?;
            // SAFETY: the caller made room for as many values as keys.
            unsafe { fill("get_multi", got.into_iter().map(raw), keys.len(), values) }
        })
    }

    unsafe extern "C" fn get_multi_fresh(
        state: *const (),
        keys: RSlice<'_, Key<'_>>,
        values: *mut RawValue,
    ) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        done("get_multi_fresh", || {
            let got = backend.get_multi_fresh(keys.as_slice())?;
            let got = got.into_iter().map(raw);
            // SAFETY: the caller made room for as many values as keys.
            unsafe { fill("get_multi_fresh", got, keys.len(), values) }
        })
    }

    unsafe extern "C" fn set_multi(
        state: *const (),
        keys: RSlice<'_, Key<'_>>,
        values: RSlice<'_, RawValue>,
    ) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        done("set_multi", || {
            let mut entries = Vec::with_capacity(keys.len());
            for (key, value) in keys.iter().zip(values.iter()) {
                // SAFETY: the values are lent for the call.
                entries.push((*key, Value::clone(&*unsafe { lent(value) }?)));
            }
            backend.set_multi(&entries)
        })
    }

    unsafe extern "C" fn delete_multi(state: *const (), keys: RSlice<'_, Key<'_>>) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        done("delete_multi", || backend.delete_multi(keys.as_slice()))
    }

    unsafe extern "C" fn get_fresh(state: *const (), key: &Key<'_>) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        answer("get_fresh", || backend.get_fresh(key))
    }

    unsafe extern "C" fn clear(state: *const ()) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        done("clear", || backend.clear())
    }

    unsafe extern "C" fn ping(state: *const ()) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        done("ping", || backend.ping())
    }

    unsafe extern "C" fn stats(state: *const ()) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        answer("stats", || {
            let known = backend.stats()?;
            let json =
                serde_json::to_vec(&known).map_err(|error| Error::new(ErrorKind::Other, error))?;
            Ok(Some(Value::from(json)))
        })
    }

    unsafe extern "C" fn close(state: *const ()) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        done("close", || backend.close())
    }

    unsafe extern "C" fn destroy(state: *const ()) -> RawValue {
        done("drop", || {
            // SAFETY: `give` made the box, and the host destroys it once, after the last call.
            drop(unsafe { Box::from_raw(state.cast::<S>().cast_mut()) });
            Ok(())
        })
    }

    unsafe extern "C" fn properties(state: *const (), bits: &mut u32) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        done("storage, blocking, exclusive or shared", || {
            let own = backend.properties();
            for (is, bit) in [
                (own.storage == Storage::Objects, property::OBJECTS),
                (own.blocking, property::BLOCKING),
                (own.exclusive, property::EXCLUSIVE),
                (own.shared, property::SHARED),
            ] {
                *bits |= if is { bit } else { 0 };
            }
            Ok(())
        })
    }

    unsafe extern "C" fn longest_call(state: *const (), nanoseconds: &mut u64) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        done("longest_call", || {
            let longest = backend.properties().longest_call;
            *nanoseconds =
                longest.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
            Ok(())
        })
    }

    unsafe extern "C" fn key_mangler(state: *const ()) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        answer("key_mangler", || {
            Ok(backend.key_mangler()?.map(|name| name.into_bytes().into()))
        })
    }

    unsafe extern "C" fn mutex(
        state: *const (),
        key: &Key<'_>,
        given: &mut ROption<RawMutex>,
    ) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        done("mutex", || {
            let mutex = backend.mutex(key)?;
            *given = mutex.map(MutexProvider::give).into();
            Ok(())
        })
    }

    unsafe extern "C" fn set_guarded(
        state: *const (),
        key: &Key<'_>,
        value: &RawValue,
        lease: &Lease,
        outcome: &mut u8,
    ) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        done("set_guarded", || {
            // SAFETY: the value is lent for the call.
            let value = unsafe { lent(value) }?;
            *outcome = backend.set_guarded(key, &value, lease)?.number();
            Ok(())
        })
    }

    unsafe extern "C" fn set_guarded_multi(
        state: *const (),
        keys: RSlice<'_, Key<'_>>,
        values: RSlice<'_, RawValue>,
        leases: RSlice<'_, Lease>,
        outcomes: *mut u8,
    ) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        done("set_guarded_multi", || {
            let mut entries = Vec::with_capacity(keys.len());
            for ((key, value), lease) in keys.iter().zip(values.iter()).zip(leases.iter()) {
                // SAFETY: the values are lent for the call.
                let value = Value::clone(&*unsafe { lent(value) }?);
                entries.push((*key, value, *lease));
            }
            let given = backend.set_guarded_multi(&entries)?.into_iter();
            let given = given.map(Guarded::number);
            // SAFETY: the caller made room for as many outcomes as keys.
            unsafe { fill("set_guarded_multi", given, keys.len(), outcomes) }
        })
    }

    unsafe extern "C" fn reconfigure(
        state: *const (),
        json: RStr<'_>,
        taken: &mut bool,
    ) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        done("reconfigure", || {
            *taken = backend.reconfigure(json.as_str())?;
            Ok(())
        })
    }
}

fn raw(value: Option<Value>) -> RawValue {
    value.map_or(RawValue::NULL, RawValue::value)
}

/// Writes the answers for `wanted` keys, which a method must give neither more nor fewer of.
///
/// # Safety
///
/// There is room for `wanted` of them at `places`.
unsafe fn fill<T>(
    method: &str,
    answers: impl ExactSizeIterator<Item = T>,
    wanted: usize,
    places: *mut T,
) -> Result<()> {
    let given = answers.len();
    if given != wanted {
        let text = format!("{method} answered {given} times for {wanted} keys");
        return Err(Error::new(ErrorKind::Contract, text));
    }
    for (at, answer) in answers.enumerate() {
        // SAFETY: by this function's contract; `at` is less than `wanted`.
        unsafe { places.add(at).write(answer) };
    }
    Ok(())
}

/// The value that the host lends for a call.
///
/// # Safety
///
/// As for [`RawValue::borrowed`].
unsafe fn lent(value: &RawValue) -> Result<std::mem::ManuallyDrop<Value>> {
    // SAFETY: by this function's contract.
    unsafe { value.borrowed() }
        .ok_or_else(|| Error::new(ErrorKind::Contract, "the host lent no value"))
}
