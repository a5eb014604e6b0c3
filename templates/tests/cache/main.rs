//! The cache of templates, whatever engine they are for.

mod crowds;
mod decisions;
mod faults;
mod invalidation;
mod keys;
mod lined_up;
mod logged;
mod options;
mod support;
mod traces;
