//! A folder with a manifest and plugins, the command in it, and a server.

mod exec;
mod folder;
mod http;
mod run;
mod server;

pub use exec::{Ended, Exec, ended, tick, until, wait, within};
pub use folder::Folder;
pub use http::Response;
pub use run::{Run, looked_for, without_folder};
pub use server::Server;

/// One region of pages in memory.
pub const PAGES: &str = r#"version = 1

[host]
plugin_dir = "plugins"

[plugins.memory]

[regions.pages]
backend = "memory"
expiration_time = "1h"
"#;
