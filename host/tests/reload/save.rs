//! What is followed, and what a save becomes. The ways to save are in `ways`.

use std::fs::{self, File};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use dogpile::ChangeKind;

use crate::counted::full;
use crate::support::{Site, for_a_while, whole};

fn region(name: &str, expiration_time: u64) -> String {
    format!("[regions.{name}]\nbackend = \"memory\"\nexpiration_time = {expiration_time}\n")
}

fn users(turn: u64) -> String {
    whole(&region("users", 100 + turn))
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
    let plan = host.status().last_reload.unwrap().plan.unwrap();
    assert_eq!(plan.changes[0].kind, ChangeKind::Reconfigured);
    assert_eq!(*users.get::<u64>("a").unwrap().unwrap(), 1);
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

/// Two of many included files belong together: whoever reads the one before the save and the other after it has half of
/// either.
#[test]
fn files_that_are_saved_while_they_are_read_are_not_applied_as_they_were_read() {
    let site = Site::empty();
    fs::write(
        site.manifest(),
        "version = 1\ninclude = [\"conf.d/*.toml\"]\n",
    )
    .unwrap();
    fs::create_dir(site.path("conf.d")).unwrap();
    for file in 100..300 {
        fs::write(
            site.path(format!("conf.d/{file}.toml")),
            "# It takes a while.\n",
        )
        .unwrap();
    }
    let save = |turn: u64| {
        for (file, name) in [("0", "first"), ("9", "last")] {
            let proxies = if turn.is_multiple_of(2) {
                ""
            } else {
                "\"through\""
            };
            let text = format!(
                "[regions.{name}]\nbackend = \"probe\"\narguments.log = \"halves\"\nproxies = [{proxies}]\n\
                 expiration_time = {}\nshares_keys = true\n",
                100 + turn
            );
            site.replace(&format!("conf.d/{file}.toml"), text);
        }
    };
    save(0);
    let host = site.open();
    let (saves, done) = (full(1000), AtomicBool::new(false));
    let generation = host.status().generation;
    thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 1..=saves {
                save(turn);
                // About until they are read.
                thread::sleep(Duration::from_millis(60 + turn % 40));
            }
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            let regions = host.status().regions;
            assert_eq!(regions[0].proxies, regions[1].proxies, "half of either");
            thread::sleep(Duration::from_millis(1));
        }
    });
    let applied = site.applied(&host).generation - generation;
    println!("{saves} saves of two files that belong together: {applied} were applied, all whole");
}
