//! Every way to save a manifest, or what it names, is noticed and applied once.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use dogpile::Host;

use crate::support::{Site, for_a_while, until, whole};

/// How often each way is gone.
const TURNS: u64 = 10;

fn region(name: &str, expiration_time: u64) -> String {
    format!("[regions.{name}]\nbackend = \"memory\"\nexpiration_time = {expiration_time}\n")
}

fn users(turn: u64) -> String {
    whole(&region("users", 100 + turn))
}

/// Saves new content in that way, again and again; each time it becomes one generation, and what is cached stays.
fn each_save_is_one_generation(save: impl Fn(&Site, u64)) {
    let site = Site::empty();
    // What leads to the manifest may be a link.
    save(&site, 0);
    let host = site.open();
    let users = host.region("users").unwrap();
    users.set("a", 1_u64).unwrap();
    for turn in 1..=TURNS {
        let before = host.status();
        save(&site, turn);
        let after = site.applied(&host);
        assert_ne!(
            after.manifest_hash, before.manifest_hash,
            "nothing was saved"
        );
        assert_eq!(after.generation, before.generation + 1, "turn {turn}");
        assert_eq!(users.get::<u64>("a").unwrap().as_deref(), Some(&1));
    }
    assert_eq!(users.stats().hits, TURNS);
}

#[test]
fn a_manifest_written_in_place_is_applied() {
    each_save_is_one_generation(|site, turn| fs::write(site.manifest(), users(turn)).unwrap());
}

#[test]
fn a_manifest_written_in_place_with_the_same_length_and_time_is_applied() {
    let time = SystemTime::now() - Duration::from_hours(1);
    each_save_is_one_generation(|site, turn| {
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(site.manifest())
            .unwrap();
        file.write_all(users(turn).as_bytes()).unwrap();
        file.set_modified(time).unwrap();
    });
}

#[test]
fn a_manifest_truncated_and_written_slowly_is_applied_when_it_is_whole() {
    each_save_is_one_generation(|site, turn| {
        // The version comes last, so that no part of it is a manifest.
        let text = format!(
            "host.plugin_dir = {:?}\nplugins.memory = {{}}\n\
             regions.users = {{ backend = \"memory\", expiration_time = {} }}\nversion = 1\n",
            crate::support::plugins(),
            100 + turn
        );
        let mut file = File::create(site.manifest()).unwrap();
        for piece in text.as_bytes().chunks(text.len().div_ceil(8)) {
            file.write_all(piece).unwrap();
            file.flush().unwrap();
            thread::sleep(Duration::from_millis(10));
        }
    });
}

#[test]
fn a_manifest_that_is_right_by_chance_while_it_is_written_is_not_applied() {
    let site = Site::empty();
    fs::write(site.manifest(), users(0)).unwrap();
    let host = site.open();
    let before = host.status();
    // Each part of the number is a number.
    let (text, whole) = (users(900), users(900));
    let half = text.len() - "00\n".len();
    let mut file = File::create(site.manifest()).unwrap();
    file.write_all(&text.as_bytes()[..half]).unwrap();
    for_a_while("half of it is not applied", || {
        host.status().manifest_hash == before.manifest_hash
    });
    file.write_all(&whole.as_bytes()[half..]).unwrap();
    assert_eq!(site.applied(&host).generation, before.generation + 1);
    // One that ends like that is applied all the same.
    fs::write(site.manifest(), users(901).trim_end()).unwrap();
    assert_eq!(site.applied(&host).generation, before.generation + 2);
}

#[test]
fn a_manifest_renamed_over_the_old_one_is_applied() {
    each_save_is_one_generation(|site, turn| site.replace("dogpile.toml", users(turn)));
}

#[test]
fn a_manifest_whose_old_one_is_renamed_away_first_is_applied() {
    each_save_is_one_generation(|site, turn| {
        if turn > 0 {
            fs::rename(site.manifest(), site.path("dogpile.toml~")).unwrap();
        }
        fs::write(site.manifest(), users(turn)).unwrap();
    });
}

