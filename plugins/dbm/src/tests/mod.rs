//! Tests that need what no user sees: failing disks, damaged files, and the time of the machine's start.

mod damage;
mod failing;
mod faults;
mod intruders;
mod keys;
mod locks;
mod opening;
mod room;
mod support;
