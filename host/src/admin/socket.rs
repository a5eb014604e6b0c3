//! Whether and where a host listens.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::process::getuid;

use super::place::{self, Refusal};
use crate::manifest::{Manifest, ManifestError};
use crate::trust::Trust;

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
    let refusal = refusal(manifest, None, tenant.map(|folder| folder.uid()))?;
    if refusal.is_lasting {
        return Some(manifest.error_at(&PLACE, refusal.message, refusal.remedy));
    }
    let remedy = format!(
        "{}; nothing is to be done if the host is another user's, or its folder is made when it starts",
        refusal.remedy
    );
    Some(manifest.warning_at(&PLACE, refusal.message, remedy))
}

/// Of a running host whose manifest names another socket than that where it listens.
pub(super) fn moved(manifest: &Manifest, trust: Option<Trust>) -> ManifestError {
    let (message, remedy) = match refusal(manifest, trust, None) {
        None => (
            "the admin socket stays where it is until the host starts again".to_owned(),
            "restart the host to move it, or put `admin_socket` in [host] back".to_owned(),
        ),
        Some(refusal) => (
            format!("the host would not start again: {}", refusal.message),
            format!("{}, or put `admin_socket` in [host] back", refusal.remedy),
        ),
    };
    manifest.warning_at(&PLACE, message, remedy)
}

/// Where a manifest says it.
const PLACE: [&str; 2] = ["host", "admin_socket"];

fn refusal(manifest: &Manifest, trust: Option<Trust>, tenant: Option<u32>) -> Option<Refusal> {
    let socket = manifest.host().admin_socket.as_deref()?;
    let refusal = place::judge(socket, trust, tenant).err()?;
    Some(Refusal {
        message: format!("the admin socket {} {}", socket.display(), refusal.message),
        ..refusal
    })
}
