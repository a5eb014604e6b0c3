//! Regions whose values and mutexes live in another process, used by processes that are killed, stopped and slow.
//!
//! The store is a process, and so is each of its users: this program, started again with a part to play.

#![forbid(unsafe_code)]

mod backend;
mod crowds;
mod deletions;
mod owners;
mod processes;
mod protocol;
mod store;
mod troubles;
mod worker;
