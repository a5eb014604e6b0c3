//! How plugins come into this process.

use std::ffi::OsStr;

use dogpile::{Host, Plugin, Trust};

/// The folder of the built plugins, which `cargo xtask bench` names. Without it plugins are linked in; their calls go
/// through the same table of `extern "C"` functions.
const PLUGINS: &str = "DOGPILE_BENCH_PLUGINS";

/// How they do.
pub(crate) fn how() -> &'static str {
    match std::env::var_os(PLUGINS) {
        Some(_) => "its backend loaded from a dynamic library",
        None => "its backend linked in",
    }
}

/// A host with one plugin, which has no region yet.
pub(crate) fn host(name: &str, linked: impl FnOnce() -> Plugin) -> Host {
    let host = match std::env::var_os(PLUGINS) {
        Some(folder) => loaded(&folder, name),
        None => Host::builder().plugin(linked()).build(),
    };
    host.unwrap_or_else(|error| panic!("no host with the plugin `{name}`: {error}"))
}

fn loaded(folder: &OsStr, name: &str) -> dogpile::Result<Host> {
    let manifest = tempfile::NamedTempFile::new().expect("the temporary folder can be written");
    let text = format!(
        "version = 1\n[host]\nplugin_dir = \"{}\"\n[plugins.{name}]\n",
        folder.display()
    );
    std::fs::write(manifest.path(), text).expect("it was just made");
    // Both are of whoever runs this, in a folder such as /tmp.
    Host::builder()
        .manifest(manifest.path())
        .trust(Trust::Off)
        .watch(false)
        .build()
}
