//! Askama's templates in the cache.

mod crowds;
mod faults;
mod fragments;
mod identity;
mod nested;
mod pages;
mod private;
mod snapshots;
mod support;
