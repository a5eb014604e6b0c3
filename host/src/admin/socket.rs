//! Whether and where a host listens.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::process::getuid;

use super::place::{self, Refusal};
use crate::manifest::{Manifest, ManifestError};

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
    /// At this path, whatever the manifest says. If that cannot be had, the host does not start. Its folder must exist, and
    /// be trusted as that of a manifest is: see [`Trust`](crate::Trust).
    At(PathBuf),
}

/// What would keep a host from listening where its manifest says, so that it would not start; with root, one of the user
/// whose the folder is. A warning if it may be otherwise for another user, or later: a service's folder may be made with it.
pub fn check(manifest: &Manifest) -> Option<ManifestError> {
    let socket = manifest.host().admin_socket.as_deref()?;
    let folder = socket.parent().and_then(|folder| fs::metadata(folder).ok());
    let tenant = folder.filter(|_| getuid().is_root());
    let judged = place::judge(socket, None, tenant.map(|folder| folder.uid()));
    let Refusal {
        message,
        remedy,
        is_lasting,
    } = judged.err()?;
    let at = ["host", "admin_socket"];
    let message = format!("the admin socket {} {message}", socket.display());
    Some(if is_lasting {
        manifest.error_at(&at, message, remedy)
    } else {
        manifest.warning_at(&at, message, remedy)
    })
}
