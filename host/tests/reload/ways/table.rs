//! The ways.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::place::{Place, number, run, text};
use super::{Becomes, Needs, Way};
use crate::support::{library, plugins};

pub(super) const TABLE: &[Way] = &[
    // The manifest.
    Way::new("written in place", in_place),
    Way::new(
        "written in place, of the same length and time",
        same_length_and_time,
    ),
    Way::new("truncated, and written line by line", slowly),
    Way::new("renamed over", renamed_over),
    Way::new("the old one renamed away first", renamed_away),
    Way::new("deleted, and created again", deleted),
    Way::new("copied over by cp", cp),
    Way::new("sed -i", sed),
    Way::new("vim, which renames the old one away", vim_renames),
    Way::new("vim, which writes in place", vim_writes),
    Way::new("saved twice in a row", twice),
    Way::new("written by another name (hard link)", hard_link),
    Way::new("a link that leads elsewhere", link_swapped),
    Way::new("renamed over behind a link", behind_a_link),
    Way::new("Kubernetes swaps ..data", kubernetes),
    Way::new(
        "its folder renamed away, changed, and renamed back",
        folder_away_and_back,
    ),
    Way::new("its folder deleted, and created again", folder_deleted),
    Way::new("the folder above its folder replaced", release_replaced),
    Way::new("mounted here as a file, and written there", mounted_file).needs(Needs::Mounts),
    Way::new("another file mounted over it", mounted_over)
        .needs(Needs::Mounts)
        .becomes(Becomes::GenerationByLooking),
    Way::new(
        "written under an overlay, which has no events",
        under_an_overlay,
    )
    .needs(Needs::Mounts)
    .becomes(Becomes::GenerationByLooking),
    // What it names.
    Way::new(
        "an included file added and removed",
        included_comes_and_goes,
    ),
    Way::new("an included file written in place", included_written),
    Way::new("a secret renamed over", secret_replaced),
    Way::new("a secret that Kubernetes rotates", secret_rotated),
    Way::new("a plugin renamed over", plugin_renamed_over),
    Way::new("a plugin copied slowly in place", plugin_copied_slowly),
    // What is no change.
    Way::new("touched", touched).becomes(Becomes::Nothing),
    Way::new("chmod", chmod).becomes(Becomes::Nothing),
    Way::new("chown", chown)
        .needs(Needs::Users)
        .becomes(Becomes::Nothing),
    Way::new("the same written in place", same_written).becomes(Becomes::Nothing),
    Way::new("the same renamed over", same_renamed_over).becomes(Becomes::Nothing),
    Way::new("a link to another file of the same", same_elsewhere).becomes(Becomes::Nothing),
    Way::new("an editor's swap and backup files beside it", files_beside).becomes(Becomes::Nothing),
    Way::new("the same plugin renamed over", same_plugin).becomes(Becomes::Nothing),
    Way::new("a plugin dropped in that is not listed", plugin_dropped_in).becomes(Becomes::Nothing),
];

/// Of a process of its own.
pub(super) const OVERFLOW: &[Way] = &[Way::new(
    "renamed over while the queue of events is full",
    overflow,
)];

fn in_place(place: &Place, turn: u64) {
    fs::write(place.manifest(), text(turn)).unwrap();
}

fn same_length_and_time(place: &Place, turn: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(place.manifest())
        .unwrap();
    file.write_all(text(turn).as_bytes()).unwrap();
    file.set_modified(time).unwrap();
}

/// So slowly that it is looked at meanwhile, with pauses in which nothing but that it is open tells that there is more
/// to come: what is there is a manifest.
fn slowly(place: &Place, turn: u64) {
    let comments = "# One line more.\n".repeat(12);
    let text = text(turn).replace("expiration_time", &[&comments, "expiration_time"].concat());
    let mut file = File::create(place.manifest()).unwrap();
    for line in text.split_inclusive('\n') {
        let since = Instant::now();
        thread::sleep(Duration::from_millis(150));
        // A writer that a busy machine holds up for long has left something that counts as whole.
        if since.elapsed() > Duration::from_millis(400) {
            place.is_whole();
        }
        file.write_all(line.as_bytes()).unwrap();
    }
}

fn renamed_over(place: &Place, turn: u64) {
    place.replace("dogpile.toml", text(turn));
}

fn renamed_away(place: &Place, turn: u64) {
    if turn > 0 {
        fs::rename(place.manifest(), place.path("dogpile.toml~")).unwrap();
    }
    fs::write(place.manifest(), text(turn)).unwrap();
}

fn deleted(place: &Place, turn: u64) {
    if turn > 0 {
        fs::remove_file(place.manifest()).unwrap();
        // Sometimes that is seen.
        thread::sleep(Duration::from_millis(20 * (turn % 10)));
    }
    fs::write(place.manifest(), text(turn)).unwrap();
}

