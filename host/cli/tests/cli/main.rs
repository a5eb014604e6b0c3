//! The `dogpile` binary as a person or a script meets it: output, errors and exit status, exactly.

#![allow(unreachable_pub, reason = "a test binary has no public side")]

mod check;
mod check_site;
mod check_socket;
mod clear;
mod completions;
mod conformance;
mod connections;
mod delete;
mod exec;
mod explain;
mod fragments;
mod get;
mod invalidate;
mod json;
mod man;
mod manifest_page;
mod new_plugin;
mod notify;
mod paths;
mod plugins;
mod progress;
mod reload;
mod schema;
mod serve;
mod set;
mod status;
mod support;
mod trust;
mod usage;
