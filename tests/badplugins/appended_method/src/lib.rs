//! Of this epoch, but with a method at the end of the table that the host does not know. A host could call all that it
//! knows, so a check in that direction alone finds nothing.

use abi_stable::StableAbi;
use abi_stable::std_types::{ROption, RStr};
use abi_stable::type_layout::TypeLayout;
use dogpile_plugin_api::abi::{
    PluginHeader, PluginTableRef, RawBackend, RawHost, RawMangler, RawTemplateCache, RawValue,
};

#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = LongerTableRef)))]
#[sabi(missing_field(option))]
pub struct PluginTable {
    pub describe: extern "C" fn() -> RawValue,
    pub start: extern "C" fn(host_borrowed: &RawHost) -> RawValue,
    pub open_backend: extern "C" fn(
        name: RStr<'_>,
        arguments: RStr<'_>,
        host_borrowed: &RawHost,
        backend_given: &mut ROption<RawBackend>,
    ) -> RawValue,
    pub open_mangler: extern "C" fn(
        name: RStr<'_>,
        arguments: RStr<'_>,
        host_borrowed: &RawHost,
        mangler_given: &mut ROption<RawMangler>,
    ) -> RawValue,
    pub open_proxy: extern "C" fn(
        name: RStr<'_>,
        arguments: RStr<'_>,
        host_borrowed: &RawHost,
        inner_given: RawBackend,
        proxy_given: &mut ROption<RawBackend>,
    ) -> RawValue,
    #[sabi(last_prefix_field)]
    pub open_template_cache: extern "C" fn(
        name: RStr<'_>,
        arguments: RStr<'_>,
        host_borrowed: &RawHost,
        cache_given: &mut ROption<RawTemplateCache>,
    ) -> RawValue,
    #[cfg(not(feature = "other"))]
    pub appended: extern "C" fn() -> RawValue,
    #[cfg(feature = "other")]
    pub also_appended: extern "C" fn() -> RawValue,
}

extern "C" fn layout() -> &'static TypeLayout {
    <LongerTableRef as StableAbi>::LAYOUT
}

extern "C" fn table() -> PluginTableRef {
    unreachable!("the library is refused")
}

#[unsafe(export_name = "__dogpile_plugin_appended_method")]
#[used]
static HEADER: PluginHeader = PluginHeader {
    layout,
    ..PluginHeader::new(true, table)
};
