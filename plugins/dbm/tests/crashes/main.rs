//! Processes that write to one file and are killed at any moment, or run out of room.
//!
//! Each process is this program, started again with a part to play.

#![forbid(unsafe_code)]

mod full;
mod kills;
mod parts;
