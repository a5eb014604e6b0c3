//! Tera 2 templates with cached pages and fragments.

mod edits;
mod elsewhere;
mod fragments;
mod guide;
#[path = "../cache/lined_up.rs"]
mod lined_up;
mod lint;
mod pages;
mod private;
mod refused;
mod support;
