//! Askama's templates in the cache.

mod crowds;
mod faults;
mod fragments;
mod identity;
#[path = "../cache/lined_up.rs"]
mod lined_up;
mod nested;
mod pages;
mod private;
mod snapshots;
mod support;
