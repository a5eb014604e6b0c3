//! A host that follows its manifest: every way to save one, every kind of change, and what is refused.

mod change;
mod close;
mod counted;
mod create;
mod crowd;
mod drain;
mod entries;
mod exclusive;
mod invalidation;
mod judge;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "../region_support/logs.rs"]
mod logs;
mod metrics;
mod only;
mod plan;
mod plugin_file;
mod probe;
mod proxies;
mod reconfigure;
mod refuse;
mod retry;
mod save;
mod share;
mod stop;
mod support;
mod templates;
mod told;
mod trust;
mod warn;
mod ways;
