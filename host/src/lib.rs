//! Being built.

pub mod manifest;
