//! The data file and what lies beside it: opened, looked at, thrown away, moved aside, and opened again.

mod aside;
mod boot;
mod file_system;
mod flock;
mod foreign;
mod live;
mod medium;
mod opening;
mod places;
mod range;
mod rw_lock;
mod state;

pub(crate) use self::flock::retried;
pub(crate) use self::live::Live;
#[cfg(test)]
pub(crate) use self::medium::Medium;
pub(crate) use self::medium::{Disk, TooLarge};
pub(crate) use self::opening::Opening;
pub(crate) use self::places::{Places, explained, folder_of, open_or_make};
pub(crate) use self::range::Range;
