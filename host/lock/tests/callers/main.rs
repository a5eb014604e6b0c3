//! The lock with real threads and tasks.
#![cfg(not(feature = "model-check"))]

mod circles;
mod crowd;
mod deletions;
mod dropping;
mod executor;
mod failures;
mod joins;
mod lock;
mod many;
mod multi;
mod multi_errors;
mod sharing;
mod stale;
mod support;
mod task;
