//! A key mangler on both sides of the boundary.

use std::marker::PhantomData;

use abi_stable::prefix_type::WithMetadata;
use abi_stable::staticref;
use abi_stable::std_types::RStr;

use super::barrier::{answer, done};
use crate::abi::{ManglerTable, ManglerTableRef, Raw, RawMangler, RawValue};
use crate::{Error, ErrorKind, HostContext, KeyMangler, Result, Value, arguments};

/// The plugin's side; `state` is a `Box<M>`.
struct Provider<M>(PhantomData<M>);

/// Opens a mangler for the host.
pub(super) fn open<M: KeyMangler>(json: &str, host: HostContext) -> Result<RawMangler> {
    let mangler = M::open(arguments::parse(json)?, &host)?;
    Ok(RawMangler {
        state: Box::into_raw(Box::new(mangler)).cast_const().cast(),
        table: ManglerTableRef(Provider::<M>::TABLE.as_prefix()),
    })
}

impl<M: KeyMangler> Provider<M> {
    staticref!(const TABLE: WithMetadata<ManglerTable> = WithMetadata::new(ManglerTable {
        mangle: Self::mangle,
        destroy: Self::destroy,
    }));

    unsafe extern "C" fn mangle(state: *const (), key: RStr<'_>) -> RawValue {
        answer("mangle", || {
            // SAFETY: the host calls with the state of an open mangler.
            let mangled = unsafe { &*state.cast::<M>() }.mangle(key.as_str())?;
            Ok(Some(Value::from(mangled.into_bytes())))
        })
    }

    unsafe extern "C" fn destroy(state: *const ()) -> RawValue {
        done("drop", || {
            // SAFETY: `open` made the box, and the host destroys it once, after the last call.
            drop(unsafe { Box::from_raw(state.cast::<M>().cast_mut()) });
            Ok(())
        })
    }
}

/// An open key mangler of a plugin.
pub struct ManglerInstance {
    raw: RawMangler,
}

// SAFETY: what stands behind it is a `KeyMangler`, which is `Send` and `Sync`.
unsafe impl Send for ManglerInstance {}
// SAFETY: as above.
unsafe impl Sync for ManglerInstance {}

impl ManglerInstance {
    /// # Safety
    ///
    /// `raw` was given by a plugin and is used nowhere else.
    pub(super) unsafe fn new(raw: RawMangler) -> Self {
        Self { raw }
    }

    /// The mangled key.
    pub fn mangle(&self, key: &str) -> Result<String> {
        // SAFETY: the state is the plugin's own and not yet destroyed.
        let answer = unsafe { (self.raw.table.mangle())(self.raw.state, key.into()).take()? };
        let Raw::Value(value) = answer else {
            return Err(Error::new(
                ErrorKind::Contract,
                "mangle answered with nothing",
            ));
        };
        let bytes = value.as_bytes().unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|error| {
            Error::new(
                ErrorKind::Contract,
                format!("mangle answered with bytes that are not UTF-8: {error}"),
            )
        })?;
        Ok(text.to_owned())
    }
}

impl Drop for ManglerInstance {
    fn drop(&mut self) {
        // SAFETY: as in `mangle`; nothing is called afterwards.
        if let Err(error) = unsafe { (self.raw.table.destroy())(self.raw.state).take() } {
            // The panic hook has told the message, where it is cleared of secrets.
            tracing::error!(target: "dogpile", kind = ?error.kind(), "a plugin's key mangler failed as it was dropped");
        }
    }
}
