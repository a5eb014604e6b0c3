//! Tests of dogpile as a whole. They are in `tests/`.
#![forbid(unsafe_code)]

pub mod backend;
pub mod certificates;
pub mod command;
pub mod links;
pub mod locks;
pub mod memcached_server;
pub mod outside;
pub mod owners;
pub mod part;
pub mod process;
pub mod prometheus_server;
pub mod python;
pub mod python_page;
pub mod python_process;
pub mod redis_server;
pub mod running;
pub mod until;
pub mod worker;

use std::path::PathBuf;

/// The library of a first-party plugin: in `DOGPILE_TEST_PLUGINS`, or where cargo built this test.
///
/// # Panics
///
/// If it is not there: the message has the command that builds it.
pub fn plugin_file(plugin: &str) -> PathBuf {
    let file = format!("libdogpile_plugin_{plugin}.so");
    built(&file, &format!("dogpile-plugin-{plugin}"))
}

/// A file that cargo built of that package.
///
/// # Panics
///
/// If it is not there: the message has the command that builds it.
pub fn built(file: &str, package: &str) -> PathBuf {
    let folder = std::env::var_os("DOGPILE_TEST_PLUGINS").map_or_else(
        || {
            let test = std::env::current_exe().expect("a test has a path");
            let built = test.ancestors().nth(2).expect("it lies in `deps`");
            built.to_owned()
        },
        PathBuf::from,
    );
    let file = folder.join(file);
    assert!(
        file.is_file(),
        "there is no {}: run `cargo build -p {package}`",
        file.display()
    );
    file
}

/// The code of the READMEs and of the guides.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../README.md")]
    struct Readme;

    #[doc = include_str!("../../host/README.md")]
    struct OfDogpile;

    #[doc = include_str!("../../docs/for-application-developers.md")]
    struct ForApplicationDevelopers;

    #[doc = include_str!("../../docs/for-plugin-authors.md")]
    struct ForPluginAuthors;

    #[doc = include_str!("../../docs/python.md")]
    struct Python;

    #[doc = include_str!("../../docs/templates.md")]
    struct Templates;
}
