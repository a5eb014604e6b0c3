//! The plugin's side: a table of functions for each type that implements a trait.

use std::marker::PhantomData;

use abi_stable::prefix_type::WithMetadata;
use abi_stable::staticref;
use abi_stable::std_types::{ROption, RSlice, RStr};

use super::barrier::{answer, done};
use super::mutex::MutexProvider;
use super::plugin::{BackendInfo, ManglerInfo, PluginInfo};
use super::{logging, mangler};
use crate::abi::{
    BackendTable, BackendTableRef, RawBackend, RawHost, RawMangler, RawMutex, RawValue, property,
};
use crate::{
    Backend, Error, ErrorKind, Guarded, HostContext, Key, KeyMangler, Lease, Result, Storage,
    Value, arguments,
};

/// What a plugin registers, in the order of its `export_plugin!`. Made by that macro.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub enum Registration {
    Backend {
        name: &'static str,
        open: OpenBackend,
        schema: fn() -> String,
    },
    Mangler {
        name: &'static str,
        open: OpenMangler,
        schema: fn() -> String,
    },
}

type OpenBackend = fn(&str, HostContext) -> Result<RawBackend>;
type OpenMangler = fn(&str, HostContext) -> Result<RawMangler>;

impl Registration {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Backend { name, .. } | Self::Mangler { name, .. } => name,
        }
    }

    pub const fn backend<B: Backend>(name: &'static str) -> Self {
        Self::Backend {
            name,
            open: Provider::<B>::open,
            schema: arguments::schema::<B::Arguments>,
        }
    }

    pub const fn mangler<M: KeyMangler>(name: &'static str) -> Self {
        Self::Mangler {
            name,
            open: mangler::open::<M>,
            schema: arguments::schema::<M::Arguments>,
        }
    }
}

/// The body of [`crate::abi::PluginTable::describe`].
#[doc(hidden)]
pub fn describe(
    package: &str,
    version: &str,
    description: &str,
    registered: &[Registration],
) -> RawValue {
    answer("describe", || {
        let mut info = PluginInfo {
            package: package.to_owned(),
            version: version.to_owned(),
            description: description.to_owned(),
            backends: Vec::new(),
            manglers: Vec::new(),
        };
        for registration in registered {
            let schema =
                |schema: &fn() -> String| serde_json::from_str(&schema()).unwrap_or_default();
            match registration {
                Registration::Backend {
                    name, schema: of, ..
                } => {
                    info.backends.push(BackendInfo {
                        name: (*name).to_owned(),
                        arguments: schema(of),
                    });
                }
                Registration::Mangler {
                    name, schema: of, ..
                } => {
                    info.manglers.push(ManglerInfo {
                        name: (*name).to_owned(),
                        arguments: schema(of),
                    });
                }
            }
        }
        let json =
            serde_json::to_vec(&info).map_err(|error| Error::new(ErrorKind::Other, error))?;
        Ok(Some(Value::from(json)))
    })
}

/// The body of [`crate::abi::PluginTable::start`].
#[doc(hidden)]
pub fn start(host: &RawHost) -> RawValue {
    done("start", || {
        logging::lead_to(host);
        Ok(())
    })
}

/// The body of [`crate::abi::PluginTable::open_backend`].
#[doc(hidden)]
pub fn open_backend(
    registered: &[Registration],
    name: RStr<'_>,
    arguments: RStr<'_>,
    host: &RawHost,
    backend: &mut ROption<RawBackend>,
) -> RawValue {
    done("open", || {
        for registration in registered {
            if let Registration::Backend {
                name: own, open, ..
            } = registration
                && *own == name.as_str()
            {
                *backend = ROption::RSome(open(arguments.as_str(), HostContext::new(*host))?);
                return Ok(());
            }
        }
        Err(Error::unsupported(format!(
            "this plugin has no backend `{name}`"
        )))
    })
}

