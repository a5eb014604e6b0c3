//! The lock with real threads.
#![cfg(not(feature = "model-check"))]

mod circles;
mod crowd;
mod failures;
mod lock;
mod support;
