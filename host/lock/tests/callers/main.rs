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
mod multi;
mod sharing;
mod stale;
mod support;
mod task;