fn cp(place: &Place, turn: u64) {
    let new = place.path("new.toml");
    fs::write(&new, text(turn)).unwrap();
    run(Command::new("cp").args([new, place.manifest()]));
}

fn sed(place: &Place, turn: u64) {
    if turn == 0 {
        return in_place(place, turn);
    }
    let script = format!("s/{}/{}/", number(turn - 1), number(turn));
    run(Command::new("sed")
        .args(["-i", &script])
        .arg(place.manifest()));
}

fn vim_renames(place: &Place, turn: u64) {
    if turn == 0 {
        in_place(place, turn);
    } else if has_vim() {
        vim(place, turn, "no");
    } else {
        // As it does: the old one is the backup until the new one is whole.
        let backup = place.path("dogpile.toml~");
        fs::rename(place.manifest(), &backup).unwrap();
        in_place(place, turn);
        fs::remove_file(backup).unwrap();
    }
}

fn vim_writes(place: &Place, turn: u64) {
    if turn == 0 {
        in_place(place, turn);
    } else if has_vim() {
        vim(place, turn, "yes");
    } else {
        let backup = place.path("dogpile.toml~");
        fs::copy(place.manifest(), &backup).unwrap();
        in_place(place, turn);
        fs::remove_file(backup).unwrap();
    }
}

fn has_vim() -> bool {
    Command::new("vim").arg("--version").output().is_ok()
}

/// With its swap file, its backup and its test file `4913`.
fn vim(place: &Place, turn: u64, copies: &str) {
    let change = format!("%s/{}/{}/", number(turn - 1), number(turn));
    run(Command::new("vim")
        .args(["-u", "NONE", "-N", "-e", "-s"])
        .arg(format!("+set writebackup backupcopy={copies}"))
        .args([&format!("+{change}"), "+wq"])
        .arg(place.manifest()));
}

/// So that the second comes while the first is waited for, or read, or applied.
fn twice(place: &Place, turn: u64) {
    if turn > 0 {
        place.replace("dogpile.toml", text(5_000 + turn));
        place.is_whole();
        thread::sleep(Duration::from_millis(10 * (turn % 10)));
    }
    place.replace("dogpile.toml", text(turn));
}

fn hard_link(place: &Place, turn: u64) {
    let other = place.path("elsewhere/other.toml");
    if turn == 0 {
        fs::create_dir(place.path("elsewhere")).unwrap();
        fs::write(&other, text(turn)).unwrap();
        fs::hard_link(&other, place.manifest()).unwrap();
    }
    fs::write(other, text(turn)).unwrap();
}

fn link_swapped(place: &Place, turn: u64) {
    let folder = format!("release-{turn}");
    fs::create_dir(place.path(&folder)).unwrap();
    fs::write(place.path(&folder).join("dogpile.toml"), text(turn)).unwrap();
    relink(place, &format!("{folder}/dogpile.toml"), "dogpile.toml");
}

fn behind_a_link(place: &Place, turn: u64) {
    if turn == 0 {
        fs::create_dir(place.path("elsewhere")).unwrap();
        symlink("elsewhere/real.toml", place.manifest()).unwrap();
    }
    place.replace("elsewhere/real.toml", text(turn));
}

fn kubernetes(place: &Place, turn: u64) {
    swap_data(place, "", turn, "dogpile.toml", &text(turn));
}

/// A volume of Kubernetes in `folder`: a new folder with the file, `..data` swapped, the old folder removed.
fn swap_data(place: &Place, folder: &str, turn: u64, name: &str, content: &str) {
    let at = |name: &str| Path::new(folder).join(name);
    let new = format!("..2026_{turn}");
    fs::create_dir(place.path(at(&new))).unwrap();
    fs::write(place.path(at(&new)).join(name), content).unwrap();
    relink(place, &new, at("..data").to_str().unwrap());
    if turn == 0 {
        symlink(format!("..data/{name}"), place.path(at(name))).unwrap();
    } else {
        fs::remove_dir_all(place.path(at(&format!("..2026_{}", turn - 1)))).unwrap();
    }
}

/// A link is replaced at once, as `ln -sfn` and Kubernetes do.
fn relink(place: &Place, target: &str, name: &str) {
    let beside = place.path(format!("{name}.beside"));
    symlink(target, &beside).unwrap();
    fs::rename(beside, place.path(name)).unwrap();
}

/// The manifest in the folder `name`, of which `dogpile.toml` is a link into it.
fn in_folder(place: &Place, name: &str) {
    fs::create_dir_all(place.path(name)).unwrap();
    symlink(format!("{name}/dogpile.toml"), place.manifest()).unwrap();
}

