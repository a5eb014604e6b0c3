//! The conformance suite, which every backend and proxy runs, and a host to open plugins with in tests.
//!
//! A suite opens a backend through the boundary, as the host does, and puts it through cases that are named by what
//! must hold. In a test of the plugin's crate:
//!
//! ```
//! # use dogpile_plugin_api as api;
//! # use api::{Backend, HostContext, Key, NoArguments, Result, Value, BackendStats};
//! # struct Nothing;
//! # impl Backend for Nothing {
//! #     type Arguments = NoArguments;
//! #     fn open(_: NoArguments, _: &HostContext) -> Result<Self> { Ok(Self) }
//! #     fn get(&self, _: &Key) -> Result<Option<Value>> { Ok(None) }
//! #     fn set(&self, _: &Key, _: &Value) -> Result<()> { Ok(()) }
//! #     fn delete(&self, _: &Key) -> Result<()> { Ok(()) }
//! #     fn stats(&self) -> Result<BackendStats> {
//! #         let mut stats = BackendStats::default();
//! #         stats.entries = Some(0);
//! #         Ok(stats)
//! #     }
//! #     fn shared(&self) -> bool { false }
//! # }
//! # api::export_plugin! { backends: { "nothing" => Nothing } }
//! # fn main() {
//! use dogpile_plugin_api::testing;
//!
//! testing::backend_suite(plugin(), "nothing", "{}").assert_passed();
//! testing::serializer_suite(plugin(), "nothing", "{}").assert_passed();
//! testing::mutex_suite(plugin(), "nothing", "{}").assert_passed();
//! # }
//! ```
//!
//! The storage may hold other entries, under keys that do not start with `conformance:`; but the suite calls `clear`,
//! so nobody must miss them. It must have room for a few hundred entries and 32 MiB, or refuse what is too long for it;
//! [`Conformance::largest_value`] asks for less. A storage that keeps nothing at all must say so: its
//! [`stats`](crate::Backend::stats) count no entries after a store.
//!
//! A case's name is what must hold, and stays; its [`Outcome`] tells what was seen. `dogpile conformance` runs the same
//! suites on a plugin's file.

mod backend;
mod conformance;
mod ends;
mod fixture;
mod host;
mod instances;
mod keys;
mod leases;
mod multi;
mod mutex;
mod offered;
mod report;
mod run;
mod serializer;
mod suite;
mod threads;

pub use self::conformance::{Conformance, Progress};
pub use self::host::{TestHost, host};
pub use self::offered::Offered;
pub use self::report::{CaseReport, Outcome, Report};
pub use self::suite::Suite;
use crate::Plugin;

/// [`Suite::Backend`] alone. `arguments` are a JSON object.
pub fn backend_suite(plugin: Plugin, backend: &str, arguments: &str) -> Report {
    suite(Suite::Backend, plugin, backend, arguments)
}

/// [`Suite::Serializer`] alone. `arguments` are a JSON object.
pub fn serializer_suite(plugin: Plugin, backend: &str, arguments: &str) -> Report {
    suite(Suite::Serializer, plugin, backend, arguments)
}

/// [`Suite::Mutex`] alone. Some of its cases wait for leases to pass, a few seconds in all. `arguments` are a JSON object.
pub fn mutex_suite(plugin: Plugin, backend: &str, arguments: &str) -> Report {
    suite(Suite::Mutex, plugin, backend, arguments)
}

fn suite(suite: Suite, plugin: Plugin, name: &str, arguments: &str) -> Report {
    let backend = Offered {
        plugin,
        name,
        arguments,
    };
    Conformance::of(backend).suites(&[suite]).run()
}

/// All suites, on a backend behind proxies, the first of which is the outermost: a proxy must let it keep its promises.
/// Those that wait for leases take a few seconds, where the backend has a mutex.
pub fn proxy_suite(proxies: &[Offered<'_>], backend: Offered<'_>) -> Report {
    Conformance::of(backend).behind(proxies).run()
}
