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
//! so nobody must miss them. It must have room for a few hundred entries and some megabytes. A storage that keeps
//! nothing at all must say so: its [`stats`](crate::Backend::stats) count no entries after a store.

mod backend;
mod fixture;
mod host;
mod instances;
mod keys;
mod leases;
mod multi;
mod mutex;
mod offered;
mod report;
mod serializer;
mod threads;

use self::fixture::{Case, Subject, run};
pub use self::host::{TestHost, host};
pub use self::offered::Offered;
pub use self::report::{CaseReport, Outcome, Report};
use crate::Plugin;

/// What every backend must do: store, find, replace and remove, one by one and many at once, from many threads, and
/// whatever the keys look like. `arguments` are a JSON object.
pub fn backend_suite(plugin: Plugin, backend: &str, arguments: &str) -> Report {
    let cases: Vec<Case> = [
        backend::CASES,
        multi::CASES,
        keys::CASES,
        instances::CASES,
        threads::CASES,
    ]
    .concat();
    run(Subject::backend(plugin, backend, arguments), &cases)
}

/// Values come back bit for bit as they were stored. `arguments` are a JSON object.
pub fn serializer_suite(plugin: Plugin, backend: &str, arguments: &str) -> Report {
    run(
        Subject::backend(plugin, backend, arguments),
        serializer::CASES,
    )
}

/// What a backend's mutex must do. All cases are "not supported" where it has none. Some wait for leases to pass, a few
/// seconds in all. `arguments` are a JSON object.
pub fn mutex_suite(plugin: Plugin, backend: &str, arguments: &str) -> Report {
    let cases: Vec<Case> = [mutex::CASES, leases::CASES].concat();
    run(Subject::backend(plugin, backend, arguments), &cases)
}

/// All cases of the other suites, on a backend behind proxies, the first of which is the outermost: a proxy must let it
/// keep its promises. Those that wait for leases take a few seconds, where the backend has a mutex.
pub fn proxy_suite(proxies: &[Offered<'_>], backend: Offered<'_>) -> Report {
    let cases: Vec<Case> = [
        backend::CASES,
        multi::CASES,
        keys::CASES,
        instances::CASES,
        threads::CASES,
        serializer::CASES,
        mutex::CASES,
        leases::CASES,
    ]
    .concat();
    run(Subject { backend, proxies }, &cases)
}