fn folder_away_and_back(place: &Place, turn: u64) {
    if turn == 0 {
        in_folder(place, "etc");
        place.replace("etc/dogpile.toml", text(turn));
        return;
    }
    fs::rename(place.path("etc"), place.path("away")).unwrap();
    place.replace("away/dogpile.toml", text(turn));
    // Until it is missed, or not quite.
    thread::sleep(Duration::from_millis(25 * (turn % 10)));
    fs::rename(place.path("away"), place.path("etc")).unwrap();
}

fn folder_deleted(place: &Place, turn: u64) {
    if turn == 0 {
        in_folder(place, "etc");
    } else {
        // It is noticed that it is gone, and that it is empty, or not.
        let pause = Duration::from_millis(25 * (turn % 10));
        fs::remove_dir_all(place.path("etc")).unwrap();
        thread::sleep(pause);
        fs::create_dir(place.path("etc")).unwrap();
        thread::sleep(pause);
    }
    fs::write(place.path("etc/dogpile.toml"), text(turn)).unwrap();
}

fn release_replaced(place: &Place, turn: u64) {
    if turn == 0 {
        in_folder(place, "app/etc");
        fs::write(place.path("app/etc/dogpile.toml"), text(turn)).unwrap();
        return;
    }
    fs::create_dir_all(place.path("new/etc")).unwrap();
    fs::write(place.path("new/etc/dogpile.toml"), text(turn)).unwrap();
    fs::rename(place.path("app"), place.path(format!("old-{turn}"))).unwrap();
    fs::rename(place.path("new"), place.path("app")).unwrap();
}

fn mounted_file(place: &Place, turn: u64) {
    let there = place.path("elsewhere/real.toml");
    if turn == 0 {
        fs::create_dir(place.path("elsewhere")).unwrap();
        fs::write(&there, text(turn)).unwrap();
        fs::write(place.manifest(), "").unwrap();
        place.mount(&["--bind"], &there, place.manifest());
    }
    fs::write(there, text(turn)).unwrap();
}

fn mounted_over(place: &Place, turn: u64) {
    let next = place.path(format!("next-{turn}.toml"));
    fs::write(&next, text(turn)).unwrap();
    if turn == 0 {
        fs::write(place.manifest(), "").unwrap();
    }
    place.mount(&["--bind"], &next, place.manifest());
}

fn under_an_overlay(place: &Place, turn: u64) {
    let lower = place.path("lower/dogpile.toml");
    if turn == 0 {
        for folder in ["lower", "upper", "work", "merged"] {
            fs::create_dir(place.path(folder)).unwrap();
        }
        fs::write(&lower, text(turn)).unwrap();
        let root = place.path("");
        let root = root.to_str().unwrap().trim_end_matches('/');
        let layers = format!("lowerdir={root}/lower,upperdir={root}/upper,workdir={root}/work");
        place.mount(
            &["-t", "overlay", "-o", &layers],
            Path::new("overlay"),
            place.path("merged"),
        );
        symlink("merged/dogpile.toml", place.manifest()).unwrap();
    }
    fs::write(lower, text(turn)).unwrap();
}

const INCLUDES: &str = "include = [\"conf.d/*.toml\"]\n";

fn more(turn: u64) -> String {
    format!(
        "[regions.pages]\nbackend = \"probe\"\narguments.log = \"ways\"\nexpiration_time = {}\n",
        number(turn)
    )
}

fn included_comes_and_goes(place: &Place, turn: u64) {
    let included = place.path("conf.d/pages.toml");
    if turn == 0 {
        fs::create_dir(place.path("conf.d")).unwrap();
        fs::write(place.manifest(), [INCLUDES, &text(0)].concat()).unwrap();
    } else if turn % 2 == 1 {
        fs::write(included, more(turn)).unwrap();
    } else {
        fs::remove_file(included).unwrap();
    }
}

fn included_written(place: &Place, turn: u64) {
    if turn == 0 {
        included_comes_and_goes(place, turn);
    }
    fs::write(place.path("conf.d/pages.toml"), more(turn)).unwrap();
}

/// A manifest whose backend has what is in `file` as its tag.
fn with_secret(place: &Place, file: &str) {
    let secret = format!("arguments.tag = \"${{file:{file}}}\"\nexpiration_time");
    fs::write(
        place.manifest(),
        text(0).replace("expiration_time", &secret),
    )
    .unwrap();
}

fn secret_replaced(place: &Place, turn: u64) {
    if turn == 0 {
        with_secret(place, "secret");
    }
    place.replace("secret", number(turn).to_string());
}

