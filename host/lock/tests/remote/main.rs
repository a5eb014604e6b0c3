//! Mutexes that other processes respect.
#![cfg(not(feature = "model-check"))]

mod call;
mod leases;
mod mutex;
mod slow;
mod waits;
