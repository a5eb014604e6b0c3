//! Mutexes that other processes respect.
#![cfg(not(feature = "model-check"))]

mod call;
mod leases;
mod mutex;
mod waits;
