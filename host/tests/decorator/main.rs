//! Cached functions.

#![forbid(unsafe_code)]

#[path = "../region_support/mod.rs"]
mod region_support;

mod counter;
mod failures;
mod forms;
mod keys;
mod python;
mod python_keys;
mod results;
mod threads;
