//! Cached functions.

#![forbid(unsafe_code)]

#[path = "../region_support/mod.rs"]
mod region_support;

mod asynchronous;
mod background;
mod counter;
mod failures;
mod forms;
mod gaps;
mod keys;
mod multi;
mod python;
mod python_keys;
mod python_multi;
mod results;
mod tags;
mod threads;
