//! The loader, with plugins good and bad: each is built by the tests themselves, from `tests/badplugins`.

mod appended;
mod bad_files;
mod bad_plugins;
mod damage;
mod evolution;
mod fixtures;
mod loading;
mod logging;
mod opening;
mod own_process;
mod talking;
mod trust;
mod versions;
