//! The backends `memcached`, `memcached_ketama` and `memcached_binary`, on servers that each test starts for itself.

#![forbid(unsafe_code)]

mod arguments;
mod chaos;
mod conformance;
mod connections;
mod dead_server;
mod failures;
mod fake;
mod injection;
mod interop;
mod locks;
mod manifest;
mod missed;
mod once;
mod owners;
mod peer;
mod python_page;
mod races;
mod raw;
mod recovery;
mod support;
mod trips;
mod values;
mod worker;
