//! A key mangler on both sides of the boundary.

use std::marker::PhantomData;

use abi_stable::prefix_type::WithMetadata;
use abi_stable::staticref;
use abi_stable::std_types::RStr;

use super::barrier::{answer, done};
use super::failed_drop::FailedDrop;
use crate::abi::{ManglerTable, ManglerTableRef, RawMangler, RawValue, breach};
use crate::{Error, HostContext, KeyMangler, Result, Value, arguments};

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
    failed_drop: FailedDrop,
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
        Self {
            raw,
            failed_drop: FailedDrop::default(),
        }
    }

    /// Tells of an error, such as a panic, with which it is dropped. Without it, the log is told.
    pub fn on_failed_drop(&mut self, tell: impl Fn(Error) + Send + Sync + 'static) {
        self.failed_drop = FailedDrop::new(tell);
    }

    /// The mangled key.
    pub fn mangle(&self, key: &str) -> Result<String> {
        // SAFETY: the state is the plugin's own and not yet destroyed.
        let answer = unsafe { (self.raw.table.mangle())(self.raw.state, key.into()) };
        // SAFETY: the plugin gave it to this call alone.
        unsafe { answer.take_text("mangle") }?.ok_or_else(|| breach("mangle", "with nothing"))
    }
}

impl Drop for ManglerInstance {
    fn drop(&mut self) {
        // SAFETY: as in `mangle`; nothing is called afterwards.
        let dropped = unsafe { (self.raw.table.destroy())(self.raw.state).take_nothing("destroy") };
        self.failed_drop.look("key mangler", dropped);
    }
}
