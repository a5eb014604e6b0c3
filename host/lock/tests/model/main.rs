//! The lock under a model checker, which chooses the interleavings:
//! `cargo test -p dogpile-lock --features model-check --test model`.
//!
//! Each test runs 10,000 random schedules (`DOGPILE_MODEL_SCHEDULES`) from one seed, which it prints. A failing run is
//! repeated by setting `DOGPILE_MODEL_SEED` to it.
#![cfg(feature = "model-check")]

mod check;
mod circles;
mod creations;
mod deletions;
mod elsewhere;
mod failures;
mod multi;
mod multi_call;
mod patience;
mod put_off;
mod stores;
mod tasks;
mod world;
