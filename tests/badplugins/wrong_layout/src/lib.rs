//! Of this epoch, but with a table that is laid out otherwise: `describe` takes a number, and the rest is missing.

use abi_stable::StableAbi;
use abi_stable::type_layout::TypeLayout;
use dogpile_plugin_api::abi::{PluginHeader, PluginTableRef, RawValue};

#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = OtherTableRef)))]
#[sabi(missing_field(option))]
pub struct PluginTable {
    #[sabi(last_prefix_field)]
    pub describe: extern "C" fn(number: u64) -> RawValue,
}

extern "C" fn layout() -> &'static TypeLayout {
    <OtherTableRef as StableAbi>::LAYOUT
}

extern "C" fn table() -> PluginTableRef {
    unreachable!("the library is refused")
}

#[unsafe(export_name = "__dogpile_plugin_wrong_layout")]
#[used]
static HEADER: PluginHeader = PluginHeader {
    layout,
    ..PluginHeader::new(true, table)
};
