//! Regions of a manifest, whose plugin is a file.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use dogpile::{Host, Region, Source};
use dogpile_tests::plugin_file;
use dogpile_tests::redis_server::RedisServer;
use tempfile::TempDir;

use crate::support::{client, until};

/// A manifest with the regions `users`, on `redis`, and `others`, on `valkey`.
fn manifest(server: &RedisServer) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let plugins = plugin_file("redis");
    let (plugins, port) = (plugins.parent().unwrap().display(), server.port());
    let text = format!(
        r#"
version = 1
[host]
plugin_dir = "{plugins}"
[plugins.redis]
[regions.users]
backend = "redis"
expiration_time = "5m"
key_prefix = "users:"
bypass_hold = 0
[regions.users.arguments]
url = "redis://127.0.0.1:{port}/1"
password = "hunter2"
lock_timeout = 5
[regions.others]
backend = "valkey"
expiration_time = "5m"
[regions.others.arguments]
host = "127.0.0.1"
port = {port}
password = "hunter2"
"#
    );
    fs::write(folder.path().join("dogpile.toml"), text).unwrap();
    folder
}

fn open(folder: &TempDir) -> (Host, Region, Region) {
    let host = Host::open(folder.path().join("dogpile.toml")).unwrap();
    let (users, others) = (
        host.region("users").unwrap(),
        host.region("others").unwrap(),
    );
    (host, users, others)
}

#[test]
fn hosts_that_load_the_plugin_share_values_and_create_each_once() {
    let server = RedisServer::start(&["--requirepass", "hunter2"]);
    let folder = manifest(&server);
    let hosts = [open(&folder), open(&folder)];
    let created = AtomicU32::new(0);
    thread::scope(|scope| {
        for (_, users, _) in &hosts {
            for _ in 0..8 {
                scope.spawn(|| {
                    let got = users.get_or_create("key", || created.fetch_add(1, Ordering::SeqCst));
                    assert_eq!(*got.unwrap(), 0);
                });
            }
        }
    });
    assert_eq!(created.into_inner(), 1);
    let [(host, users, others), (_, other_users, _)] = &hosts;
    assert!(others.get::<u32>("key").unwrap().is_none());
    others.set("key", 2_u32).unwrap();
    other_users.delete("key").unwrap();
    assert!(users.get::<u32>("key").unwrap().is_none());
    assert_eq!(*others.get::<u32>("key").unwrap().unwrap(), 2);
    let status = format!("{:?}", host.status());
    assert!(!status.contains("hunter2"), "{status}");
}

#[test]
fn a_region_goes_on_while_its_server_is_down_and_shares_again_once_it_is_up() {
    let mut server = RedisServer::start(&["--requirepass", "hunter2"]);
    server.kill();
    let folder = manifest(&server);
    let (_host, users, _) = open(&folder);
    let call = |key: &str| {
        let got = users.get_or_create(key, || 1_u32).unwrap();
        (*got, got.source())
    };
    for _ in 0..3 {
        // Down at the start, and down again.
        for _ in 0..20 {
            assert_eq!(call("key"), (1, Source::Created));
        }
        server.restart();
        until("values are shared again", || call("key").1 == Source::Fresh);
        let mut client = client(&server);
        redis::cmd("AUTH").arg("hunter2").exec(&mut client).unwrap();
        redis::cmd("SELECT").arg(1).exec(&mut client).unwrap();
        assert!(
            redis::cmd("EXISTS")
                .arg("users:key")
                .query::<bool>(&mut client)
                .unwrap()
        );
        server.kill();
    }
}

#[test]
fn a_region_whose_server_is_full_serves_what_is_there_and_stores_again_at_once_when_there_is_room()
{
    let server = RedisServer::start(&["--requirepass", "hunter2"]);
    let folder = manifest(&server);
    let (_host, users, _) = open(&folder);
    let mut client = client(&server);
    redis::cmd("AUTH").arg("hunter2").exec(&mut client).unwrap();
    let mut limit = |bytes: u32| {
        let mut command = redis::cmd("CONFIG");
        command.arg(&["SET", "maxmemory"]).arg(bytes);
        command.exec(&mut client).unwrap();
    };
    users.set("old", 1_u32).unwrap();
    limit(1);
    for _ in 0..20 {
        // So many failures in a row would be those of a server that is down.
        let _refused = users.set("too much", 1_u32);
    }
    for _ in 0..20 {
        let created = users.get_or_create("new", || 2_u32).unwrap();
        assert_eq!((*created, created.source()), (2, Source::Created));
        assert_eq!(*users.get::<u32>("old").unwrap().unwrap(), 1);
    }
    users.delete("old").unwrap();
    limit(0);
    assert_eq!(*users.get_or_create("new", || 3_u32).unwrap(), 3);
    assert_eq!(*users.get_or_create("new", || 4_u32).unwrap(), 3);
    assert!(users.get::<u32>("old").unwrap().is_none());
}

#[test]
fn a_region_that_must_be_healthy_does_not_open_before_its_server_is_up() {
    let mut server = RedisServer::start(&["--requirepass", "hunter2"]);
    let folder = manifest(&server);
    let file = folder.path().join("dogpile.toml");
    let text = fs::read_to_string(&file).unwrap();
    let must = "expiration_time = \"5m\"\nrequire_healthy = true";
    fs::write(&file, text.replacen("expiration_time = \"5m\"", must, 1)).unwrap();
    server.kill();
    let error = Host::open(&file).err().expect("its server is down");
    let place = format!("127.0.0.1:{}", server.port());
    let shown = format!("{error} {error:?}");
    for words in ["require_healthy = true", &place, "is it running there?"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("hunter2"), "{shown}");
    server.restart();
    open(&folder).1.set("key", 1_u32).unwrap();
}
