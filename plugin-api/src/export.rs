//! `export_plugin!`: what makes a crate a plugin.

/// Makes the crate a plugin: exports its one symbol and gives the function `plugin()`, by which a program can link
/// the plugin in instead of loading it.
///
/// ```
/// use dogpile_plugin_api::{Backend, HostContext, Key, NoArguments, Result, Value, export_plugin};
///
/// struct Nothing;
///
/// impl Backend for Nothing {
///     type Arguments = NoArguments;
///     fn open(_: NoArguments, _: &HostContext) -> Result<Self> { Ok(Self) }
///     fn get(&self, _: &Key) -> Result<Option<Value>> { Ok(None) }
///     fn set(&self, _: &Key, _: &Value) -> Result<()> { Ok(()) }
///     fn delete(&self, _: &Key) -> Result<()> { Ok(()) }
/// }
///
/// export_plugin! { backends: { "nothing" => Nothing } }
/// # fn main() { assert_eq!(plugin().describe().unwrap().backends[0].name, "nothing"); }
/// ```
///
/// The groups `backends`, `manglers`, `proxies` and `template_caches`, in this order, may each be left out. The symbol
/// carries the package's name, so that several plugins can be linked into one program.
#[macro_export]
macro_rules! export_plugin {
    (
        $( backends: { $( $backend:literal => $backend_type:ty ),+ $(,)? } $(,)? )?
        $( manglers: { $( $mangler:literal => $mangler_type:ty ),+ $(,)? } $(,)? )?
        $( proxies: { $( $proxy:literal => $proxy_type:ty ),+ $(,)? } $(,)? )?
        $( template_caches: { $( $template_cache:literal => $template_cache_type:ty ),+ $(,)? } $(,)? )?
    ) => {
        /// This plugin, linked into the program.
        #[must_use]
        pub fn plugin() -> $crate::Plugin {
            // SAFETY: the table was made just here, by this image and for this version of the interface.
            unsafe { $crate::Plugin::from_table(__dogpile_plugin::table()) }
        }

        #[doc(hidden)]
        mod __dogpile_plugin {
            #[allow(unused_imports)]
            use super::*;
            use $crate::__export::{
                PluginHeader, PluginTable, PluginTableRef, RawBackend, RawHost, RawMangler, RawTemplateCache, RawValue,
                Registration, ROption, RStr, WithMetadata, staticref,
            };

            const REGISTERED: &[Registration] = &[
                $( $( Registration::backend::<$backend_type>($backend), )+ )?
                $( $( Registration::mangler::<$mangler_type>($mangler), )+ )?
                $( $( Registration::proxy::<$proxy_type>($proxy), )+ )?
                $( $( Registration::template_cache::<$template_cache_type>($template_cache), )+ )?
            ];

            extern "C" fn describe() -> RawValue {
                $crate::__export::describe(
                    env!("CARGO_PKG_NAME"),
                    env!("CARGO_PKG_VERSION"),
                    env!("CARGO_PKG_DESCRIPTION"),
                    REGISTERED,
                )
            }

            extern "C" fn start(host: &RawHost) -> RawValue {
                $crate::__export::start(host)
            }

            extern "C" fn open_backend(
                name: RStr<'_>,
                arguments: RStr<'_>,
                host: &RawHost,
                backend: &mut ROption<RawBackend>,
            ) -> RawValue {
                $crate::__export::open_backend(REGISTERED, name, arguments, host, backend)
            }

            extern "C" fn open_mangler(
                name: RStr<'_>,
                arguments: RStr<'_>,
                host: &RawHost,
                mangler: &mut ROption<RawMangler>,
            ) -> RawValue {
                $crate::__export::open_mangler(REGISTERED, name, arguments, host, mangler)
            }

            extern "C" fn open_proxy(
                name: RStr<'_>,
                arguments: RStr<'_>,
                host: &RawHost,
                inner: RawBackend,
                proxy: &mut ROption<RawBackend>,
            ) -> RawValue {
                $crate::__export::open_proxy(REGISTERED, name, arguments, host, inner, proxy)
            }

            extern "C" fn open_template_cache(
                name: RStr<'_>,
                arguments: RStr<'_>,
                host: &RawHost,
                cache: &mut ROption<RawTemplateCache>,
            ) -> RawValue {
                $crate::__export::open_template_cache(REGISTERED, name, arguments, host, cache)
            }

            struct Exported;

            impl Exported {
                staticref!(const TABLE: WithMetadata<PluginTable> =
                    WithMetadata::new(PluginTable {
                        describe, start, open_backend, open_mangler, open_proxy, open_template_cache,
                    }));
            }

            pub extern "C" fn table() -> PluginTableRef {
                PluginTableRef(Exported::TABLE.as_prefix())
            }

            #[unsafe(export_name = concat!("__dogpile_plugin_", env!("CARGO_PKG_NAME")))]
            #[used]
            static HEADER: PluginHeader = PluginHeader::new(cfg!(panic = "unwind"), table);
        }
    };
}

/// What the macro's expansion names.
#[doc(hidden)]
pub mod parts {
    pub use abi_stable::prefix_type::WithMetadata;
    pub use abi_stable::staticref;
    pub use abi_stable::std_types::{ROption, RStr};

    pub use crate::abi::{
        PluginHeader, PluginTable, PluginTableRef, RawBackend, RawHost, RawMangler,
        RawTemplateCache, RawValue,
    };
    pub use crate::adapter::{
        Registration, describe, open_backend, open_mangler, open_proxy, open_template_cache, start,
    };
}
