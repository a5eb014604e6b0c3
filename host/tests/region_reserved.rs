//! Keys under which a region's record of invalidations lies: no value is created or stored there, and nothing removed.

#![forbid(unsafe_code)]

mod region_support;

use dogpile::{ErrorKind, Invalidation, Region, RegionConfig};
use futures_executor::block_on;

use region_support::{Board, SECOND, builder, region};

const RECORD: &str = "_dogpile_inv:users";

fn refused<T>(result: dogpile::Result<T>) {
    let error = result.err().expect("it is refused");
    assert_eq!(error.kind(), ErrorKind::ReservedKey);
    let text = error.to_string();
    assert!(text.contains(RECORD) && text.contains("`users`"), "{text}");
}

/// Every call that would create, store or remove something under the key.
fn refuses(users: &Region, key: &'static str) {
    let unreachable = || -> i32 { unreachable!("it is refused before") };
    let keys = [key, "other"];
    let all = |_: &[&str]| -> Vec<(&'static str, i32)> { unreachable!("it is refused before") };
    refused(users.set(key, 5));
    refused(users.set_multi([("other", 1), (key, 5)]));
    refused(users.entry(key).set(5));
    refused(users.set_payload(key, b"5"));
    refused(users.get_or_create(key, unreachable));
    refused(users.refresh(key, unreachable));
    refused(users.get_or_create_multi(&keys, all));
    refused(users.entry(key).background(unreachable).get_or_create());
    refused(users.delete(key));
    refused(users.delete_multi(&keys));
    refused(block_on(users.set_async(key, 5)));
    refused(block_on(users.delete_async(key)));
    refused(block_on(
        users.get_or_create_async(key, async || unreachable()),
    ));
}

#[test]
fn the_key_of_a_record_is_refused_and_the_record_stays() {
    let board = Board::new("reserved");
    let (users, _) = region(board.shared().expiration_time(60 * SECOND));
    users.invalidate(Invalidation::Hard).unwrap();
    let record = board.text(RECORD);
    refuses(&users, RECORD);
    assert_eq!(board.text(RECORD), record);
    assert!(users.get::<i32>(RECORD).unwrap().is_none());
    assert!(board.stored("other").is_none());
    // Such a text elsewhere is a key as any.
    for key in [
        "_dogpile_inv:",
        "_dogpile_inv:orders",
        "my_dogpile_inv:users",
    ] {
        users.set(key, 5).unwrap();
        assert_eq!(*users.get_or_create(key, || 6).unwrap(), 5);
        users.delete(key).unwrap();
    }
}

#[test]
fn what_counts_is_the_key_that_the_backend_sees_and_every_region_of_the_host() {
    let board = Board::new("reserved elsewhere");
    let (builder, _) = builder();
    let app = board.shared().key_prefix("app:");
    let local = RegionConfig::on("local", "memory");
    let mut bare = board.shared();
    bare.name = "bare".to_owned();
    let host = builder.region(app).region(bare).region(local);
    let host = host.build().unwrap();
    refuses(&host.region("users").unwrap(), RECORD);
    refuses(&host.region("bare").unwrap(), "app:_dogpile_inv:users");
    let users = host.region("users").unwrap();
    users.set("app:_dogpile_inv:users", 5).unwrap();
    // What keeps no record has no such key.
    host.region("local")
        .unwrap()
        .set("_dogpile_inv:local", 5)
        .unwrap();
}
