//! The loader, with plugins good and bad: each is built by the tests themselves, from `tests/badplugins`.

mod appended;
mod bad_files;
mod bad_plugins;
mod codes;
mod damage;
mod evolution;
mod fixtures;
mod hangs;
mod leaks;
mod lies;
mod lies_at_load;
mod lies_in_a_host;
mod loading;
mod logging;
mod opening;
mod own_process;
mod site;
mod swaps;
mod talking;
mod trust;
mod uncatchable;
mod versions;