/// The body of [`crate::abi::PluginTable::open_mangler`].
#[doc(hidden)]
pub fn open_mangler(
    registered: &[Registration],
    name: RStr<'_>,
    arguments: RStr<'_>,
    host: &RawHost,
    mangler: &mut ROption<RawMangler>,
) -> RawValue {
    done("open", || {
        for registration in registered {
            if let Registration::Mangler {
                name: own, open, ..
            } = registration
                && *own == name.as_str()
            {
                *mangler = ROption::RSome(open(arguments.as_str(), HostContext::new(*host))?);
                return Ok(());
            }
        }
        Err(Error::unsupported(format!(
            "this plugin has no key mangler `{name}`"
        )))
    })
}

/// The functions of a backend `B`; `state` is a `Box<B>`.
struct Provider<B>(PhantomData<B>);

impl<B: Backend> Provider<B> {
    staticref!(const TABLE: WithMetadata<BackendTable> = WithMetadata::new(BackendTable {
        get: Self::get,
        set: Self::set,
        delete: Self::delete,
        get_multi: Self::get_multi,
        set_multi: Self::set_multi,
        delete_multi: Self::delete_multi,
        get_fresh: Self::get_fresh,
        clear: Self::clear,
        ping: Self::ping,
        stats: Self::stats,
        close: Self::close,
        destroy: Self::destroy,
        properties: Self::properties,
        key_mangler: Self::key_mangler,
        mutex: Self::mutex,
        set_guarded: Self::set_guarded,
        reconfigure: Self::reconfigure,
    }));

    fn open(json: &str, host: HostContext) -> Result<RawBackend> {
        let backend = B::open(arguments::parse(json)?, &host)?;
        Ok(RawBackend {
            state: Box::into_raw(Box::new(backend)).cast_const().cast(),
            table: BackendTableRef(Self::TABLE.as_prefix()),
        })
    }

    /// # Safety
    ///
    /// `state` came from `open` and was not destroyed.
    #[inline]
    unsafe fn backend<'a>(state: *const ()) -> &'a B {
        // SAFETY: by this function's contract.
        unsafe { &*state.cast::<B>() }
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
            if got.len() != keys.len() {
                return Err(Error::new(
                    ErrorKind::Contract,
                    format!(
                        "get_multi answered {} values for {} keys",
                        got.len(),
                        keys.len()
                    ),
                ));
            }
            for (at, value) in got.into_iter().enumerate() {
                // SAFETY: the caller made room for as many values as keys.
                unsafe {
                    values
                        .add(at)
                        .write(value.map_or(RawValue::NULL, RawValue::value));
                }
            }
            Ok(())
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
            // SAFETY: `open` made the box, and the host destroys it once, after the last call.
            drop(unsafe { Box::from_raw(state.cast::<B>().cast_mut()) });
            Ok(())
        })
    }

    unsafe extern "C" fn properties(state: *const (), bits: &mut u32) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        done("storage, blocking, exclusive or shared", || {
            for (is, bit) in [
                (backend.storage() == Storage::Objects, property::OBJECTS),
                (backend.blocking(), property::BLOCKING),
                (backend.exclusive(), property::EXCLUSIVE),
                (backend.shared(), property::SHARED),
            ] {
                *bits |= if is { bit } else { 0 };
            }
            Ok(())
        })
    }

    unsafe extern "C" fn key_mangler(state: *const ()) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        answer("key_mangler", || {
            Ok(backend.key_mangler().map(|name| name.as_bytes().into()))
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
            let mutex = backend.mutex(key);
            *given = mutex.map(MutexProvider::give).into();
            Ok(())
        })
    }

    unsafe extern "C" fn set_guarded(
        state: *const (),
        key: &Key<'_>,
        value: &RawValue,
        lease: &Lease,
        stored: &mut bool,
    ) -> RawValue {
        // SAFETY: the host calls with the state of an open backend.
        let backend = unsafe { Self::backend(state) };
        done("set_guarded", || {
            // SAFETY: the value is lent for the call.
            let value = unsafe { lent(value) }?;
            let outcome = backend.set_guarded(key, &value, lease)?;
            *stored = outcome == Guarded::Stored;
            Ok(())
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
            let arguments = arguments::parse(json.as_str())?;
            *taken = backend.reconfigure(&arguments)?;
            Ok(())
        })
    }
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
