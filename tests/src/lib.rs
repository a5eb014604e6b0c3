//! Tests of dogpile as a whole. They are in `tests/`.
#![forbid(unsafe_code)]
