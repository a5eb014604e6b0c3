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

/// What passes.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) writers: Writers,
    /// Whether everything does that lies on a mount which is read-only here. Not where somebody is asked who answers
    /// there: a socket can be listened to from where the mount is another.
    pub(super) read_only: bool,
    /// Whose folders do too, beside root's and those of the user of the process.
    pub(super) tenant: Option<u32>,
}

/// What is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    File,
    /// The folder that it is in.
    Folder,
    /// A folder above.
    Above,
    /// Likewise, if the next one is the tenant's: nobody else may have made it.
    AboveTenant,
}

/// Whether what `descriptor` is open on, whose state is `found`, is nobody else's to change.
pub(super) fn judge(
    descriptor: BorrowedFd<'_>,
    found: &Stat,
    (place, shown): (Place, &Path),
    rules: Rules,
) -> Result<(), Distrust> {
    let Some(wrong) = wrong(found, place, rules) else {
        return Ok(());
    };
    // Asked only of what is wrong: most files lie on no such mount.
    let mount = rustix::fs::fstatvfs(descriptor);
    if rules.read_only && mount.is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::RDONLY))
    {
        return Ok(());
    }
    let shown = shown.display();
    let whose = match place {
        Place::File => "it".to_owned(),
        Place::Folder => format!("its folder {shown}"),
        Place::Above | Place::AboveTenant => format!("the folder {shown} above it"),
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
                    "use a folder that only its user may write in".to_owned(),
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

fn wrong(found: &Stat, place: Place, rules: Rules) -> Option<Wrong> {
    if !is_ours(found) && rules.tenant != Some(found.st_uid) {
        return Some(Wrong::Owner(found.st_uid));
    }
    let mode = Mode::from_raw_mode(found.st_mode);
    if place == Place::Above && mode.contains(Mode::SVTX) {
        return None;
    }
    let refused = match rules.writers {
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
