//! Of this epoch, but with tables that were changed as no later interface of this epoch may: one change each, which the
//! word behind `layout:` in the library's bytes chooses. The tests write another word there.

use std::hint::black_box;

use abi_stable::type_layout::TypeLayout;
use dogpile_plugin_api::abi::{PluginHeader, PluginTableRef};

/// The plugin's table as it is, over an open mangler that is given.
macro_rules! changed {
    ($change:ident: $mangler:item $table:item) => {
        pub mod $change {
            use abi_stable::StableAbi;
            use abi_stable::std_types::{ROption, RStr};
            use abi_stable::type_layout::TypeLayout;
            use dogpile_plugin_api::abi::{RawBackend, RawHost, RawTemplateCache, RawValue};

            #[repr(C)]
            #[derive(Clone, Copy, StableAbi)]
            $mangler

            #[repr(C)]
            #[derive(StableAbi)]
            #[sabi(kind(Prefix(prefix_ref = ManglerTableRef)))]
            #[sabi(missing_field(option))]
            $table

            #[repr(C)]
            #[derive(StableAbi)]
            #[sabi(kind(Prefix(prefix_ref = PluginTableRef)))]
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
            }

            pub(crate) const LAYOUT: &TypeLayout = <PluginTableRef as StableAbi>::LAYOUT;
        }
    };
}

changed! { removed:
    pub struct RawMangler {
        pub state: *const (),
        pub table: ManglerTableRef,
    }
    pub struct ManglerTable {
        #[sabi(last_prefix_field)]
        pub destroy: unsafe extern "C" fn(state_given: *const ()) -> RawValue,
    }
}

changed! { reordered:
    pub struct RawMangler {
        pub state: *const (),
        pub table: ManglerTableRef,
    }
    pub struct ManglerTable {
        pub destroy: unsafe extern "C" fn(state_given: *const ()) -> RawValue,
        #[sabi(last_prefix_field)]
        pub mangle: unsafe extern "C" fn(state: *const (), key: RStr<'_>) -> RawValue,
    }
}

changed! { parameter:
    pub struct RawMangler {
        pub state: *const (),
        pub table: ManglerTableRef,
    }
    pub struct ManglerTable {
        pub mangle: unsafe extern "C" fn(state: *const (), key: RStr<'_>, seed: u64) -> RawValue,
        #[sabi(last_prefix_field)]
        pub destroy: unsafe extern "C" fn(state_given: *const ()) -> RawValue,
    }
}

changed! { renamed:
    pub struct RawMangler {
        pub state: *const (),
        pub table: ManglerTableRef,
    }
    pub struct ManglerTable {
        pub mangle: unsafe extern "C" fn(state: *const (), text: RStr<'_>) -> RawValue,
        #[sabi(last_prefix_field)]
        pub destroy: unsafe extern "C" fn(state_given: *const ()) -> RawValue,
    }
}

changed! { answer:
    pub struct RawMangler {
        pub state: *const (),
        pub table: ManglerTableRef,
    }
    pub struct ManglerTable {
        pub mangle: unsafe extern "C" fn(state: *const (), key: RStr<'_>) -> u64,
        #[sabi(last_prefix_field)]
        pub destroy: unsafe extern "C" fn(state_given: *const ()) -> RawValue,
    }
}

changed! { guaranteed:
    pub struct RawMangler {
        pub state: *const (),
        pub table: ManglerTableRef,
    }
    pub struct ManglerTable {
        #[sabi(last_prefix_field)]
        pub mangle: unsafe extern "C" fn(state: *const (), key: RStr<'_>) -> RawValue,
        pub destroy: unsafe extern "C" fn(state_given: *const ()) -> RawValue,
    }
}

changed! { retyped:
    pub struct RawMangler {
        pub state: usize,
        pub table: ManglerTableRef,
    }
    pub struct ManglerTable {
        pub mangle: unsafe extern "C" fn(state: *const (), key: RStr<'_>) -> RawValue,
        #[sabi(last_prefix_field)]
        pub destroy: unsafe extern "C" fn(state_given: *const ()) -> RawValue,
    }
}

changed! { larger:
    pub struct RawMangler {
        pub state: *const (),
        pub table: ManglerTableRef,
        pub more: usize,
    }
    pub struct ManglerTable {
        pub mangle: unsafe extern "C" fn(state: *const (), key: RStr<'_>) -> RawValue,
        #[sabi(last_prefix_field)]
        pub destroy: unsafe extern "C" fn(state_given: *const ()) -> RawValue,
    }
}

#[used]
static CHANGE: [u8; 24] = *b"layout:removed__________";

extern "C" fn layout() -> &'static TypeLayout {
    let change = black_box(&CHANGE);
    match change[7..].split(|byte| *byte == b'_').next() {
        Some(b"reordered") => reordered::LAYOUT,
        Some(b"parameter") => parameter::LAYOUT,
        Some(b"renamed") => renamed::LAYOUT,
        Some(b"answer") => answer::LAYOUT,
        Some(b"guaranteed") => guaranteed::LAYOUT,
        Some(b"retyped") => retyped::LAYOUT,
        Some(b"larger") => larger::LAYOUT,
        _ => removed::LAYOUT,
    }
}

extern "C" fn table() -> PluginTableRef {
    unreachable!("the library is refused")
}

#[unsafe(export_name = "__dogpile_plugin_changed_layout")]
#[used]
static HEADER: PluginHeader = PluginHeader {
    layout,
    ..PluginHeader::new(true, table)
};
