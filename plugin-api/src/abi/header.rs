//! The few plain words at the start of a plugin, which are read before any other code of it runs.

use abi_stable::type_layout::TypeLayout;

use super::PluginTableRef;

/// The first eight bytes of every header.
pub const MAGIC: [u8; 8] = *b"dogpile\x01";

/// Counted up with every incompatible change of the boundary. Equality is demanded.
pub const ABI_EPOCH: u32 = 6;

/// The version of `abi_stable` by whose layouts tables are compared; the only one that Cargo may choose.
pub const ABI_STABLE_VERSION: &str = "0.11.3";

/// What the name of the exported symbol starts with; the package's name follows.
pub const SYMBOL_PREFIX: &str = "__dogpile_plugin_";

/// The exported static. Plain C layout, whose fields up to the functions stay where they are in all epochs; it may grow at
/// its end.
#[repr(C)]
pub struct PluginHeader {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// [`ABI_EPOCH`].
    pub epoch: u32,
    /// The length of this struct in bytes, as the plugin has it.
    pub length: u32,
    /// 1 if the plugin was built with `panic = "unwind"`; anything else is refused.
    pub unwinds: u32,
    /// Zero.
    pub reserved: u32,
    /// The version of plugin-api, padded with zeros.
    pub api_version: [u8; 24],
    /// The version of `abi_stable`, padded with zeros.
    pub abi_stable_version: [u8; 24],
    /// The compiler, as `rustc --version` says; padded with zeros. Shown, never compared.
    pub rustc: [u8; 64],
    /// The layout of the table, for the check.
    pub layout: extern "C" fn() -> &'static TypeLayout,
    /// The table itself; only called once the layout was found compatible.
    pub table: extern "C" fn() -> PluginTableRef,
}

impl PluginHeader {
    /// The header that `export_plugin!` writes.
    #[doc(hidden)]
    pub const fn new(unwinds: bool, table: extern "C" fn() -> PluginTableRef) -> Self {
        Self {
            magic: MAGIC,
            epoch: ABI_EPOCH,
            #[expect(clippy::cast_possible_truncation, reason = "some two hundred bytes")]
            length: size_of::<Self>() as u32,
            unwinds: if unwinds { 1 } else { 0 },
            reserved: 0,
            api_version: padded(crate::API_VERSION),
            abi_stable_version: padded(ABI_STABLE_VERSION),
            rustc: padded(crate::RUSTC_VERSION),
            layout,
            table,
        }
    }
}

/// The layout of the table as this image knows it.
pub extern "C" fn layout() -> &'static TypeLayout {
    <PluginTableRef as abi_stable::StableAbi>::LAYOUT
}

/// `text` in an array of `N` bytes, cut or padded with zeros.
const fn padded<const N: usize>(text: &str) -> [u8; N] {
    let bytes = text.as_bytes();
    let mut out = [0; N];
    let mut at = 0;
    while at < bytes.len() && at < N - 1 {
        out[at] = bytes[at];
        at += 1;
    }
    out
}
