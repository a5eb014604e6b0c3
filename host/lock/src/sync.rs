//! The one door to locks, atomics and threads, so that a model checker can stand behind it.

#[cfg(feature = "model-check")]
mod model;
#[cfg(not(feature = "model-check"))]
mod real;

#[cfg(feature = "model-check")]
pub(crate) use model::{
    AtomicBool, AtomicU64, Moment, Mutex, MutexGuard, Thread, current_owner, current_thread, park,
    set_current_owner,
};
#[cfg(not(feature = "model-check"))]
pub(crate) use real::{
    AtomicBool, AtomicU64, Moment, Mutex, MutexGuard, Thread, current_owner, current_thread, park,
    set_current_owner,
};
/// Counts up for the whole process: no schedule depends on the numbers.
pub(crate) use std::sync::atomic::AtomicU64 as AtomicNumber;
pub(crate) use std::sync::atomic::Ordering;
// These need no model: a `OnceLock` here has one writer and readers that do not wait, and no reference count is asked for.
pub(crate) use std::sync::{Arc, OnceLock};