fn secret_rotated(place: &Place, turn: u64) {
    if turn == 0 {
        fs::create_dir(place.path("run")).unwrap();
        with_secret(place, "run/token");
    }
    swap_data(place, "run", turn, "token", &number(turn).to_string());
}

/// The plugin in other bytes: what follows the ELF file means nothing. `way` and `turn` are of no other.
fn plugin(place: &Place, way: &str, turn: u64) -> Vec<u8> {
    let mark = format!("{way} {turn}");
    [&fs::read(place.path("plugin.so")).unwrap(), mark.as_bytes()].concat()
}

/// With a plugin as it would be installed, without what is for debuggers.
fn with_plugin(place: &Place, way: &str) {
    let name = library("null");
    run(Command::new("strip")
        .arg(plugins().join(&name))
        .arg("-o")
        .arg(place.path("plugin.so")));
    fs::create_dir(place.path("plugins")).unwrap();
    let manifest =
        "version = 1\n[plugins.null]\n[regions.users]\nbackend = \"null\"\nexpiration_time = 1\n";
    fs::write(place.manifest(), manifest).unwrap();
    fs::write(place.plugin(), plugin(place, way, 0)).unwrap();
}

fn plugin_renamed_over(place: &Place, turn: u64) {
    if turn == 0 {
        return with_plugin(place, "renamed");
    }
    let beside = place.path("plugins/beside");
    fs::write(&beside, plugin(place, "renamed", turn)).unwrap();
    fs::rename(beside, place.plugin()).unwrap();
}

fn plugin_copied_slowly(place: &Place, turn: u64) {
    if turn == 0 {
        return with_plugin(place, "copied");
    }
    let bytes = plugin(place, "copied", turn);
    let mut file = File::create(place.plugin()).unwrap();
    for piece in bytes.chunks(bytes.len().div_ceil(4)) {
        thread::sleep(Duration::from_millis(100));
        file.write_all(piece).unwrap();
    }
}

fn touched(place: &Place, turn: u64) {
    if turn == 0 {
        return in_place(place, turn);
    }
    run(Command::new("touch").arg(place.manifest()));
}

fn chmod(place: &Place, turn: u64) {
    if turn == 0 {
        in_place(place, turn);
    }
    let mode = if turn.is_multiple_of(2) { 0o644 } else { 0o600 };
    fs::set_permissions(place.manifest(), Permissions::from_mode(mode)).unwrap();
}

fn chown(place: &Place, turn: u64) {
    if turn == 0 {
        in_place(place, turn);
    }
    let user = if turn.is_multiple_of(2) { 0 } else { 4242 };
    lchown(place.manifest(), Some(user), Some(user)).unwrap();
}

fn same_written(place: &Place, _: u64) {
    in_place(place, 0);
}

fn same_renamed_over(place: &Place, _: u64) {
    renamed_over(place, 0);
}

fn same_elsewhere(place: &Place, turn: u64) {
    let name = format!("copy-{turn}.toml");
    fs::write(place.path(&name), text(0)).unwrap();
    relink(place, &name, "dogpile.toml");
}

fn files_beside(place: &Place, turn: u64) {
    if turn == 0 {
        return in_place(place, turn);
    }
    for name in [
        ".dogpile.toml.swp",
        "4913",
        "dogpile.toml~",
        "#dogpile.toml#",
    ] {
        fs::write(place.path(name), "nonsense").unwrap();
    }
    for name in [".dogpile.toml.swp", "4913"] {
        fs::remove_file(place.path(name)).unwrap();
    }
}

fn same_plugin(place: &Place, turn: u64) {
    if turn == 0 {
        return with_plugin(place, "same");
    }
    let beside = place.path("plugins/beside");
    fs::copy(place.plugin(), &beside).unwrap();
    fs::rename(beside, place.plugin()).unwrap();
}

fn plugin_dropped_in(place: &Place, turn: u64) {
    if turn == 0 {
        return with_plugin(place, "dropped in");
    }
    fs::copy(place.plugin(), place.path("plugins").join(library("other"))).unwrap();
}

/// The process stands still while more happens in the folder than the kernel keeps; what comes last is lost.
fn overflow(place: &Place, turn: u64) {
    if turn == 0 {
        return in_place(place, turn);
    }
    let kept = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    fs::write(place.path("beside"), text(turn)).unwrap();
    let script = "trap 'kill -CONT $PPID' EXIT\n\
        kill -STOP $PPID\n\
        i=0; while [ $i -lt $0 ]; do : >a; : >b; i=$((i + 1)); done\n\
        mv beside dogpile.toml";
    run(Command::new("sh")
        .args(["-e", "-c", script, kept.trim()])
        .current_dir(place.path("")));
}
