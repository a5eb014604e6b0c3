//! What dogpile.cache's tests of its region show, where no test that is named for the matter shows it.

#![forbid(unsafe_code)]

mod region_support;

use std::fs;
use std::sync::{Arc, Mutex};

use dogpile::{Invalidation, RegionConfig, Source};

use region_support::{Board, SECOND, builder, memory, region};

#[test]
fn an_expired_value_is_read_once_more_by_who_creates() {
    let board = Board::new("expired");
    let (users, hand) = region(board.objects().expiration_time(SECOND));
    users.set("1", 1).unwrap();
    hand.advance(2 * SECOND);
    board.calls();
    assert_eq!(*users.get_or_create("1", || 2).unwrap(), 2);
    assert_eq!(board.calls(), ["get 1", "get_fresh 1", "set 1"]);
}

#[test]
fn another_backend_brings_its_own_mangler_and_leaves_those_of_the_region() {
    for (name, manglers, deleted) in [
        ("none", "", ["delete [abc]", "delete abc"]),
        (
            "named",
            "key_mangler = [\"backwards\"]\n",
            ["delete cba", "delete cba"],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("dogpile.toml");
        let boards = ["old", "new"].map(|age| Board::new(&format!("{age} mangler, {name}")));
        let configure = |board: &Board, own: &str| {
            let text = format!(
                "version = 1\n[regions.users]\nbackend = \"spy\"\n{manglers}[regions.users.arguments]\nboard = \
                 \"{}\"\n{own}",
                board.name()
            );
            fs::write(&manifest, text).unwrap();
        };
        configure(&boards[0], "mangler = \"brackets\"\n");
        let host = builder()
            .0
            .manifest(&manifest)
            .watch(false)
            .build()
            .unwrap();
        let users = host.region("users").unwrap();
        users.delete("abc").unwrap();
        configure(&boards[1], "");
        host.reload().unwrap();
        users.delete("abc").unwrap();
        for (board, deleted) in boards.iter().zip(deleted) {
            let calls = board.calls();
            assert!(
                calls.iter().any(|call| call == deleted),
                "{name}: {calls:?}"
            );
        }
    }
}

#[test]
fn a_runner_creates_what_was_invalidated_softly() {
    let (users, hand) = memory();
    let ran = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&ran);
    users.set_creation_runner(move |creation| {
        note.lock().unwrap().push(creation.key().to_owned());
        creation.run();
    });
    let call = |value: i32| {
        let entry = users.entry("1").background(move || value);
        let got = entry.get_or_create().unwrap();
        (*got, got.source())
    };
    assert_eq!(call(1), (1, Source::Created));
    assert_eq!(call(2), (1, Source::Fresh));
    assert!(ran.lock().unwrap().is_empty());
    hand.advance(SECOND);
    users.invalidate(Invalidation::Soft).unwrap();
    assert_eq!(call(2), (1, Source::Stale));
    assert_eq!(call(3), (2, Source::Fresh));
    assert_eq!(*ran.lock().unwrap(), ["1"]);
}

#[test]
fn each_region_has_proxies_of_its_own() {
    let board = Board::new("two regions");
    let around = |name: &str| board.around(RegionConfig::on(name, "memory"), name);
    let (builder, _) = builder();
    let host = builder
        .region(around("numbers"))
        .region(around("letters"))
        .region(RegionConfig::on("plain", "memory"))
        .build()
        .unwrap();
    let [numbers, letters] = ["numbers", "letters"].map(|name| host.region(name).unwrap());
    let plain = host.region("plain").unwrap();
    for region in [&numbers, &plain] {
        assert_eq!(region.actual_backend().unwrap(), "memory");
    }
    board.calls();
    plain.set("1", true).unwrap();
    numbers.set("1", true).unwrap();
    letters.set("a", true).unwrap();
    numbers.set("2", true).unwrap();
    assert_eq!(
        board.calls(),
        ["numbers.set 1", "letters.set a", "numbers.set 2"]
    );
    assert!(letters.get::<bool>("1").unwrap().is_none());
}
