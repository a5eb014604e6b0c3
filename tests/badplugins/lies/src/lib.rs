//! A plugin that lies. Arguments say how and in which method, `{ lie = "panics", in = "get" }`; what it does before it has
//! any is chosen by bytes of its file, which tests change.
//!
//! Without a lie it is a good plugin: a map, with mutexes, and a key mangler, a proxy and a template cache that change
//! nothing.

mod at_load;
mod backend;
mod lie;
mod mangler;
mod mutex;
mod proxy;
mod raw;
mod template_cache;

use abi_stable::prefix_type::WithMetadata;
use abi_stable::staticref;
use abi_stable::std_types::{ROption, RStr};
use dogpile_plugin_api::__export::{self as export, Registration};
use dogpile_plugin_api::abi::{
    PluginHeader, PluginTable, PluginTableRef, RawBackend, RawHost, RawMangler, RawTemplateCache,
    RawValue,
};

pub(crate) const REGISTERED: &[Registration] = &[
    Registration::backend::<backend::Lies>("lies"),
    Registration::mangler::<mangler::Lies>("lies"),
    Registration::proxy::<proxy::Lies>("lies"),
    Registration::template_cache::<template_cache::Lies>("lies"),
];

extern "C" fn open_backend(
    name: RStr<'_>,
    arguments: RStr<'_>,
    host: &RawHost,
    backend: &mut ROption<RawBackend>,
) -> RawValue {
    let answer = export::open_backend(REGISTERED, name, arguments, host, backend);
    *backend = match *backend {
        ROption::RSome(honest) => raw::backend(honest, arguments.as_str()).into(),
        ROption::RNone => ROption::RNone,
    };
    answer
}

extern "C" fn open_mangler(
    name: RStr<'_>,
    arguments: RStr<'_>,
    host: &RawHost,
    mangler: &mut ROption<RawMangler>,
) -> RawValue {
    let answer = export::open_mangler(REGISTERED, name, arguments, host, mangler);
    *mangler = match *mangler {
        ROption::RSome(honest) => ROption::RSome(raw::mangler(honest, arguments.as_str())),
        ROption::RNone => ROption::RNone,
    };
    answer
}

extern "C" fn open_proxy(
    name: RStr<'_>,
    arguments: RStr<'_>,
    host: &RawHost,
    inner: RawBackend,
    proxy: &mut ROption<RawBackend>,
) -> RawValue {
    export::open_proxy(REGISTERED, name, arguments, host, inner, proxy)
}

extern "C" fn open_template_cache(
    name: RStr<'_>,
    arguments: RStr<'_>,
    host: &RawHost,
    cache: &mut ROption<RawTemplateCache>,
) -> RawValue {
    let answer = export::open_template_cache(REGISTERED, name, arguments, host, cache);
    *cache = match *cache {
        ROption::RSome(honest) => ROption::RSome(raw::template_cache(honest, arguments.as_str())),
        ROption::RNone => ROption::RNone,
    };
    answer
}

struct Exported;

impl Exported {
    staticref!(const TABLE: WithMetadata<PluginTable> = WithMetadata::new(PluginTable {
        describe: at_load::describe,
        start: at_load::start,
        open_backend,
        open_mangler,
        open_proxy,
        open_template_cache,
    }));
}

extern "C" fn table() -> PluginTableRef {
    PluginTableRef(Exported::TABLE.as_prefix())
}

#[unsafe(export_name = "__dogpile_plugin_lies")]
#[used]
static HEADER: PluginHeader = PluginHeader::new(true, table);