#[test]
fn a_manifest_deleted_and_created_again_is_applied() {
    let site = Site::empty();
    fs::write(site.manifest(), users(0)).unwrap();
    let host = site.open();
    let before = host.status().generation;
    for turn in 1..=TURNS {
        fs::remove_file(site.manifest()).unwrap();
        Site::refused(&host, "dogpile.toml");
        fs::write(site.manifest(), users(turn)).unwrap();
        assert_eq!(site.applied(&host).generation, before + turn);
    }
}

#[test]
fn a_manifest_behind_a_link_is_applied_when_the_link_leads_elsewhere() {
    each_save_is_one_generation(|site, turn| {
        let folder = format!("release-{turn}");
        fs::create_dir(site.path(&folder)).unwrap();
        fs::write(site.path(&folder).join("dogpile.toml"), users(turn)).unwrap();
        relink(site, &format!("{folder}/dogpile.toml"), "dogpile.toml");
    });
}

#[test]
fn a_manifest_behind_a_link_is_applied_when_its_target_is_written() {
    each_save_is_one_generation(|site, turn| {
        if turn == 0 {
            fs::create_dir(site.path("elsewhere")).unwrap();
            symlink("elsewhere/real.toml", site.manifest()).unwrap();
        }
        site.replace("elsewhere/real.toml", users(turn));
    });
}

#[test]
fn a_manifest_in_a_config_map_is_applied_when_kubernetes_swaps_its_data() {
    each_save_is_one_generation(|site, turn| {
        let folder = format!("..2026_{turn}");
        fs::create_dir(site.path(&folder)).unwrap();
        fs::write(site.path(&folder).join("dogpile.toml"), users(turn)).unwrap();
        relink(site, &folder, "..data");
        if turn == 0 {
            symlink("..data/dogpile.toml", site.manifest()).unwrap();
        } else {
            fs::remove_dir_all(site.path(format!("..2026_{}", turn - 1))).unwrap();
        }
    });
}

/// A link is replaced at once, as `ln -sfn` and Kubernetes do.
fn relink(site: &Site, target: &str, name: &str) {
    let beside = site.path("beside");
    symlink(target, &beside).unwrap();
    fs::rename(beside, site.path(name)).unwrap();
}

#[test]
fn a_folder_renamed_away_and_back_with_another_manifest_is_noticed() {
    let site = Site::empty();
    let folder = site.path("etc");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("dogpile.toml"), users(0)).unwrap();
    let host = Host::open(folder.join("dogpile.toml")).unwrap();
    let generation = host.status().generation;
    for turn in 1..=3 {
        fs::rename(&folder, site.path("away")).unwrap();
        Site::refused(&host, "dogpile.toml");
        fs::rename(site.path("away"), &folder).unwrap();
        until("the manifest is read again", || {
            host.status().last_error.is_none()
        });
        fs::write(folder.join("dogpile.toml"), users(turn)).unwrap();
        until("the next save is applied", || {
            host.status().generation == generation + turn
        });
    }
}

#[test]
fn what_changes_no_content_is_no_reload() {
    let site = Site::new(&region("users", 1));
    let host = site.open();
    let before = host.status();
    let unchanged = || {
        let now = host.status();
        now.generation == before.generation && now.loaded_at == before.loaded_at
    };
    let manifest = site.manifest();
    let touch = |path: &Path| {
        let file = File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::now()).unwrap();
    };
    touch(&manifest);
    for_a_while("touched", unchanged);
    fs::set_permissions(&manifest, Permissions::from_mode(0o600)).unwrap();
    for_a_while("other permissions", unchanged);
    let text = fs::read(&manifest).unwrap();
    fs::write(&manifest, &text).unwrap();
    for_a_while("written again", unchanged);
    site.replace("dogpile.toml", &text);
    for_a_while("replaced by the same", unchanged);
    fs::write(site.path("other.toml"), "nonsense").unwrap();
    for_a_while("another file beside it", unchanged);
    // It has not gone to sleep over all this.
    site.save(&region("users", 2));
    assert_eq!(site.applied(&host).generation, before.generation + 1);
}

