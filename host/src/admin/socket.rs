//! Whether and where a host listens.

use std::path::PathBuf;

/// Whether a host answers the `dogpile` command, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdminSocket {
    /// It does not.
    #[default]
    Off,
    /// Where the manifest's `[host] admin_socket` says; without it in `$XDG_RUNTIME_DIR/dogpile`, `/run/user/UID/dogpile`
    /// or `/tmp/dogpile-UID`, the first that is there and ours alone, under a name made of the manifest's path. If that
    /// cannot be had, the host logs it and runs without. A host without a manifest has no such socket.
    Auto,
    /// At this path, whatever the manifest says. If that cannot be had, the host does not start. Its folder must exist.
    At(PathBuf),
}
