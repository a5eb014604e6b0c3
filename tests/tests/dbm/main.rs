//! Regions on the backend `dbm`, in processes that share its file and are killed, stopped and many.
//!
//! Each process is this program, started again with a part to play.

#![forbid(unsafe_code)]

mod crowds;
mod failures;
mod images;
mod owners;
mod processes;
mod swaps;
mod worker;