#[test]
fn a_comment_is_another_manifest_but_changes_nothing() {
    let site = Site::new(&region("users", 1));
    let host = site.open();
    let before = host.status();
    site.save(&format!("# it is kept\n{}", region("users", 1)));
    let after = site.applied(&host);
    assert_ne!(after.manifest_hash, before.manifest_hash);
    assert_eq!(after.generation, before.generation);
}

#[test]
fn an_included_file_is_followed_as_it_comes_changes_and_goes() {
    let site = Site::empty();
    let text =
        whole(&region("users", 1)).replace("[host]", "include = [\"conf.d/*.toml\"]\n[host]");
    fs::write(site.manifest(), text).unwrap();
    fs::create_dir(site.path("conf.d")).unwrap();
    let host = site.open();
    for turn in 1..=3 {
        site.replace("conf.d/pages.toml", region("pages", turn));
        site.applied(&host);
        let pages = host.region("pages").unwrap();
        pages.set("a", turn).unwrap();
        fs::write(site.path("conf.d/pages.toml"), region("pages", 10 * turn)).unwrap();
        let status = site.applied(&host);
        assert_eq!(status.regions.len(), 2);
        assert_eq!(pages.get::<u64>("a").unwrap().as_deref(), Some(&turn));
        drop(pages);
        fs::remove_file(site.path("conf.d/pages.toml")).unwrap();
        let status = site.applied(&host);
        assert_eq!(status.regions.len(), 1);
        host.region("pages").unwrap_err();
    }
}

#[test]
fn a_folder_of_includes_may_come_later() {
    let site = Site::empty();
    let text =
        whole(&region("users", 1)).replace("[host]", "include = [\"conf.d/*.toml\"]\n[host]");
    fs::write(site.manifest(), text).unwrap();
    let host = site.open();
    fs::create_dir(site.path("conf.d")).unwrap();
    fs::write(site.path("conf.d/pages.toml"), region("pages", 1)).unwrap();
    site.applied(&host);
    host.region("pages").unwrap();
}

#[test]
fn the_target_of_an_interpolation_is_followed() {
    let site = Site::empty();
    fs::write(site.path("limit"), "1KiB\n").unwrap();
    site.save("[regions.users]\nbackend = \"memory\"\narguments.max_bytes = \"${file:limit}\"\n");
    let host = site.open();
    let users = host.region("users").unwrap();
    users.set("a", 1_u64).unwrap();
    let before = host.status().generation;
    for turn in 1..=3 {
        site.replace("limit", format!("{turn}MiB\n"));
        assert_eq!(site.applied(&host).generation, before + turn);
    }
    assert!(
        users.get::<u64>("a").unwrap().is_none(),
        "it has a new instance"
    );
    fs::remove_file(site.path("limit")).unwrap();
    Site::refused(&host, "limit");
    fs::write(site.path("limit"), "1MiB").unwrap();
    site.applied(&host);
}

#[test]
fn many_saves_in_a_row_end_with_the_last() {
    let site = Site::empty();
    fs::write(site.manifest(), users(0)).unwrap();
    let host = site.open();
    for turn in 1..=200 {
        site.replace("dogpile.toml", users(turn));
    }
    let status = site.applied(&host);
    assert!(status.generation > 1);
    site.replace("dogpile.toml", users(0));
    site.applied(&host);
}

#[test]
fn a_host_that_does_not_watch_changes_when_it_is_told_to() {
    let site = Site::new(&region("users", 1));
    let host = site.open_unwatched();
    let before = host.status();
    site.save(&region("users", 2));
    for_a_while("nobody looks", || {
        host.status().generation == before.generation
    });
    let reload = host.reload().unwrap();
    assert!(reload.changed);
    assert_eq!(reload.generation, before.generation + 1);
}
