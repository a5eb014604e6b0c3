//! Tests of dogpile as a whole. They are in `tests/`.
#![forbid(unsafe_code)]

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
