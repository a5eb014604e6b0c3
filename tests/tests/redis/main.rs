//! The backends `redis` and `valkey`, on servers that each test starts for itself.

#![forbid(unsafe_code)]

mod arguments;
mod certificates;
mod chaos;
mod conformance;
mod crowds;
mod failover;
mod failures;
mod interop;
mod locks;
mod manifest;
mod owners;
mod processes;
mod proxy;
mod sentinels;
mod storing;
mod support;
mod waking;
mod watched;
mod worker;
