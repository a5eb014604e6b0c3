//! MiniJinja 3 templates with cached pages and fragments.

mod crowds;
mod edits;
mod fragments;
#[path = "../cache/lined_up.rs"]
mod lined_up;
#[path = "../cache/logged.rs"]
mod logged;
mod pages;
mod private;
mod refused;
mod snapshots;
mod support;
