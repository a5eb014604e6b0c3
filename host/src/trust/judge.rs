//! The rules, for one folder or file.

use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::fs::{Mode, Stat, StatVfsMountFlags};

use super::Distrust;

/// Who may write, beside root.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Writers {
    /// The user of the process.
    Owner,
    /// And groups.
    Group,
}

/// What is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    File,
    /// The folder that it is in.
    Folder,
    /// Likewise, if it may also be this user's.
    FolderOf(u32),
    /// A folder above.
    Above,
    /// Likewise, if the next one is not ours: nobody else may have made it.
    AboveOthers,
}

/// Whether what `descriptor` is open on, whose state is `found`, is nobody else's to change.
pub(super) fn judge(
    descriptor: BorrowedFd<'_>,
    found: &Stat,
    (place, shown): (Place, &Path),
    writers: Writers,
) -> Result<(), Distrust> {
    let Some(wrong) = wrong(found, place, writers) else {
        return Ok(());
    };
    // Asked only of what is wrong: most files lie on no such mount.
    let mount = rustix::fs::fstatvfs(descriptor);
    if mount.is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::RDONLY)) {
        return Ok(());
    }
    let shown = shown.display();
    let whose = match place {
        Place::File => "it".to_owned(),
        Place::Folder | Place::FolderOf(_) => format!("its folder {shown}"),
        Place::Above | Place::AboveOthers => format!("the folder {shown} above it"),
    };
    Err(match wrong {
        Wrong::Owner(owner) => Distrust {
            message: format!(
                "is not trusted: {whose} belongs to the user {owner}, who is neither root nor the user of this process"
            ),
            remedy: format!("chown it to one of them: {shown}"),
        },
        Wrong::Mode(bits) => {
            let mode = Mode::from_raw_mode(found.st_mode).bits();
            let (who, remedy) = match (bits.contains(Mode::WGRP), bits.contains(Mode::WOTH)) {
                // It is meant for everybody.
                _ if mode & Mode::SVTX.bits() != 0 => (
                    "others",
                    "move the file into a folder that only its user may write in".to_owned(),
                ),
                (true, true) => ("its group and everybody", format!("chmod go-w {shown}")),
                (false, _) => ("everybody", format!("chmod o-w {shown}")),
                (true, false) => {
                    let or =
                        "set DOGPILE_TRUST=owner if all of its group may run code as this process";
                    ("its group", format!("chmod g-w {shown}, or {or}"))
                }
            };
            Distrust {
                message: format!(
                    "is not trusted: {whose} can be written by {who} (mode {mode:04o})"
                ),
                remedy,
            }
        }
    })
}

/// Whoever made a symbolic link chose where it leads.
pub(super) fn foreign_link(link: &Path, found: &Stat) -> Distrust {
    let (shown, owner) = (link.display(), found.st_uid);
    Distrust {
        message: format!(
            "is not trusted: the symbolic link {shown} belongs to the user {owner}, who is neither root nor the user of \
             this process"
        ),
        remedy: format!("make the link yourself: {shown}"),
    }
}

enum Wrong {
    Owner(u32),
    /// With the bits that should not be there.
    Mode(Mode),
}

fn wrong(found: &Stat, place: Place, writers: Writers) -> Option<Wrong> {
    if !is_ours(found) && place != Place::FolderOf(found.st_uid) {
        return Some(Wrong::Owner(found.st_uid));
    }
    let mode = Mode::from_raw_mode(found.st_mode);
    if place == Place::Above && mode.contains(Mode::SVTX) {
        return None;
    }
    let refused = match writers {
        Writers::Owner => Mode::WGRP | Mode::WOTH,
        Writers::Group => Mode::WOTH,
    };
    let bits = mode & refused;
    (!bits.is_empty()).then_some(Wrong::Mode(bits))
}

/// Whether it is root's or the user's of the process.
pub(super) fn is_ours(found: &Stat) -> bool {
    found.st_uid == 0 || found.st_uid == rustix::process::geteuid().as_raw()
}
