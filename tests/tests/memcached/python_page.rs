//! What `docs/python-memcached.md` shows is what happens: its programs run beside its manifests.

use std::path::Path;

use dogpile::{Invalidation, Region};
use dogpile_tests::memcached_server::MemcachedServer;
use dogpile_tests::python::python;
use dogpile_tests::python_page::Page;
use serde::{Deserialize, Serialize};

use crate::raw::Raw;
use crate::support::{servers, until};

const PAGE: &str = include_str!("../../../docs/python-memcached.md");

/// Where the page has its servers.
const SERVERS: [&str; 3] = ["one:11211", "two:11211", "three:11211"];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

fn ada(id: u64) -> User {
    let name = String::from("Ada");
    User { id, name }
}

fn key(id: u64) -> String {
    format!("myapp.users:load|{id}")
}

/// What lies under Python's key, on any server.
fn stored(servers: &[MemcachedServer], id: u64) -> Option<String> {
    let key = format!("json:{}", key(id));
    servers.iter().find_map(|server| Raw::to(server).text(&key))
}

fn is_there(users: &Region, id: u64) -> bool {
    users.get::<User>(&key(id)).unwrap().is_some()
}

fn page(servers: &[MemcachedServer]) -> Page {
    let urls: Vec<String> = servers.iter().map(MemcachedServer::url).collect();
    let replaced: Vec<(&str, &str)> = SERVERS
        .into_iter()
        .zip(urls.iter().map(String::as_str))
        .collect();
    let interpreter = python(Path::new(env!("CARGO_TARGET_TMPDIR")));
    Page::new(PAGE, &replaced, "memcached", interpreter)
}

/// One client of the page, by its place there.
fn shares(client: usize) {
    let servers = servers(3, &[]);
    let page = page(&servers);
    let (programs, manifests) = (page.blocks("python"), page.blocks("toml"));
    assert_eq!((programs.len(), manifests.len()), (4, 4));
    let program = page.program("app", programs[client]);
    let host = page.host("dogpile.toml", manifests[client]);
    let users = host.region("users").unwrap();

    page.loads(&program, 1);
    assert_eq!(*users.get::<User>(&key(1)).unwrap().unwrap(), ada(1));
    let got = users.get_or_create(key(2), || ada(2)).unwrap();
    assert_eq!(*got, ada(2));
    let by_rust = stored(&servers, 2).unwrap();
    page.loads(&program, 2);
    assert_eq!(stored(&servers, 2), Some(by_rust));

    page.run(&program, "from myapp.users import load; load.invalidate(1)");
    assert_eq!(stored(&servers, 1), None);
    page.run(
        &program,
        "from myapp.users import users; users.invalidate(hard=True)",
    );
    until("Rust sees it", || !is_there(&users, 2));
    page.loads(&program, 3);
    assert!(is_there(&users, 3));
    users.invalidate(Invalidation::Hard).unwrap();
    let get = "from myapp.users import users; print(bool(users.get('myapp.users:load|3')))";
    assert_eq!(page.run(&program, get), "False");
}

#[test]
fn a_region_of_python_memcached_is_shared_as_the_page_tells() {
    shares(0);
}

#[test]
fn a_region_of_pymemcache_is_shared_as_the_page_tells() {
    shares(1);
}

#[test]
fn a_region_of_pylibmc_is_shared_as_the_page_tells() {
    shares(2);
}

#[test]
fn a_region_of_bmemcached_is_shared_as_the_page_tells() {
    shares(3);
}

/// Why the page wants a prefix: what the defaults write raises on the other side, and is left alone by Rust.
#[test]
fn what_python_writes_by_default_is_read_by_neither_json_nor_rust() {
    for program in 0..4 {
        let servers = servers(3, &[]);
        let page = page(&servers);
        let json = page.blocks("python")[program];
        let defaults = json
            .replace("    serializer=to_json,\n    deserializer=from_json,\n", "")
            .replace(
                "    region_invalidator=SharedInvalidation(users, key_prefix=PREFIX),\n",
                "",
            );
        assert!(defaults.len() < json.len() - 80);
        let json = page.program("json", json);
        let defaults = page.program("defaults", &defaults);
        let host = page.host("dogpile.toml", page.blocks("toml")[program]);
        let users = host.region("users").unwrap();
        let raises = "from myapp.users import load\n\
                      try: load(1)\n\
                      except Exception as error: print(type(error).__name__)";
        page.loads(&defaults, 1);
        assert_eq!(page.run(&json, raises), "AttributeError", "{program}");
        let got = users.get_or_create(key(1), || ada(1)).unwrap();
        assert_eq!(*got, ada(1));
        // It was not stored over Python's.
        page.loads(&defaults, 1);
        let raises = raises.replace('1', "2");
        page.loads(&json, 2);
        assert_eq!(page.run(&defaults, &raises), "AttributeError", "{program}");
    }
}

#[test]
fn a_python_and_a_rust_program_share_a_region_from_an_empty_directory() {
    let server = MemcachedServer::start(&[]);
    let interpreter = python(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let url = server.url();
    let page = Page::new(
        PAGE,
        &[("localhost:11211", &*url)],
        "memcached",
        interpreter,
    );
    let program = page.program("both", page.blocks("python")[1]);
    let both = env!("CARGO_BIN_EXE_both");
    page.types(&program, page.blocks("toml")[1], both);
}
