//! `dogpile exec`.

mod broken;
mod concurrent;
mod keys;
mod list;
mod output;
mod region;
mod replay;
mod signals;
mod stale;
mod usage;
